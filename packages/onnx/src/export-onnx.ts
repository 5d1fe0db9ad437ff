// A learned model as the bytes of an ONNX file: the graph that core traces for `predict`, with the model's arrays as
// initialisers under the names that they have in core.

import { type Deployment, deployment, type Estimator } from '@fkm/core/deploy';
import { checkExportOptions, type ExportOptions } from './export-options.js';
import { metadataOf } from './model-metadata.js';
import { type ToOnnxOptions, toOnnx } from './to-onnx.js';
import { producer } from './version.js';

/** What its int32 outputs come as: places in a list of classes as its entries, everything else as int64. */
const labels: Readonly<
  Record<Deployment['task'], (classes: Deployment['classes']) => NonNullable<ToOnnxOptions['labels']>>
> = {
  clusterer: () => ({ label: 'int64' }),
  classifier: (classes) => ({ label: classes }),
  multiLabel: () => ({ label: 'int64' }),
  regressor: () => ({}),
};

const names: Readonly<Record<Deployment['task'], string>> = {
  clusterer: 'FastKMeansClusterer',
  classifier: 'FastKMeansClassifier',
  multiLabel: 'FastMultiLabelKMeansClassifier',
  regressor: 'FastKMeansRegressor',
};

/**
 * A fitted estimator as an ONNX model from raw features to answers, scaling included: plain ai.onnx ops, IR version 8. Input `X`
 * float [B, D], and `feature_mask` float [B, D] where asked for. Outputs: clusterer `label` int64 [B] and `scores` [B, K], distances
 * (euclidean, l1, 1 − cosine); classifier `label` [B], strings or numbers as y had them, and `probabilities` [B, C]; multi-label
 * classifier `label` int64 [B, C] and `probabilities` [B, C]; regressor `variable` [B, T]. Equal models give equal bytes.
 * Errors: OptionError, StateError before fit, DataError for weights beyond float16.
 */
export function exportOnnx(model: Estimator, options: ExportOptions = {}): Uint8Array {
  checkExportOptions(options);
  const { opset = 17, topK = 'op', featureMask = false, strategy, k, weights } = options;
  const deployed = deployment(model, { featureMask, strategy, k, weights }, 'exportOnnx');
  const { task, graph, constants, classes } = deployed;
  return toOnnx(graph, {
    opset,
    topK,
    constants,
    labels: labels[task](classes),
    producerName: producer.name,
    producerVersion: producer.version,
    description: `${names[task]} of @fkm/core`,
    metadata: {
      ...metadataOf(deployed, { opset, topK, featureMask, strategy, k, weights }, options.training ?? true),
      ...options.metadata,
    },
  });
}

// A learned model as the bytes of an ONNX file: the graph that core traces for `predict`, with the model's arrays as
// initialisers under the names that they have in core.

import { type Deployment, deployment, type Estimator } from '@fkm/core/deploy';
import { checkExportOptions, type ExportOptions } from './export-options.js';
import { metadataOf } from './model-metadata.js';
import { type ToOnnxOptions, toOnnx } from './to-onnx.js';
import { producer } from './version.js';

/** What stands for no class: '', −1 or, among numbers that are not whole, NaN; the next like it where that is a class. */
function noClass(classes: readonly (string | number)[]): string | number {
  const taken = new Set(classes);
  if (typeof classes[0] === 'string') {
    let name = '';
    while (taken.has(name)) name = `${name}?`;
    return name;
  }
  if (!classes.every((label) => Number.isSafeInteger(label))) return Number.NaN;
  let label = -1;
  while (taken.has(label)) label--;
  return label;
}

/** What int32 outputs come as: places in the classes as their entries, everything else as int64. */
const typesOf = ({ graph, labels, classes }: Deployment): NonNullable<ToOnnxOptions['labels']> =>
  Object.fromEntries(
    graph.outputs
      .filter(({ variable }) => variable.dtype === 'int32')
      .map(({ name }) => [name, labels === 'classes' ? [...classes, noClass(classes)] : 'int64']),
  );

/**
 * A fitted estimator as an ONNX model from raw features to answers, scaling included: plain ai.onnx ops, IR version 8. Input `X`
 * float [B, D], and `feature_mask` float [B, D] where asked for. Outputs: clusterer `label` int64 [B] and `scores` [B, K], distances
 * (euclidean, l1, 1 − cosine); classifier `label` [B], strings or numbers as y had them, and `probabilities` [B, C]; multi-label
 * classifier `label` int64 [B, C] and `probabilities` [B, C]; regressor `variable` [B, T], float, or double where
 * `predict` answers a Float64Array. A row with NaN or ±Infinity in a value that is present, or whose numbers overflow, alone has no
 * answer: NaN, and as labels −1, '' of strings, NaN of numbers that are not whole. Equal models give equal bytes.
 * Errors: OptionError, StateError before fit, DataError for weights beyond float16.
 */
export function exportOnnx(model: Estimator, options: ExportOptions = {}): Uint8Array {
  checkExportOptions(options);
  const { opset = 17, topK = 'op', featureMask = false, strategy, k, weights } = options;
  const deployed = deployment(model, { featureMask, strategy, k, weights }, 'exportOnnx');
  const { estimator, graph, constants, targetCenter } = deployed;
  return toOnnx(graph, {
    opset,
    topK,
    constants,
    labels: typesOf(deployed),
    ...(targetCenter ? { centers: { variable: targetCenter } } : {}),
    producerName: producer.name,
    producerVersion: producer.version,
    description: `${estimator} of @fkm/core`,
    metadata: metadataOf(
      deployed,
      { version: producer.version, opset, topK, featureMask, strategy, k, weights },
      options.training ?? true,
      options.metadata,
    ),
  });
}

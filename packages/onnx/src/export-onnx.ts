// Exports a fitted model as an ONNX file: the graph that core traces for `predict`, with the model's arrays as initialisers under
// their names in core.

import { type Deployment, deployment, type Estimator } from '@fkm/core/deploy';
import { checkExportOptions, type ExportOptions } from './export-options.js';
import { metadataOf } from './model-metadata.js';
import { type ToOnnxOptions, toOnnx } from './to-onnx.js';
import { producer } from './version.js';

/** The label of a row without an answer: '', −1 or, if classes are not integers, NaN. If that is a class, the next free one. */
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

/** How int32 outputs are converted: indices of classes to the classes, everything else to int64. */
const typesOf = ({ graph, labels, classes }: Deployment): NonNullable<ToOnnxOptions['labels']> =>
  Object.fromEntries(
    graph.outputs
      .filter(({ variable }) => variable.dtype === 'int32')
      .map(({ name }) => [name, labels === 'classes' ? [...classes, noClass(classes)] : 'int64']),
  );

/**
 * Exports a fitted estimator as an ONNX model from raw features to answers, including scaling: plain ai.onnx ops, IR version 8.
 *
 * Input `X` float [B, D], and `feature_mask` float [B, D] if requested. Outputs: clusterer `label` int64 [B] and `scores` [B, K],
 * distances (euclidean, l1, 1 − cosine); classifier `label` [B], strings or numbers as in y, and `probabilities` [B, C];
 * multi-label classifier `label` int64 [B, C] and `probabilities` [B, C]; regressor `variable` [B, T], float, or double if
 * `predict` answers a Float64Array.
 *
 * A row with an unmasked NaN or ±Infinity, or whose numbers overflow, has no answer: NaN, and as label −1, '' for strings, NaN for
 * numbers that are not integers. Other rows are not affected. Equal models give equal bytes. Errors: OptionError, StateError before
 * `fit`, DataError for weights beyond float16.
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

// Exports a fitted model as an ONNX file: the graph that core traces for `predict`, with the model's arrays as initialisers under
// their names in core.

import { type Deployment, deployment, type Estimator } from '@fkm/core/deploy';
import { type Graph, OptionError, shown } from '@fkm/core/graph';
import { frontOf } from './columns.js';
import { checkExportOptions, type ExportOptions, renamed } from './export-options.js';
import { metadataOf, type Written } from './model-metadata.js';
import { type Front, lowered, type ToOnnxOptions } from './to-onnx.js';
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

/** How int32 outputs are converted: indices of classes to the classes or to int64 with −1 for no answer, everything else to int64. */
const typesOf = (
  { graph, labels, classes }: Deployment,
  as: 'names' | 'index',
): NonNullable<ToOnnxOptions['labels']> => {
  const entries = as === 'index' ? [...classes.keys(), -1] : [...classes, noClass(classes)];
  return Object.fromEntries(
    labelsIn(graph).map(({ name }) => [name, labels === 'classes' ? entries : 'int64']),
  );
};

const labelsIn = ({ outputs }: Graph): Graph['outputs'] =>
  outputs.filter(({ variable }) => variable.dtype === 'int32');

const noAnswer = 'for a row without an answer';

/** Doc strings of inputs and outputs by name; `label` means something else for each estimator. */
const docsOf = ({ graph, labels }: Deployment): Readonly<Record<string, string>> => ({
  X: 'Features.',
  feature_mask: '1 present, 0 missing; missing values of X may be NaN.',
  scores: `Distances from the prototypes; NaN ${noAnswer}.`,
  probabilities: `Probabilities in the order of fkm.classes; NaN ${noAnswer}.`,
  variable: `Predicted targets; NaN ${noAnswer}.`,
  label:
    labels === 'classes'
      ? 'The predicted class.'
      : graph.outputs.some(({ name }) => name === 'scores')
        ? `Number of the nearest prototype; -1 ${noAnswer}.`
        : `1 for labels that the row has, else 0, in the order of fkm.classes; -1 ${noAnswer}.`,
});

/**
 * Exports a fitted estimator as an ONNX model from raw features to answers, including scaling, IR version 8.
 *
 * Inputs of a model of tables: one [B, 1] for each column, with its name. Categories and ordered columns are string, '' is missing;
 * numbers and booleans are float, NaN is missing; dates are int64 ms since 1970, −2^63 is missing. Texts go through LabelEncoder of
 * ai.onnx.ml; all other nodes are plain ai.onnx. With `inputs: 'matrix'`, and for a model of matrices: `X` float [B, D], and
 * `feature_mask` float [B, D] if requested, plain ai.onnx.
 *
 * Outputs: clusterer `label` int64 [B] and `scores` [B, K], distances (euclidean, l1, 1 − cosine); classifier `label` [B], strings or
 * numbers as in y, or int64 indices of the classes, and `probabilities` [B, C]; multi-label classifier `label` int64 [B, C] and
 * `probabilities` [B, C]; regressor `variable` [B, T], float, or double if `predict` answers a Float64Array. An output with the name of
 * a column gets the suffix '.out'.
 *
 * A row with an unmasked NaN or ±Infinity, with a text that an ordered column does not have, or whose numbers overflow, has no answer:
 * NaN, and as label −1, '' for strings, NaN for numbers that are not integers. Other rows are not affected. Equal models give equal
 * bytes. Errors: OptionError, StateError before `fit`, DataError for weights beyond float16.
 */
export function exportOnnx(model: Estimator, options: ExportOptions = {}): Uint8Array {
  checkExportOptions(options);
  const { opset = 17, topK = 'op', featureMask = false, strategy, k, weights } = options;
  const deployed = deployment(
    model,
    { inputs: options.inputs, featureMask, strategy, k, weights },
    'exportOnnx',
  );
  const { estimator, targetCenter } = deployed;
  if (options.labels !== undefined && labelsIn(deployed.graph).length === 0) {
    throw new OptionError(
      `exportOnnx: labels is ${shown(options.labels)}, and a regressor has none; leave it out.`,
      { option: 'labels', value: options.labels },
      'onnx',
    );
  }
  const { graph, constants, front } = inFile(deployed);
  const written: Written = {
    version: producer.version,
    opset,
    topK,
    featureMask,
    strategy,
    k,
    weights,
    // Files of matrices say nothing of it, as before there were others.
    ...(model.encoding?.version === 2 ? { inputs: front ? 'columns' : 'matrix' } : {}),
    ...(options.labels === 'index' ? { labels: 'index' } : {}),
  };
  return lowered(
    graph,
    {
      opset,
      topK,
      constants,
      labels: typesOf(deployed, options.labels ?? 'names'),
      ...(targetCenter ? { centers: { variable: targetCenter } } : {}),
      producerName: producer.name,
      producerVersion: producer.version,
      description: `${estimator} of @fkm/core`,
      metadata: metadataOf(deployed, written, options.training ?? true, options.metadata),
    },
    { ...(front ? { front } : {}), docs: docsOf(deployed) },
  );
}

/** The graph with the columns of its table in front. Inputs are called like columns, so what has the name of one gets another. */
function inFile({
  graph,
  constants,
  table,
}: Deployment): Pick<Deployment, 'graph' | 'constants'> & { readonly front?: Front } {
  if (!table) return { graph, constants };
  const columns = new Set(table.columns.map(({ column }) => column));
  const free = (name: string): string => (columns.has(name) ? renamed(name) : name);
  const masked = graph.inputs.some(({ name }) => name === 'feature_mask');
  return {
    graph: { ...graph, inputs: graph.inputs.map(({ name, variable }) => ({ name: free(name), variable })) },
    constants: Object.fromEntries(Object.entries(constants).map(([name, array]) => [free(name), array])),
    front: frontOf(table, { x: free('X'), ...(masked ? { mask: free('feature_mask') } : {}) }),
  };
}

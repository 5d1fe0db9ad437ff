// A fitted model as one graph from raw rows to answers, with its arrays: what an exporter writes. Traced from the same formulas as
// `predict`.

import { partsOf, scalarsOf } from '../checkpoint/checkpoint.js';
import type { Checkpoint } from '../checkpoint/safetensors.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, OptionError } from '../errors.js';
import type { Estimator } from '../estimators/estimator.js';
import { withoutMoments } from '../fitting/finetune.js';
import type { Graph } from '../graph/ir.js';
import { simplify } from '../graph/simplify.js';
import type { Head } from '../heads/head.js';
import { checkStrategy, type Strategy, usualStrategy } from '../heads/strategies.js';
import type { Label, ModelState } from '../state/state.js';
import { halvedNames, widened, withoutMasters } from '../state/storage.js';
import { isTableEncoding, type TableEncoding } from '../state/table-encoding.js';
import { arraysOf, headOf, specOf } from '../training/context.js';
import { readsGraph } from '../training/graphs.js';
import { guarded } from './guarded.js';
import { checkedSnapshot } from './snapshot.js';

export interface DeploymentOptions {
  /** Whether the graph takes a mask, 1 present, 0 missing; masked values may be anything. */
  readonly featureMask: boolean;
  /** Inputs are the columns of the model's table, or X. Default: 'columns' for a model of tables, else 'matrix'. */
  readonly inputs?: 'columns' | 'matrix' | undefined;
  /** How a multi-label classifier chooses labels. Default: as `predict`. */
  readonly strategy?: Strategy | undefined;
  /** Number of labels that 'top_k' gives every row. */
  readonly k?: number | undefined;
  /** Type of the arrays that grow with the grid. Default: as the model stores them. */
  readonly weights?: 'float32' | 'float16' | undefined;
}

export interface Deployment {
  /** The name of the model's class. */
  readonly estimator: string;
  /** D */
  readonly columns: number;
  /** The caller's names of the classes or labels; empty if there are none. */
  readonly classes: readonly Label[];
  /**
   * Inputs `X` [B, D], `feature_mask` [B, D] where asked for, and one for each constant. Outputs: `label` int32 [B] and `scores`
   * [B, K], distances, of a clusterer; `label` int32 [B], places in `classes`, and `probabilities` [B, C] of a classifier;
   * `label` int32 [B, C] and `probabilities` [B, C] of a multi-label classifier; `variable` [B, T] of a regressor. Rows that have
   * no answer, as those with NaN, get NaN, and as labels the number of classes of a classifier, −1 otherwise.
   */
  readonly graph: Graph;
  /** What `label` counts: places in `classes`; or prototypes, or holds 0 and 1. */
  readonly labels: 'classes' | 'integers';
  /**
   * How `X` is made of the columns of a table; null if `X` is an input. With `missing: 'mask'` the graph has `feature_mask`; without it, a
   * row with NaN in X has no answer.
   */
  readonly table: TableEncoding | null;
  /** The offset of the targets, to be added to `variable` [B, T] in float64; null if there is none. */
  readonly targetCenter: Float64Array | null;
  /** Arrays of the model that are inputs of the graph, by name. */
  readonly constants: Readonly<Record<string, NdArray>>;
  /** The rest of what `load` needs, as parts of a checkpoint; its tensors exclude the constants. */
  readonly rest: Checkpoint;
  /** The counters in the text `state` of `rest`, without the classes. */
  readonly counters: Readonly<Record<string, unknown>>;
}

const inputs: Readonly<Record<string, string>> = { x: 'X', mask: 'feature_mask' };

/**
 * The deployment of a model. Errors: OptionError for options that the estimator does not have or cannot honour; StateError before
 * `fit`; DataError for numbers beyond float16.
 */
export function deployment(model: Estimator, options: DeploymentOptions, call = 'deployment'): Deployment {
  const { context, state } = checkedSnapshot(model, call);
  const { family } = context;
  const head = headOf(context, state);
  const strategy = strategyOf(head, state, options, call);
  const table = tableOf(state, options, call);
  const masked = table ? context.options.missing === 'mask' : options.featureMask;
  const learned = withoutMasters(withoutMoments(state));
  const seen = { ...learned, arrays: inWeights(learned.arrays, options.weights, call) };
  const arrays = arraysOf(context, seen);
  const traced = readsGraph(
    family.task,
    head.exported(strategy),
    options.k,
  )(specOf(context, seen, masked), arrays);
  // The mark of rows without an answer: one past the last class, or −1.
  const none = head.counts === 'classes' ? state.classes.length : -1;
  const graph = simplify(readingOnly(guarded(traced, none)));
  const constants = Object.fromEntries(
    graph.inputs.flatMap(({ name }) => (arrays[name] ? [[name, arrays[name] as NdArray]] : [])),
  );
  const others = Object.entries(learned.arrays).filter(([name]) => !Object.hasOwn(constants, name));
  const rest = { ...learned, arrays: Object.fromEntries(others) };
  const { classes, ...counters } = scalarsOf(learned);
  return {
    estimator: family.estimator,
    columns: state.rawColumns,
    classes,
    graph,
    labels: head.counts === 'classes' ? 'classes' : 'integers',
    table,
    targetCenter: state.targetCenter,
    constants,
    rest: partsOf({ family, options: context.options, state: rest }),
    counters,
  };
}

/** Errors: OptionError for columns of a model of matrices, and for a mask beside columns. */
function tableOf(
  { encoding }: ModelState,
  { inputs, featureMask }: DeploymentOptions,
  call: string,
): TableEncoding | null {
  const table = isTableEncoding(encoding) ? encoding : null;
  if ((inputs ?? (table ? 'columns' : 'matrix')) === 'matrix') return null;
  if (!table) {
    throw new OptionError(
      `${call}: inputs is 'columns', and this model was fitted on a matrix, which has none; leave it out, or fit the model on records.`,
      { option: 'inputs', value: inputs },
    );
  }
  if (!featureMask) return table;
  throw new OptionError(
    `${call}: featureMask is true, and columns say themselves what is missing; leave it out, or set inputs to 'matrix'.`,
    { option: 'featureMask', value: featureMask },
  );
}

function strategyOf(
  { labels }: Head,
  { arrays }: ModelState,
  { strategy, k }: DeploymentOptions,
  call: string,
): Strategy {
  const tuned = arrays.thresholds !== undefined;
  const chosen = strategy ?? usualStrategy(tuned);
  const refuse = (option: string, value: unknown, why: string): never => {
    throw new OptionError(`${call}: ${option} is ${value}, which ${why}.`, { option, value });
  };
  if (labels) checkStrategy(call, chosen, { k, tuned });
  else if (strategy !== undefined)
    refuse('strategy', strategy, 'only a multi-label classifier has; leave it out');
  if (k !== undefined && (!labels || chosen !== 'top_k'))
    refuse('k', k, "only strategy 'top_k' has; leave it out, or set the strategy");
  return chosen;
}

/** The graph with export names, without inputs that no equation reads. */
function readingOnly(graph: Graph): Graph {
  const { equations } = simplify(graph);
  const read = new Set(equations.flatMap((equation) => equation.inputs.map((v) => v.id)));
  return {
    ...graph,
    inputs: graph.inputs
      .filter(({ name, variable }) => Object.hasOwn(inputs, name) || read.has(variable.id))
      .map((port) => ({ ...port, name: inputs[port.name] ?? port.name })),
  };
}

/** Bits of float16's infinity without a sign. */
const infinity = 0x7c00;
const largest = 65504;

/** The arrays, with those that grow with the grid in this type. Errors: DataError. */
function inWeights(
  arrays: ModelState['arrays'],
  weights: DeploymentOptions['weights'],
  call: string,
): ModelState['arrays'] {
  if (weights === undefined) return arrays;
  const changed: [string, NdArray][] = [...halvedNames, 'slopes'].flatMap((name) => {
    const array = arrays[name];
    if (!array) return [];
    const wide = widened(array);
    if (weights === 'float32') return [[name, wide]];
    const half = ndarray(wide.data, wide.shape, 'float16');
    const at = half.data.findIndex((bits) => (bits & 0x7fff) === infinity);
    if (at >= 0) {
      const value = wide.data[at];
      throw new DataError(
        `${call}: ${name} reach ${value}, float16 ends at ${largest}; scale the features, or leave weights 'float32'.`,
        { argument: name, value },
      );
    }
    return [[name, half]];
  });
  return { ...arrays, ...Object.fromEntries(changed) };
}

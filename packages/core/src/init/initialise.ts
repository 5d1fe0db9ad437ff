// From the first batch to a grid: scaler, units of the targets, metric, prototypes.

import { type Matrix, type Rows, toRows } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, OptionError } from '../errors.js';
import type { InitialGrid } from '../estimators/initial-grid.js';
import { defaultStrata, type Resolved } from '../estimators/options.js';
import type { ModelState } from '../estimators/state.js';
import type { Random } from '../random.js';
import { fitScaler } from '../scaling/scaler.js';
import { type Context, scaleBatch } from '../training/context.js';
import { takeBatch } from '../training/fit.js';
import type { Batch } from '../training/phase1.js';
import { jointStart, sampleBatch } from './joint.js';
import { chooseMetric } from './metric.js';
import { strataStart } from './strata.js';

/** Prototypes in all, unless said otherwise: four rows each, and no more than fit the caches. */
const mostPrototypes = 400;
const rowsPerPrototype = 4;
const defaultHeads = 8;
/** Rows that the metric and the strata look at. */
const mostRows = 2 ** 14;
/** A head of fewer prototypes says too little. */
const leastPerHead = 8;

const empty = (random: Random, rawColumns: number, count: number): Omit<ModelState, 'arrays'> => ({
  ages: new Float64Array(count).fill(1),
  coordinateAges: null,
  spread: new Float64Array(0),
  variances: null,
  random: random.save(),
  step: 0,
  trained: false,
  batches: 0,
  rawColumns,
});

/** How many prototypes and heads; K is a multiple of H. */
export function gridSize({ nPrototypes, heads }: Resolved, rows: number): { count: number; heads: number } {
  const wanted = nPrototypes ?? Math.max(1, Math.min(mostPrototypes, Math.floor(rows / rowsPerPrototype)));
  const count = Math.min(wanted, Math.max(1, rows));
  const chosen = heads ?? Math.max(1, Math.min(defaultHeads, Math.floor(count / leastPerHead)));
  const used = Math.min(chosen, count);
  return { count: count - (count % used), heads: used };
}

/** Weighted mean and deviation of every target column; a constant column keeps its unit. */
function targetUnits(y: Rows, sampleWeight: Float32Array): Record<string, NdArray> {
  const total = sampleWeight.reduce((a, b) => a + b, 0);
  const columns = Array.from({ length: y.columns }, (_, t) => t);
  const value = (i: number, t: number): number => y.data[i * y.columns + t] as number;
  const mean = columns.map((t) => sampleWeight.reduce((sum, w, i) => sum + w * value(i, t), 0) / total);
  const variance = columns.map(
    (t) => sampleWeight.reduce((sum, w, i) => sum + w * (value(i, t) - (mean[t] as number)) ** 2, 0) / total,
  );
  return {
    'target.mean': ndarray(mean, [y.columns]),
    'target.deviation': ndarray(
      // Less than float32 resolves is rounding: a constant whose mean is not quite itself.
      variance.map((v, t) => (Math.sqrt(v) > 1e-7 * Math.abs(mean[t] as number) ? Math.sqrt(v) : 1)),
      [y.columns],
    ),
  };
}

/** What a gaussian grid has besides prototypes and targets. */
function routingArrays(options: Resolved, count: number, columns: number): Record<string, NdArray> {
  const weights = options.featureWeights ?? new Float32Array(columns).fill(1);
  const weighted = options.softType === 'gaussian' || options.featureWeights || options.autoFeatureWeights;
  return {
    ...(weighted ? { featureWeights: ndarray(weights, [1, columns]) } : {}),
    ...(options.softType === 'gaussian'
      ? {
          logBandwidth: ndarray(new Float32Array(count), [count]),
          bias: ndarray(new Float32Array(count), [count]),
        }
      : {}),
    frozen: ndarray(new Uint8Array(count), [count], 'bool'),
  };
}

function checkFeatureWeights(options: Resolved, columns: number, call: string): void {
  const given = options.featureWeights?.length;
  if (given !== undefined && given !== columns) {
    throw new OptionError(`${call}: featureWeights has ${given} values, there are ${columns} columns.`, {
      option: 'featureWeights',
      length: given,
      expected: columns,
    });
  }
}

/** A state from a checked grid; the model takes it as it is. Errors: OptionError. */
export function initialFromGrid(
  options: Resolved,
  grid: InitialGrid,
  random: Random,
  call: string,
): ModelState {
  const prototypes = toRows(grid.prototypes, { call, argument: 'initMode.prototypes' });
  const { rows: count, columns } = prototypes;
  const heads = options.heads ?? 1;
  if (count % heads !== 0) {
    throw new OptionError(`${call}: heads is ${heads}, which does not divide ${count} prototypes.`, {
      option: 'heads',
      value: heads,
    });
  }
  checkFeatureWeights(options, columns, call);
  const targets = grid.targets && toRows(grid.targets as Matrix, { call, argument: 'initMode.targets' });
  const arrays: Record<string, NdArray> = {
    prototypes: ndarray(prototypes.data, [count, columns]),
    ...(targets ? { targets: ndarray(targets.data, [count, targets.columns]) } : {}),
    ...routingArrays(options, count, columns),
  };
  const weights = arrays.featureWeights;
  if (weights && heads > 1) {
    const repeated = Array.from({ length: heads }, () => Array.from(weights.data)).flat();
    arrays.featureWeights = ndarray(repeated, [heads, columns]);
  }
  const ages = grid.ages ? Float64Array.from(grid.ages) : new Float64Array(count).fill(1);
  return { ...empty(random, columns, count), arrays, ages };
}

/** Scaled rows with masked values at 0, the mean: a slope cannot skip them. */
function atMean({ x, mask }: Batch): Rows {
  if (!mask) return x;
  return { ...x, data: x.data.map((value, i) => ((mask.data[i] as number) > 0 ? value : 0)) };
}

/** The rows that count: a weight of 0 takes no part in the start. Errors: DataError where no row counts. */
function weighted(batch: Batch, call: string): Batch {
  const kept = Array.from(batch.sampleWeight.keys()).filter((i) => (batch.sampleWeight[i] as number) > 0);
  if (kept.length === batch.x.rows) return batch;
  if (kept.length === 0) {
    throw new DataError(`${call}: all weights of the first batch are zero; start with rows that count.`, {
      argument: 'sampleWeight',
    });
  }
  return takeBatch(batch, kept, 0, kept.length);
}

/** A state from the first batch of raw rows, by the options' initMode. */
export async function initialise(
  context: Context,
  first: Batch,
  random: Random,
  call: string,
): Promise<ModelState> {
  const { programs, options, signal } = context;
  const raw = weighted(first, call);
  const { x, y, sampleWeight, mask } = raw;
  const gaussian = options.softType === 'gaussian';
  const arrays: Record<string, NdArray> = {
    ...fitScaler(options.scaling, x, mask),
    ...(gaussian ? targetUnits(y, sampleWeight) : {}),
  };
  const shell = (): ModelState => ({ ...empty(random, x.columns, 0), arrays });
  checkFeatureWeights(options, x.columns, call);
  let batch = await scaleBatch(context, shell(), raw);
  if (options.metric !== 'none') {
    const sample = sampleBatch({ ...batch, x: atMean(batch), mask: undefined }, mostRows, random);
    const metric = await chooseMetric(programs, options, sample, random, signal);
    if (metric) {
      arrays['scaler.metric'] = ndarray(metric.map(Math.sqrt), [metric.length]);
      batch = await scaleBatch(context, shell(), raw);
    }
  }
  const { columns } = batch.x;
  // The scaler drops constant columns, and their weights with them.
  const varying = arrays['scaler.columns']?.data;
  const given = options.featureWeights;
  const featureWeights = given && varying ? Float32Array.from(varying, (j) => given[j] as number) : given;
  const size = gridSize(options, x.rows);
  const geometry = { distance: options.distance, columns, targets: y.columns, head: context.head };
  let grid: Record<string, NdArray>;
  if (options.initMode === 'joint') {
    const spec = { ...geometry, heads: size.heads, prototypes: size.count };
    grid = await jointStart(programs, spec, batch, featureWeights, random, signal);
  } else {
    const start = options.initMode as 'kmeans++' | 'random';
    const {
      targetDistance,
      kTargets = defaultStrata.kTargets,
      kFeatures = defaultStrata.kFeatures,
    } = options;
    grid = await strataStart(
      programs,
      geometry,
      sampleBatch(batch, mostRows, random),
      { kTargets, kFeatures, targetDistance, start },
      random,
    );
  }
  const count = (grid.prototypes as NdArray).shape[0] as number;
  return {
    ...empty(random, x.columns, count),
    arrays: { ...arrays, ...routingArrays({ ...options, featureWeights }, count, columns), ...grid },
  };
}

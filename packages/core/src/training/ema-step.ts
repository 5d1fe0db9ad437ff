// One step of phase 1 on a scaled batch: assign, update, follow the spread, forget, prune.

import { type NdArray, ndarray } from '../dtype.js';
import { DataError } from '../errors.js';
import type { ModelState } from '../estimators/state.js';
import { decay, emaUpdate } from '../method/ema.js';
import { type Context, specOf } from './context.js';
import { momentNames, parameterNames } from './graphs.js';
import { type Assignment, assignRows, type Batch } from './phase1.js';
import { blendVariances, importance } from './variances.js';

export interface EmaStep {
  readonly state: ModelState;
  /** Largest ‖p′ − p‖ of the batch. */
  readonly shift: number;
  readonly assignment: Assignment;
}

/** Below this mean δ a bandwidth would overflow: rows that coincide with their prototypes. */
const leastSpread = 1e-6;

const host = (array: NdArray): Float64Array => Float64Array.from(array.data);

/** Moves the grid by one batch; the state that came in is left alone. */
export async function emaStep(context: Context, before: ModelState, batch: Batch): Promise<EmaStep> {
  const { options, programs } = context;
  let state = before;
  const spec = specOf(context, state, batch.mask !== undefined);
  const assignment = await assignRows(programs, spec, state.arrays, batch, options.targetAssignment);

  const arrays = state.arrays as Record<string, NdArray>;
  const [prototypes, targets] = [arrays.prototypes as NdArray, arrays.targets as NdArray];
  const moving = {
    distance: options.distance,
    prototypes: host(prototypes),
    targets: host(targets),
    ages: state.ages.slice(),
    coordinateAges: state.coordinateAges?.slice(),
    frozen: (arrays.frozen as NdArray).data,
  };
  if (options.halfLife < Number.POSITIVE_INFINITY) {
    decay(moving.ages, batch.x.rows, options.halfLife);
    if (moving.coordinateAges) decay(moving.coordinateAges, batch.x.rows, options.halfLife);
  }
  if (batch.mask) moving.coordinateAges ??= coordinateAges(moving.ages, assignment.sums.weights, prototypes);
  // The answers of the heads add up to the target, so each one learns its share.
  const sums = {
    ...assignment.sums,
    targetMeans: assignment.sums.targetMeans.map((mean) => mean / spec.heads),
  };
  const shift = emaUpdate(moving, sums);
  if (!Number.isFinite(shift) || !moving.targets.every(Number.isFinite)) {
    throw new DataError('fitBatch: sums over the rows overflow float32; scale X and y down.', { shift });
  }
  const spread = addSpread(state, assignment, batch, spec.heads, options.halfLife);
  const next: Record<string, NdArray> = {
    ...arrays,
    prototypes: ndarray(moving.prototypes, prototypes.shape),
    targets: ndarray(moving.targets, targets.shape),
  };
  if (next.logBandwidth && !state.trained) {
    next.logBandwidth = bandwidths(spread, next.logBandwidth, moving.frozen);
  }
  let { variances } = state;
  if (options.autoFeatureWeights) {
    variances = await blendVariances(context, spec, state, batch, assignment);
    const weights = importance(variances);
    next.featureWeights = ndarray(Array.from({ length: spec.heads }, () => [...weights]).flat(), [
      spec.heads,
      spec.columns,
    ]);
  }
  state = {
    ...state,
    arrays: next,
    ages: moving.ages,
    coordinateAges: moving.coordinateAges ?? null,
    spread,
    variances,
    batches: state.batches + 1,
  };
  if (options.pruneEvery > 0 && state.batches % options.pruneEvery === 0)
    state = prune(state, options.minWeight);
  return { state, shift, assignment };
}

/** Where ages a coordinate start: at the ages that count this batch already, as in the original. */
function coordinateAges(ages: Float64Array, weights: Float64Array, { data, shape }: NdArray) {
  const columns = shape[1] as number;
  return Float64Array.from(data, (_, i) => {
    const k = Math.floor(i / columns);
    return (ages[k] as number) + (weights[k] as number);
  });
}

/** Σ w·δ and Σ w of each head so far; both forget as the ages do. */
function addSpread(
  state: ModelState,
  { delta }: Assignment,
  batch: Batch,
  heads: number,
  halfLife: number,
): Float64Array {
  const spread = state.spread.length === 2 * heads ? state.spread.slice() : new Float64Array(2 * heads);
  decay(spread, batch.x.rows, halfLife);
  delta.forEach((value, i) => {
    const head = i % heads;
    const w = batch.sampleWeight[Math.floor(i / heads)] as number;
    spread[2 * head] = (spread[2 * head] as number) + w * value;
    spread[2 * head + 1] = (spread[2 * head + 1] as number) + w;
  });
  return spread;
}

/** Start of gaussian routing: bandwidth 1 / mean δ to the own prototype, a head. */
function bandwidths(spread: Float64Array, { shape, data }: NdArray, frozen: ArrayLike<number>): NdArray {
  const heads = spread.length / 2;
  const perHead = data.length / heads;
  const logs = Array.from(data, (old, k) => {
    const head = Math.floor(k / perHead);
    const weight = spread[2 * head + 1] as number;
    if (frozen[k] === 1 || weight <= 0) return old;
    return -Math.log(Math.max((spread[2 * head] as number) / weight, leastSpread));
  });
  return ndarray(logs, shape);
}

/** Drops prototypes whose age fell below `minWeight`; the last one and frozen ones stay. */
export function prune(state: ModelState, minWeight: number): ModelState {
  const frozen = (state.arrays.frozen as NdArray).data;
  let kept = Array.from(state.ages.keys()).filter(
    (k) => (state.ages[k] as number) >= minWeight || frozen[k] === 1,
  );
  if (kept.length === state.ages.length) return state;
  if (kept.length === 0) kept = [state.ages.indexOf(Math.max(...state.ages))];
  const rowsOf = (data: Float64Array): Float64Array => {
    const width = data.length / state.ages.length;
    return Float64Array.from(kept.flatMap((k) => Array.from(data.subarray(k * width, (k + 1) * width))));
  };
  const own = [...parameterNames.filter((name) => name !== 'featureWeights'), 'frozen'];
  const named = [...own, ...own.flatMap(momentNames)];
  const arrays = Object.fromEntries(
    Object.entries(state.arrays).map(([name, array]) => {
      if (!named.includes(name)) return [name, array];
      const width = array.data.length / state.ages.length;
      const values = kept.flatMap((k) => Array.from(array.data.slice(k * width, (k + 1) * width)));
      return [name, ndarray(values, [kept.length, ...array.shape.slice(1)], array.dtype)];
    }),
  );
  return {
    ...state,
    arrays,
    ages: rowsOf(state.ages),
    coordinateAges: state.coordinateAges && rowsOf(state.coordinateAges),
  };
}

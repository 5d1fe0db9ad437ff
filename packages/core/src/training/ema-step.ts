// One step of phase 1 on a scaled batch: assign, update, follow the spread, forget, prune.

import type { Features } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError } from '../errors.js';
import { decay, emaUpdate } from '../formulas/ema.js';
import { voicesOf } from '../formulas/voices.js';
import { unitOf } from '../scaling/unit.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import { assignByClass, assignsByClass } from './assign-by-class.js';
import { batchColumns } from './batch-columns.js';
import { arraysOf, type Context, specOf } from './context.js';
import { momentNames } from './graphs.js';
import { learnSlopes } from './local-linear.js';
import { type Assignment, assignRows } from './phase1.js';
import { breathe } from './progress.js';
import { sketchRows } from './row-sketch.js';
import type { GridSpec } from './spec.js';
import { TargetRows } from './target-rows.js';
import { blendVariances, importance } from './variances.js';

export interface EmaStep {
  readonly state: ModelState;
  /** Largest ‖p′ − p‖ in the batch, in the units of the scaled rows without their common unit. */
  readonly shift: number;
  readonly assignment: Assignment;
}

/** Least mean δ of a bandwidth, which overflows if rows coincide with their prototypes. */
const leastSpread = 1e-12;

/** Initial log bandwidth, log(1 / mean δ), from Σ w·δ and Σ w. */
export const startOfBandwidth = (spread: number, weight: number): number =>
  -Math.log(Math.max(spread / weight, leastSpread));

const host = (array: NdArray): Float64Array => new Float64Array(array.data);

/** Assigns every row of a batch, with y as the spec has it, to a prototype. */
export type Assign = (
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  y: Features,
) => Promise<Assignment>;

/** Moves the grid by one batch, assigned by `assign`; the given state is not changed. */
export async function emaStep(
  context: Context,
  before: ModelState,
  batch: Batch,
  assign: Assign = assigner(context, batch),
): Promise<EmaStep> {
  const { options } = context;
  const original = options.arithmetic === 'original';
  const unit = before.unit ?? 1;
  const rows = original ? batch.x.rows : batch.sampleWeight.reduce((sum, w) => sum + w, 0) / unit;
  let state = before;
  const spec = specOf(context, state, batch.mask !== undefined);
  const { code } = spec.head;
  const arrays = state.arrays as Record<string, NdArray>;
  const [prototypes, targets] = [arrays.prototypes as NdArray, arrays.targets];
  const targetRows = code && targets ? new TargetRows(code, targets, spec.heads, state.trained) : undefined;
  const assignment = await assignInSpace(
    context,
    spec,
    arraysOf(context, state),
    batch.y,
    targetRows,
    assign,
  );
  const moving = {
    distance: options.distance,
    prototypes: host(prototypes),
    ages: state.ages.slice(),
    coordinateAges: state.coordinateAges?.slice(),
    frozen: (arrays.frozen as NdArray).data,
  };
  if (options.halfLife < Number.POSITIVE_INFINITY) {
    decay(moving.ages, rows, options.halfLife);
    if (moving.coordinateAges) decay(moving.coordinateAges, rows, options.halfLife);
  }
  if (batch.mask) {
    const countsTwice = original && spec.head.candidates !== 'labels';
    moving.coordinateAges ??= coordinateAges(
      countsTwice ? counted(moving.ages, assignment) : moving.ages,
      prototypes,
    );
  }
  const past = 2 ** (-rows / options.halfLife);
  const nearest = assignment.nearest ?? assignment.index;
  const sketched = spec.head.sketch && sketchRows(spec, spec.head.sketch, state, batch, nearest, past);
  const { weights } = assignment.sums;
  const shift = emaUpdate(moving, assignment.sums, options.repulsionFactor);
  const targetMean = sketched?.says ?? assignment.targetMean;
  if (targetRows && targetMean) {
    for (const [k, weight] of weights.entries()) {
      if (weight <= 0 || moving.frozen[k] === 1) continue;
      await breathe(context.signal);
      targetRows.follow(k, targetMean(k), weight / (moving.ages[k] as number));
    }
  }
  const numbers = [shift, ...assignment.spread];
  if (!numbers.every(Number.isFinite) || targetRows?.overflows) {
    throw new DataError(`${context.call}: sums over the rows overflow float32; scale X and y down.`, {
      shift,
    });
  }
  const spread = addSpread(state, assignment, rows, spec.heads, options.halfLife);
  const next: Record<string, NdArray> = {
    ...arrays,
    prototypes: ndarray(moving.prototypes, prototypes.shape),
  };
  if (targetRows) {
    next.targets = targetRows.targets;
    if (next.owners && spec.joint) next.owners = targetRows.owners(next.owners);
  }
  if (next.logBandwidth && !state.trained) {
    next.logBandwidth = bandwidths(spread, next.logBandwidth, moving.frozen);
    if (next.bias && spec.head.routes) {
      const voices = voicesOf(taught(options, moving.ages, unit), spec.heads);
      const { data, shape } = next.bias;
      next.bias = ndarray(
        voices.map((voice, k) => (moving.frozen[k] === 1 ? (data[k] as number) : voice)),
        shape,
      );
    }
  }
  let { variances } = state;
  if (options.autoFeatureWeights) {
    variances = await blendVariances(context, spec, state, batch, assignment);
    const weights = importance(variances);
    // Weights that gradients have trained stay. Prototypes without rows explain no feature; if no prototype has any, all weights
    // would be equal, so the previous ones stay too.
    if (!state.trained && weights.some((weight) => weight > 0)) {
      next.featureWeights = ndarray(Array.from({ length: spec.heads }, () => [...weights]).flat(), [
        spec.heads,
        spec.columns,
      ]);
    }
  }
  let moments = sketched?.moments ?? state.moments;
  if (spec.linear) {
    const moved = learnSlopes(spec, state, batch, nearest, past);
    moments = moved.moments;
    next.slopes = moved.slopes;
  }
  state = {
    ...state,
    given: undefined,
    arrays: next,
    moments,
    ages: moving.ages,
    coordinateAges: moving.coordinateAges ?? null,
    spread,
    variances,
    batches: state.batches + 1,
  };
  if (options.pruneEvery > 0 && state.batches % options.pruneEvery === 0)
    state = prune(state, options.minWeight);
  return { state, shift: shift / unitOf(arrays), assignment };
}

/**
 * The weight that rows taught each prototype: its age without the unit that a prototype of our own start begins with, which decays
 * by the half-life.
 */
function taught({ initMode, halfLife }: Resolved, ages: Float64Array, unit: number): Float64Array {
  const claims = typeof initMode === 'object' || halfLife < Number.POSITIVE_INFINITY;
  return claims ? ages : ages.map((age) => Math.max(0, age - unit));
}

/** Assigns rows by the graphs of phase 1. */
export const assigner =
  ({ programs, options, signal }: Context, batch: Batch): Assign =>
  (spec, arrays, y) =>
    (assignsByClass(spec) ? assignByClass : assignRows)(
      programs,
      spec,
      arrays,
      { ...batch, y },
      options.targetAssignment,
      signal,
    );

/** Quantiles as a place among the targets: their mean, or rows far from it would be nobody's. */
const inTheMiddle = (quantiles: Float64Array): Float64Array =>
  quantiles.fill(quantiles.reduce((sum, value) => sum + value, 0) / quantiles.length);

/** Assigns by features alone, or in the joint space, there by the target columns that occur in the batch where that pays. */
async function assignInSpace(
  { signal }: Context,
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  y: Features,
  targetRows: TargetRows | undefined,
  assign: Assign,
): Promise<Assignment> {
  if (!spec.joint || !targetRows) return assign(spec, arrays, y);
  const some = batchColumns(spec, arrays, y);
  if (!some) {
    const place = spec.head.sketch ? inTheMiddle : (mean: Float64Array): Float64Array => mean;
    const means = await targetRows.means(spec.outputs, place, signal);
    return assign(spec, { ...arrays, means }, y);
  }
  const means = await targetRows.means(some.spec.outputs, some.narrow, signal);
  const owners = some.owners ? { owners: some.owners } : {};
  const found = await assign(some.spec, { ...arrays, ...owners, means }, some.y);
  const { targetMean } = found;
  return {
    ...found,
    ...(targetMean ? { targetMean: (k: number) => some.widen(targetMean(k)) } : {}),
    cost: found.cost.map((cost) => cost * some.costScale),
  };
}

/** In the original, ages by coordinate start from ages that already count the batch; those of labels do not. */
const counted = (ages: Float64Array, { sums }: Assignment) =>
  ages.map((age, k) => age + (sums.weights[k] as number));

/** The age of each prototype in every column. */
const coordinateAges = (ages: Float64Array, { data, shape }: NdArray) =>
  Float64Array.from(data, (_, i) => ages[Math.floor(i / (shape[1] as number))] as number);

/** Σ w·δ and Σ w of each head so far, decayed like the ages. */
function addSpread(
  state: ModelState,
  assignment: Assignment,
  rows: number,
  heads: number,
  halfLife: number,
): Float64Array {
  const spread = state.spread.length === 2 * heads ? state.spread.slice() : new Float64Array(2 * heads);
  decay(spread, rows, halfLife);
  return spread.map((value, i) => value + (assignment.spread[i] as number));
}

/** Initial bandwidths of gaussian routing: 1 / mean δ to the own prototype, a head. */
function bandwidths(spread: Float64Array, { shape, data }: NdArray, frozen: ArrayLike<number>): NdArray {
  const heads = spread.length / 2;
  const perHead = data.length / heads;
  const logs = Array.from(data, (old, k) => {
    const head = Math.floor(k / perHead);
    const weight = spread[2 * head + 1] as number;
    if (frozen[k] === 1 || weight <= 0) return old;
    return startOfBandwidth(spread[2 * head] as number, weight);
  });
  return ndarray(logs, shape);
}

/** Drops prototypes whose age is below `minWeight` rows, except frozen ones, the last one, and the last one of each class. */
export function prune(state: ModelState, minWeight: number): ModelState {
  const frozen = (state.arrays.frozen as NdArray).data;
  const owners = state.arrays.owners?.data ?? new Int32Array(state.ages.length);
  const least = minWeight * (state.unit ?? 1);
  const keeps = (k: number): boolean => (state.ages[k] as number) >= least || frozen[k] === 1;
  const oldest = new Map<number, number>();
  for (const k of state.ages.keys()) {
    const rival = oldest.get(owners[k] as number);
    if (rival === undefined || (state.ages[k] as number) > (state.ages[rival] as number)) {
      oldest.set(owners[k] as number, k);
    }
  }
  const represented = new Set(Array.from(state.ages.keys()).flatMap((k) => (keeps(k) ? [owners[k]] : [])));
  const kept = Array.from(state.ages.keys()).filter((k) => {
    const owner = owners[k] as number;
    return keeps(k) || (!represented.has(owner) && oldest.get(owner) === k);
  });
  if (kept.length === state.ages.length) return state;
  const rowsOf = (data: Float64Array): Float64Array => {
    const width = data.length / state.ages.length;
    return Float64Array.from(kept.flatMap((k) => Array.from(data.subarray(k * width, (k + 1) * width))));
  };
  const own = ['prototypes', 'targets', 'slopes', 'owners', 'logBandwidth', 'bias', 'frozen'];
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
    moments: state.moments && rowsOf(state.moments),
  };
}

// Lloyd's algorithm (1982): exact passes that put every prototype at the mean of its rows, until no row changes its prototype. A
// pass is a step of phase 1 over one batch of all rows, without a past: ages of 0 make η = 1.

import { isSparse } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { comparesDirections } from '../formulas/distances.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { leastFounder } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { CenteredRows, canCenter } from '../training/centered-rows.js';
import { type Context, lossInOwnUnits, specOf } from '../training/context.js';
import { type Assign, assigner, emaStep, prune } from '../training/ema-step.js';
import { addRows } from '../training/host-sums.js';
import { inertiaOf, squaredDistances } from '../training/inertia.js';
import type { Assignment } from '../training/phase1.js';
import { breathe } from '../training/progress.js';
import type { GridSpec } from '../training/spec.js';
import { type FitRun, lossOf } from './fit.js';
import { defaultTol, type FitResult, Passes } from './passes.js';

/** Default limit of passes, as in scikit-learn. */
export const lloydPassesAtMost = 300;

/**
 * Passes until no row changes its prototype, or Σ ‖p′ − p‖² <= tol · mean variance of the columns, as in scikit-learn. Prototypes
 * without rows move to the rows farthest from their prototypes; frozen ones stay. `shuffle` and `batchSize` have no effect.
 */
export async function lloydPasses(
  context: Context,
  start: ModelState,
  rows: Batch,
  run: FitRun,
  evaluation: Batch | undefined,
): Promise<{ state: ModelState; result: FitResult; located: Located | undefined }> {
  const { minWeight, distance } = context.options;
  const masked = rows.mask !== undefined;
  // Rows of unit length have a total variance of at most 1.
  const variance = () => (comparesDirections(distance) ? 1 / rows.x.columns : meanVariance(rows));
  const { tol = defaultTol } = run;
  const enough = tol > 0 ? tol * variance() : 0;
  const search = exactSearch(context, start, rows);
  let state = start;
  const passes = new Passes(run, start, evaluation && ((state) => lossOf(context, state, evaluation)));
  let index: Int32Array | undefined;
  let settled = false;
  let converged = false;
  while (passes.done < run.maxIters && !converged) {
    await breathe(run.signal);
    const frozen = (state.arrays.frozen as NdArray).data;
    const step = await emaStep(context, withoutPast(state, masked), rows, async (spec, arrays, y) =>
      repaired(await search.assign(spec, arrays, y), spec, rows, frozen, state.unit ?? 1),
    );
    const moved = squaredShift(state, step.state);
    state = step.state;
    const own = step.assignment.index;
    settled = index !== undefined && equal(index, own);
    converged = settled || moved <= enough;
    index = own;
    const [cost = 0, weight = 0] = step.assignment.spread;
    await passes.ended(state, { shift: step.shift, loss: lossInOwnUnits(context, state, cost / weight) });
  }
  const { state: last, result } = passes.result(converged);
  state = settledState(last, minWeight);
  // If no row moved and the prototypes were not changed since, the last assignment still holds.
  const same = settled && !evaluation && minWeight === 0;
  return {
    state,
    result,
    located: same ? index && { index } : await search.locate?.(state.arrays.prototypes as NdArray),
  };
}

/** Whether no row changed its prototype. */
function equal(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Finds the nearest prototypes of the same rows in every pass. */
export interface ExactSearch {
  readonly assign: Assign;
  /** The index of each row alone, where that is cheaper. */
  readonly locate?: (prototypes: NdArray) => Promise<Located>;
}

/** The prototype of each row [N], and Σ w·δ to them if known. */
export interface Located {
  readonly index: Int32Array;
  readonly inertia?: number | undefined;
}

/**
 * The search for these rows. Dense rows are searched around a center: only rows that moved are searched in full and added to the
 * sums anew.
 */
export function exactSearch(
  context: Context,
  state: ModelState,
  rows: Batch,
  center: ArrayLike<number> = centerOf(rows),
): ExactSearch {
  const { programs, signal } = context;
  const { x, sampleWeight } = rows;
  const spec = specOf(context, state, rows.mask !== undefined);
  if (!canCenter(programs.backend, spec, state.arrays, rows) || isSparse(x))
    return { assign: assigner(context, rows) };
  const centered = new CenteredRows(programs, x, sampleWeight, center);
  return {
    locate: async (prototypes) => {
      const { index, sums } = await centered.assign(prototypes, signal);
      return { index, inertia: centered.inertia(prototypes, sums) };
    },
    assign: async (_, arrays) => {
      const prototypes = arrays.prototypes as NdArray;
      const { index, sums } = await centered.assign(prototypes, signal);
      // Only repairs need the cost of each row.
      const empty = sums.weights.includes(0);
      return {
        index,
        cost: empty ? squaredDistances(x.data, prototypes, index) : new Float32Array(0),
        spread: Float64Array.of(
          centered.cost(prototypes, sums),
          sums.weights.reduce((total, weight) => total + weight, 0),
        ),
        sums,
      };
    },
  };
}

/** The state with ages and sums reset, as if no row had been seen. */
export function withoutPast(state: ModelState, masked: boolean): ModelState {
  const { ages, arrays, spread } = state;
  const coordinates = (arrays.prototypes as NdArray).data.length;
  return {
    ...state,
    ages: new Float64Array(ages.length),
    coordinateAges: masked || state.coordinateAges ? new Float64Array(coordinates) : null,
    spread: new Float64Array(spread.length),
  };
}

/**
 * After the last pass: prototypes that no row chose get the age of new ones, so that a stream can continue from here, or are
 * pruned.
 */
export function settledState(state: ModelState, minWeight: number): ModelState {
  const since = (ages: Float64Array): Float64Array => ages.map((age) => (age > 0 ? age : (state.unit ?? 1)));
  const aged = {
    ...state,
    ages: since(state.ages),
    coordinateAges: state.coordinateAges && since(state.coordinateAges),
  };
  return minWeight > 0 ? prune(aged, minWeight) : aged;
}

/** Σ ‖p′ − p‖² over all prototypes; Infinity if pruning changed their number. */
export function squaredShift(before: ModelState, after: ModelState): number {
  const [p, q] = [before.arrays.prototypes as NdArray, after.arrays.prototypes as NdArray];
  let sum = p.data.length === q.data.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < q.data.length; i++) sum += ((q.data[i] as number) - (p.data[i] as number)) ** 2;
  return sum;
}

/** Weighted mean of each column over the rows that have it. */
function meanOf(rows: Batch): Float64Array {
  const { columns } = rows.x;
  const index = new Int32Array(rows.x.rows);
  const one = { heads: 1, prototypes: 1, columns };
  const { weights, sums, coordinateWeights } = addRows(one, rows, index);
  return sums.map((sum, j) => {
    const weight = coordinateWeights ? (coordinateWeights[j] as number) : (weights[0] as number);
    return weight > 0 ? sum / weight : 0;
  });
}

/** Rows that suffice to place a center. */
const fewRows = 1024;

/** A center [D] among the rows: the mean of some of them, evenly spaced. */
export function centerOf(rows: Batch): Float64Array {
  const { rows: n } = rows.x;
  const step = Math.max(1, Math.ceil(n / fewRows));
  const some = Uint32Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step);
  return meanOf(takeBatch(rows, some, 0, some.length));
}

/** Weighted variance, averaged over the columns: the cost per row and column of a single cluster. */
function meanVariance(rows: Batch): number {
  const { columns } = rows.x;
  const prototypes = ndarray(meanOf(rows), [1, columns]);
  const inertia = inertiaOf('euclidean', { prototypes }, rows, new Int32Array(rows.x.rows));
  return inertia / (rows.sampleWeight.reduce((sum, w) => sum + w, 0) * columns);
}

/**
 * The assignment with empty prototypes filled: each takes the row farthest from its own prototype, then the next farthest, among
 * rows that weigh at least half the `unit`. Rows that coincide with their prototypes stay, and so does the last row of a prototype.
 */
export function repaired(
  found: Assignment,
  spec: GridSpec,
  batch: Batch,
  frozen: ArrayLike<number>,
  unit: number,
): Assignment {
  const { cost, sums } = found;
  const empty = Array.from(sums.weights.keys()).filter((k) => sums.weights[k] === 0 && frozen[k] !== 1);
  if (empty.length === 0) return found;
  const index = found.index.slice();
  const counts = (i: number): boolean => (batch.sampleWeight[i] as number) > 0;
  const members = new Uint32Array(sums.weights.length);
  index.forEach((k, i) => {
    if (counts(i)) members[k] = (members[k] as number) + 1;
  });
  const least = leastFounder * unit;
  const far = Array.from(index.keys()).filter(
    (i) => (batch.sampleWeight[i] as number) >= least && (cost[i] as number) > 0,
  );
  far.sort((a, b) => (cost[b] as number) - (cost[a] as number));
  let next = 0;
  for (const k of empty) {
    while (next < far.length && (members[index[far[next] as number] as number] as number) < 2) next++;
    const row = far[next++];
    if (row === undefined) break;
    const from = index[row] as number;
    members[from] = (members[from] as number) - 1;
    index[row] = k;
  }
  return { ...found, index, sums: addRows(spec, batch, index) };
}

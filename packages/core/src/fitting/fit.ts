// fit: passes of phase 1 over the rows, with what a single batch cannot do: convergence, reseeding of idle prototypes, evaluation.

import { weightedMean } from '../formulas/paired-difference.js';
import { growClasses } from '../init/grow-classes.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { draw, type ModelState } from '../state/state.js';
import { arraysOf, type Context, lossInOwnUnits, specOf } from '../training/context.js';
import { type EmaStep, prune } from '../training/ema-step.js';
import { disposeAll, uploadParameters } from '../training/phase1.js';
import { rowLosses } from '../training/phase2.js';
import { breathe, type RunControl } from '../training/progress.js';
import { type FitResult, Passes, type PassRun, standsStill } from './passes.js';
import { phase1Step } from './phase1-step.js';
import { collectWorst, reseed, type Worst } from './reseed.js';

export interface FitRun extends RunControl, PassRun {
  readonly shuffle: boolean;
  readonly batchSize: number;
  /** The batch holds all rows of the caller, in their order. */
  readonly whole: boolean;
  /** Length of the runs of rows that a drawn order keeps together. */
  readonly together: number;
}

/**
 * Share of a cluster's age that carries over to the next pass. A pass sees the same rows again, with prototypes that lie better, so
 * older assignments count less. A stream is a single pass over new rows and forgets nothing here.
 */
const kept = 0.1;

export const faded = (state: ModelState): ModelState => {
  const less = (ages: Float64Array): Float64Array => ages.map((age) => kept * age);
  const { ages, coordinateAges, spread } = state;
  return {
    ...state,
    ages: less(ages),
    coordinateAges: coordinateAges && less(coordinateAges),
    spread: less(spread),
  };
};

/** Most rows in a run, and least runs in a batch. */
const [mostTogether, leastRuns] = [16, 64];

/** Rows that a drawn order may keep together in batches of this size, so that a batch still comes from at least 64 places. */
export const runLength = (batchSize: number): number =>
  Math.max(1, Math.min(mostTogether, Math.floor(batchSize / leastRuns)));

/** A random order of 0 … n − 1 in runs of `size` neighbours: gathering single rows takes several times as long. */
export function drawnOrder(random: Random, n: number, size: number): Uint32Array {
  const starts = random.permutation(Math.ceil(n / size));
  if (size === 1) return starts;
  const order = new Uint32Array(n);
  let at = 0;
  for (const start of starts) {
    const end = Math.min(n, (start + 1) * size);
    for (let row = start * size; row < end; row++) order[at++] = row;
  }
  return order;
}

/** The first rows of positive weight, at most `most`. */
export function firstCounting(rows: Batch, most: number): Batch {
  const indices: number[] = [];
  for (let i = 0; i < rows.x.rows && indices.length < most; i++) {
    if ((rows.sampleWeight[i] as number) > 0) indices.push(i);
  }
  return takeBatch(rows, indices, 0, indices.length);
}

/** Passes over scaled rows until no prototype moves by more than tol. `order` fixes the order of the first pass. */
export async function fitPasses(
  context: Context,
  start: ModelState,
  rows: Batch,
  order: Uint32Array,
  run: FitRun,
  evaluation: Batch | undefined,
): Promise<{ state: ModelState; result: FitResult }> {
  const passes = new Passes(run, start, evaluation && ((state) => lossOf(context, state, evaluation)));
  const n = rows.x.rows;
  let state = start;
  let converged = false;
  while (passes.done < run.maxIters && !converged) {
    let turn: Uint32Array = order;
    if (passes.done > 0 && run.shuffle) {
      [turn, state] = draw(state, (random) => drawnOrder(random, n, run.together));
    }
    let shift = 0;
    const spec = specOf(context, state, rows.mask !== undefined);
    if (passes.done > 0 && !context.family.supervised) state = faded(state);
    const weights = new Float64Array(state.ages.length);
    const worst: Worst = new Map();
    let batch: Batch | undefined;
    for (let begin = 0; begin < n; begin += run.batchSize) {
      await breathe(run.signal);
      const end = Math.min(n, begin + run.batchSize);
      // Batches of one size reuse their memory: fresh pages cost as much as copying the rows.
      const used: Batch | undefined = batch?.x.rows === end - begin ? batch : undefined;
      batch = takeBatch(rows, turn, begin, end, used);
      // Later rows may have classes that the first rows lacked.
      const step = await phase1Step(context, await growClasses(context, state, batch), batch);
      state = step.state;
      shift = Math.max(shift, step.shift);
      addWeights(weights, step);
      collectWorst(worst, spec, batch, step.assignment, state.unit ?? 1, (i) => turn[begin + i] as number);
    }
    if (context.options.minWeight > 0) state = prune(state, context.options.minWeight);
    // A reseeded prototype needs another pass to learn from its rows, so the last pass reseeds none.
    const settled = passes.last ? state : reseed(spec, state, rows, weights, worst);
    converged = standsStill(shift, run.tol, state) && settled === state;
    state = settled;
    await passes.ended(state, { shift });
  }
  return passes.result(converged);
}

/** Adds the weight that each prototype gained in a step, unless the number of prototypes has changed. */
export function addWeights(weights: Float64Array, { assignment }: EmaStep): void {
  const { weights: gained } = assignment.sums;
  if (gained.length !== weights.length) return;
  for (let k = 0; k < weights.length; k++) weights[k] = (weights[k] as number) + (gained[k] as number);
}

/** Weighted mean loss of a state on rows. */
export const lossOf = async (context: Context, state: ModelState, rows: Batch): Promise<number> =>
  lossInOwnUnits(context, state, weightedMean(await rowLossesOf(context, state, rows), rows.sampleWeight));

/** The loss of a state on each row, unweighted. */
export async function rowLossesOf(context: Context, state: ModelState, rows: Batch): Promise<Float64Array> {
  const spec = specOf(context, state, rows.mask !== undefined);
  const arrays = arraysOf(context, state);
  const values = uploadParameters(context.programs, arrays);
  try {
    return await rowLosses(context.programs, spec, arrays, values, rows);
  } finally {
    disposeAll(values);
  }
}

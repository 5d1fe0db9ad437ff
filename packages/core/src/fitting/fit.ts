// fit: passes of phase 1 over the rows, with what a single batch cannot know: convergence, idle prototypes, evaluation.

import { type Batch, takeBatch } from '../model/batch.js';
import { draw, type ModelState } from '../model/state.js';
import type { Random } from '../random.js';
import { arraysOf, type Context, specOf } from '../training/context.js';
import { prune } from '../training/ema-step.js';
import { disposeAll, uploadParameters } from '../training/phase1.js';
import { evaluateLoss } from '../training/phase2.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { phase1Step } from './phase1-step.js';
import { collectWorst, reseed, type Worst } from './reseed.js';

export interface FitRun extends RunControl {
  readonly maxIters: number;
  readonly tol: number;
  readonly shuffle: boolean;
  readonly batchSize: number;
  /** Rows that follow one another in every drawn order. */
  readonly together: number;
}

export interface FitResult {
  /** Passes made. */
  readonly nIter: number;
  /** The last pass moved no prototype by more than tol. */
  readonly converged: boolean;
  readonly history: readonly Progress[];
}

/**
 * Share of a cluster's age that counts in the next pass. The rows are the same, and its prototype lies better now: what they
 * said of it before would only hold it back. A stream, whose rows are new, is one pass and forgets nothing.
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

/** Rows of a run, and runs of a batch at least. */
const [mostTogether, leastRuns] = [16, 64];

/** How many rows may follow one another in batches of so many: what a batch learns comes from dozens of places even so. */
export const runLength = (batchSize: number): number =>
  Math.max(1, Math.min(mostTogether, Math.floor(batchSize / leastRuns)));

/** A drawn order of 0 … n − 1 in runs of `size`, which lie together in memory: single rows take several times as long to gather. */
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

/** Passes over scaled rows until nothing moves by more than tol. `order` fixes the first pass. */
export async function fitPasses(
  context: Context,
  start: ModelState,
  rows: Batch,
  order: Uint32Array,
  run: FitRun,
  evaluation: Batch | undefined,
): Promise<{ state: ModelState; result: FitResult }> {
  const history: Progress[] = [];
  const n = rows.x.rows;
  let state = start;
  let [best, bestLoss] = [start, Number.POSITIVE_INFINITY];
  let converged = false;
  for (let pass = 0; pass < run.maxIters && !converged; pass++) {
    let turn: Uint32Array = order;
    if (pass > 0 && run.shuffle) {
      [turn, state] = draw(state, (random) => drawnOrder(random, n, run.together));
    }
    let shift = 0;
    const spec = specOf(context, state, rows.mask !== undefined);
    if (pass > 0 && spec.head.task === 'clusterer') state = faded(state);
    const weights = new Float64Array(state.ages.length);
    const worst: Worst = new Map();
    let batch: Batch | undefined;
    for (let begin = 0; begin < n; begin += run.batchSize) {
      await breathe(run.signal);
      const end = Math.min(n, begin + run.batchSize);
      // Batches of one size share their memory: new pages cost as much as the rows in them.
      const used: Batch | undefined = batch?.x.rows === end - begin ? batch : undefined;
      batch = takeBatch(rows, turn, begin, end, used);
      const step = await phase1Step(context, state, batch);
      state = step.state;
      shift = Math.max(shift, step.shift);
      if (weights.length === step.assignment.sums.weights.length) {
        step.assignment.sums.weights.forEach((w, k) => {
          weights[k] = (weights[k] as number) + w;
        });
      }
      collectWorst(worst, spec, batch, step.assignment, (i) => turn[begin + i] as number);
    }
    if (context.options.minWeight > 0) state = prune(state, context.options.minWeight);
    converged = shift <= run.tol;
    // A new place needs a pass to learn from its rows.
    if (pass + 1 < run.maxIters && !converged) state = reseed(spec, state, rows, weights, worst);
    const evalLoss = evaluation && (await lossOf(context, state, evaluation));
    if (evalLoss !== undefined && evalLoss < bestLoss) [best, bestLoss] = [state, evalLoss];
    const progress: Progress = {
      phase: 'fit',
      done: pass + 1,
      of: run.maxIters,
      shift,
      ...(evalLoss === undefined ? {} : { evalLoss }),
    };
    history.push(progress);
    run.onProgress?.(progress);
  }
  return {
    state: evaluation && history.length > 0 ? best : state,
    result: { nIter: history.length, converged, history },
  };
}

/** Weighted mean loss of a state on rows. */
export async function lossOf(context: Context, state: ModelState, rows: Batch): Promise<number> {
  const spec = specOf(context, state, rows.mask !== undefined);
  const arrays = arraysOf(context, state);
  const values = uploadParameters(context.programs, arrays);
  try {
    return await evaluateLoss(context.programs, spec, arrays, values, rows);
  } finally {
    disposeAll(values);
  }
}

// fit over a source: passes of phase 1 in the order of its batches, of which one at a time is held, and the rows of the
// highest loss, in whose places idle prototypes start again.

import { DataError } from '../errors.js';
import { type FitResult, faded, lossOf } from '../fitting/fit.js';
import { phase1Step } from '../fitting/phase1-step.js';
import { collectWorst, reseed, type Worst } from '../fitting/reseed.js';
import { type Batch, takeBatch } from '../model/batch.js';
import type { ModelState } from '../model/state.js';
import { type Context, scaleBatch, specOf } from '../training/context.js';
import { prune } from '../training/ema-step.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import type { Held } from './held.js';
import { joinRows, withLabels } from './join.js';
import { type Learner, open, startRows } from './learner.js';
import { batchesFrom, checkSource, type Numbered, type Source } from './source.js';

export interface SourceFit<R> extends RunControl {
  readonly maxIters: number;
  readonly tol: number;
  readonly batchSize: number;
  /** What evaluates, given the first rows. Errors: OptionError, ShapeError, DataError. */
  readonly held: (first: R) => Held;
}

/** Rows that may become prototypes, by their number in the pass. */
class Places {
  readonly worst: Worst = new Map();
  private readonly rows: Map<number, Batch> = new Map();

  private labels = 0;

  collect(
    context: Context,
    state: ModelState,
    batch: Batch,
    step: Awaited<ReturnType<typeof phase1Step>>,
    begin: number,
  ): void {
    const spec = specOf(context, state, batch.mask !== undefined);
    // Rows from before new labels came know nothing of them.
    if (batch.y.columns !== this.labels) {
      this.labels = batch.y.columns;
      this.worst.clear();
      this.rows.clear();
    }
    collectWorst(this.worst, spec, batch, step.assignment, (i) => begin + i);
    const kept = new Set([...this.worst.values()].flatMap((list) => list.map(({ row }) => row)));
    for (const row of this.rows.keys()) if (!kept.has(row)) this.rows.delete(row);
    for (const row of kept) if (row >= begin) this.rows.set(row, takeBatch(batch, [row - begin], 0, 1));
  }

  /** State whose idle prototypes lie where the loss is highest. */
  reseed(context: Context, state: ModelState, weights: Float64Array, masked: boolean): ModelState {
    const numbers = [...this.rows.keys()];
    if (numbers.length === 0) return state;
    const at = new Map(numbers.map((row, i) => [row, i]));
    const worst: Worst = new Map(
      [...this.worst].map(([key, list]) => [
        key,
        list.map(({ score, row }) => ({ score, row: at.get(row) as number })),
      ]),
    );
    return reseed(specOf(context, state, masked), state, joinRows([...this.rows.values()]), weights, worst);
  }
}

/** Learns from `before`, or from the start; the caller stores the state that comes back. Errors: as `fitStream`; DataError. */
export async function fitSource<R extends { readonly batch: Batch }>(
  learner: Learner<R>,
  before: ModelState | null,
  source: Source,
  run: SourceFit<R>,
): Promise<{ state: ModelState; result: FitResult; evaluation: Batch | undefined }> {
  const { call } = learner;
  checkSource(source, call);
  const opened = await open(source, Math.max(startRows, run.batchSize), call, run.signal);
  if (!opened) throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`);
  let batches: AsyncGenerator<Numbered> | undefined = opened.all;
  try {
    const first = learner.check(opened.first, before, `${call}, the first batches`);
    const held = run.held(first);
    const ready = await learner.ready(before, { ...first, batch: held.training }, run.signal);
    const { context } = ready;
    let { state } = ready;
    const evaluation = held.evaluation && (await scaleBatch(context, state, held.evaluation));
    const history: Progress[] = [];
    let [best, bestLoss, converged] = [state, Number.POSITIVE_INFINITY, false];
    for (let pass = 0; pass < run.maxIters && !converged; pass++) {
      if (pass > 0 && learner.family.task === 'clusterer') state = faded(state);
      let [shift, row, masked] = [0, 0, false];
      const weights = new Float64Array(state.ages.length);
      const places = new Places();
      for await (const { number, rows } of batches ?? batchesFrom(source, 0, call)) {
        await breathe(run.signal);
        const checked = learner.check(rows, state, `${call}, batch ${number}`);
        const begin = row;
        row += checked.batch.x.rows;
        const training = held.without(checked.batch, begin);
        if (!training) continue;
        const grown = await learner.ready(state, { ...checked, batch: training }, run.signal);
        const step = await phase1Step(context, grown.state, grown.batch);
        ({ state } = step);
        masked ||= grown.batch.mask !== undefined;
        shift = Math.max(shift, step.shift);
        const { weights: seen } = step.assignment.sums;
        if (weights.length === seen.length) {
          seen.forEach((w, k) => {
            weights[k] = (weights[k] as number) + w;
          });
        }
        places.collect(context, state, grown.batch, step, begin);
      }
      batches = undefined;
      if (context.options.minWeight > 0) state = prune(state, context.options.minWeight);
      converged = shift <= run.tol;
      if (pass + 1 < run.maxIters && !converged) state = places.reseed(context, state, weights, masked);
      const evalLoss = evaluation && (await lossOf(context, state, as(evaluation, state, learner)));
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
    if (evaluation) state = best;
    return {
      state,
      result: { nIter: history.length, converged, history },
      evaluation: held.evaluation && as(held.evaluation, state, learner),
    };
  } finally {
    await batches?.return(undefined);
  }
}

/** Only the targets of labels are as wide as there are labels. */
const as = (rows: Batch, state: ModelState, { family }: Pick<Learner<never>, 'family'>): Batch =>
  family.task === 'multiLabel' ? withLabels(rows, state.outputs) : rows;

// fit over a source: passes of phase 1 in the order of the batches. One batch is held at a time, and the rows of highest loss, at
// which idle prototypes start again.

import { addWeights, faded, lossOf } from '../fitting/fit.js';
import { type FitResult, Passes, standsStill } from '../fitting/passes.js';
import { phase1Step } from '../fitting/phase1-step.js';
import { collectWorst, reseed, type Worst } from '../fitting/reseed.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { AnySource } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { type Context, headOf, specOf } from '../training/context.js';
import { prune } from '../training/ema-step.js';
import { joinRows, withLabels } from './join.js';
import type { Learner } from './learner.js';
import { type SourceFit, SourcePasses } from './source-passes.js';

/** Rows that may become prototypes, by their number in the pass. */
class ReseedCandidates {
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
    // Rows from before a new label have no column for it.
    if (batch.y.columns !== this.labels) {
      this.labels = batch.y.columns;
      this.worst.clear();
      this.rows.clear();
    }
    collectWorst(this.worst, spec, batch, step.assignment, state.unit ?? 1, (i) => begin + i);
    const kept = new Set([...this.worst.values()].flatMap((list) => list.map(({ row }) => row)));
    for (const row of this.rows.keys()) if (!kept.has(row)) this.rows.delete(row);
    for (const row of kept) if (row >= begin) this.rows.set(row, takeBatch(batch, [row - begin], 0, 1));
  }

  /** The state with idle prototypes moved to the rows of highest loss. */
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

/**
 * Fits `before`, or a model initialised on the first rows; the caller stores the returned state. Errors: as `fitStream`; DataError.
 */
export async function fitSource<R extends { readonly batch: Batch }>(
  learner: Learner<R>,
  before: ModelState | null,
  source: AnySource,
  run: SourceFit<R>,
): Promise<{ state: ModelState; result: FitResult; evaluation: Batch | undefined }> {
  const rowsOf = await SourcePasses.open(learner, before, source, run);
  const { context, held, evaluation } = rowsOf.begun;
  let { state } = rowsOf.begun;
  try {
    const passes = new Passes(
      run,
      state,
      evaluation && ((state) => lossOf(context, state, as(context, state, evaluation))),
    );
    let converged = false;
    while (passes.done < run.maxIters && !converged) {
      if (passes.done > 0 && !learner.family.supervised) state = faded(state);
      let [shift, masked] = [0, false];
      const weights = new Float64Array(state.ages.length);
      const candidates = new ReseedCandidates();
      for await (const { rows, begin } of rowsOf.pass(() => state)) {
        const grown = await learner.ready(state, rows, run.signal);
        const batch = await grown.batch();
        const step = await phase1Step(context, grown.state, batch);
        ({ state } = step);
        masked ||= batch.mask !== undefined;
        shift = Math.max(shift, step.shift);
        addWeights(weights, step);
        candidates.collect(context, state, batch, step, begin);
      }
      if (context.options.minWeight > 0) state = prune(state, context.options.minWeight);
      const settled = passes.last ? state : candidates.reseed(context, state, weights, masked);
      converged = standsStill(shift, run.tol, state) && settled === state;
      state = settled;
      await passes.ended(state, { shift });
    }
    const ended = passes.result(converged);
    return { ...ended, evaluation: held.evaluation && as(context, ended.state, held.evaluation) };
  } finally {
    await rowsOf.close();
  }
}

/** Only a multi-label model has targets that get wider with new labels. */
const as = (context: Context, state: ModelState, rows: Batch): Batch =>
  withLabels(rows, headOf(context, state).yColumns(state.outputs));

// finetune: epochs of phase 2 with a schedule, evaluation rows, and the best state kept.

import type { NdArray } from '../dtype.js';
import { DataError } from '../errors.js';
import type { Batch, Picked } from '../model/batch.js';
import type { ModelState } from '../model/state.js';
import { Random } from '../random.js';
import type { Context } from '../training/context.js';
import { LossSum } from '../training/losses.js';
import { take } from '../training/program.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { trainerFor } from '../training/sampled-trainer.js';
import { type Schedule, scheduleAt } from './schedule.js';
import type { Trial } from './trial.js';

export interface FinetuneRun extends RunControl {
  readonly epochs: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly batchSize: number;
  /** Epochs without a better evaluation loss after which to stop; undefined: none. */
  readonly earlyStoppingRounds: number | undefined;
}

/** Arrays after training: moved parameters, with moments. */
const merged = (state: ModelState, read: Readonly<Record<string, NdArray>>, step: number): ModelState => ({
  ...state,
  arrays: { ...state.arrays, ...read },
  step,
  trained: state.trained || step > 0,
});

/** The scaled rows of a run, as its steps take them. */
export interface Steps {
  readonly masked: boolean;
  /** Steps of an epoch at most. */
  perEpoch(epoch: number): number;
  /** The batches of one epoch. */
  batches(random: Random, epoch: number): Iterable<Batch | Picked> | AsyncIterable<Batch>;
}

/** Steps over rows that are all there, in another order every epoch; without those that wait while they do. */
export function stepsOver(rows: Batch, most: number, trial?: Pick<Trial, 'epochs' | 'others'>): Steps {
  const n = rows.x.rows;
  const waited = (epoch: number): Uint32Array | undefined =>
    trial && epoch < trial.epochs ? trial.others : undefined;
  const batchSize = Math.min(most, waited(0)?.length ?? n);
  // The last, partial batch is dropped: its rows come in another batch of the next epoch.
  const perEpoch = (epoch: number): number => Math.floor((waited(epoch)?.length ?? n) / batchSize);
  return {
    masked: rows.mask !== undefined,
    perEpoch,
    *batches(random, epoch) {
      const places = waited(epoch);
      const drawn = random.permutation(places?.length ?? n);
      const order = places ? drawn.map((i) => places[i] as number) : drawn;
      for (let b = 0; b < perEpoch(epoch); b++) {
        yield { rows, order: order.subarray(b * batchSize, (b + 1) * batchSize) };
      }
    },
  };
}

/**
 * Trains; without evaluation rows the last state is kept, but for a trial that fails: there the run ends with the best epoch of it.
 */
export async function finetuneEpochs(
  context: Context,
  start: ModelState,
  rows: Steps,
  evaluation: Batch | undefined,
  run: FinetuneRun,
  trial?: Trial,
): Promise<{ state: ModelState; history: readonly Progress[] }> {
  const { options } = context;
  const fresh = withoutMoments(start);
  const trainer = await trainerFor(context, fresh, rows.masked, 0, { mine: true });
  const random = Random.from(start.random);
  const perEpochs = Array.from({ length: run.epochs }, (_, epoch) => rows.perEpoch(epoch));
  const steps = perEpochs.reduce((sum, perEpoch) => sum + perEpoch, 0);
  let done = 0;
  const history: Progress[] = [];
  let [bestEpoch, stoppedEarly] = [0, false];
  try {
    let bestLoss = evaluation ? await trainer.evaluate(evaluation) : Number.POSITIVE_INFINITY;
    let best: ModelState | undefined = evaluation && fresh;
    for (let epoch = 0; epoch < run.epochs && !stoppedEarly; epoch++) {
      const perEpoch = perEpochs[epoch] as number;
      let [rate, b] = [0, 0];
      const losses = new LossSum();
      let total: number;
      try {
        for await (const batch of rows.batches(random, epoch)) {
          if (b++ === perEpoch) break;
          await breathe(run.signal);
          rate = run.learningRate * scheduleAt(run.schedule, done++, steps);
          await losses.add(await trainer.step(batch, rate, random, options.prototypeDropout));
        }
        total = await losses.total();
      } finally {
        losses.dispose();
      }
      // With evaluation rows the best state is kept, however the run went on.
      if (!evaluation) checkLoss('finetune', total, run.learningRate);
      const waiting = trial && epoch < trial.epochs ? trial : undefined;
      const judges = evaluation ?? waiting?.rows;
      const evalLoss = judges && (await trainer.evaluate(judges));
      if (evalLoss !== undefined) waiting?.note(evalLoss);
      const isBest = evalLoss !== undefined && evalLoss < bestLoss;
      if (isBest) {
        [bestLoss, bestEpoch] = [evalLoss, epoch + 1];
        best = merged(fresh, await trainer.read('finetune'), trainer.steps);
      }
      const progress: Progress = {
        phase: 'finetune',
        done: epoch + 1,
        of: run.epochs,
        loss: total / perEpoch,
        learningRate: rate,
        ...(evalLoss === undefined ? {} : { evalLoss, best: isBest }),
      };
      history.push(progress);
      run.onProgress?.(progress);
      if (trial && epoch + 1 === trial.epochs) {
        if (trial.fails) break;
        best = undefined;
      }
      stoppedEarly =
        run.earlyStoppingRounds !== undefined &&
        evaluation !== undefined &&
        epoch + 1 - bestEpoch >= run.earlyStoppingRounds;
    }
    const last = best ?? merged(fresh, await trainer.read('finetune'), trainer.steps);
    return { state: { ...last, random: random.save() }, history };
  } finally {
    trainer.dispose();
  }
}

/** Errors: DataError where the loss left the numbers. */
function checkLoss(call: string, loss: number, learningRate: number): void {
  if (Number.isFinite(loss)) return;
  throw new DataError(
    `${call}: the loss became ${loss} at a learning rate of ${learningRate}; lower it, or scale X and y.`,
    { loss, learningRate },
  );
}

/** A run of its own schedule starts with moments of zero. */
export function withoutMoments(state: ModelState): ModelState {
  const arrays = Object.fromEntries(
    Object.entries(state.arrays).filter(([name]) => !name.startsWith('adam.')),
  );
  return { ...state, arrays, step: 0 };
}

/** One gradient step on a scaled batch, going on from the state's moments; gives the loss before the step. */
export async function gradientStep(
  context: Context,
  before: ModelState,
  batch: Batch,
): Promise<{ state: ModelState; loss: number }> {
  const { options } = context;
  // Halves are rounded anew after every step, which can fail: their masters are not written to.
  const ownership = options.dtype === 'float32' ? context.ownership : undefined;
  const trainer = await trainerFor(context, before, batch.mask !== undefined, before.step, { ownership });
  try {
    const random = Random.from(before.random);
    const value = await trainer.step(batch, options.learningRate, random, options.prototypeDropout);
    const loss = (await take(value)).data[0] as number;
    checkLoss(context.call, loss, options.learningRate);
    const state = merged(before, await trainer.read(context.call), trainer.steps);
    return { state: { ...state, random: random.save(), batches: before.batches + 1 }, loss };
  } finally {
    trainer.dispose();
  }
}

// finetune: epochs of phase 2 with a learning-rate schedule. Early stopping is in early-stopping.ts.

import { DataError } from '../errors.js';
import { Random } from '../random.js';
import type { Batch, Picked } from '../state/batch.js';
import { defaultLearningRate } from '../state/options.js';
import { unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { type Context, lossInOwnUnits } from '../training/context.js';
import { LossSum } from '../training/losses.js';
import { readAndFree } from '../training/program.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { type Stopping, trainedState } from './early-stopping.js';
import { type Schedule, scheduleAt } from './schedule.js';
import { perWeight, withMeanWeight } from './split.js';
import { trainerFor } from './trainer.js';

export interface FinetuneRun extends RunControl {
  readonly epochs: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly batchSize: number;
}

/** The scaled rows of a run in batches; with `waits`, without the waiting rows. */
export interface Steps {
  readonly masked: boolean;
  /** Most steps in an epoch. */
  perEpoch(waits: boolean): number;
  /** The batches of one epoch. */
  batches(random: Random, waits: boolean): Iterable<Batch | Picked> | AsyncIterable<Batch>;
}

/**
 * Steps over rows in memory, in a new order every epoch. `others` are the indices of the rows that do not wait. A row lighter than
 * one row is drawn with its weight as probability, and then counts as one row: otherwise a batch of light rows would be a full
 * step.
 */
export function stepsOver(given: Batch, most: number, others?: Uint32Array): Steps {
  const n = given.x.rows;
  const unit = unitWeight(given.sampleWeight);
  const chances = given.sampleWeight.some((w) => w < unit)
    ? given.sampleWeight.map((w) => Math.min(1, w / unit))
    : undefined;
  const rows = chances
    ? withMeanWeight(
        { ...given, sampleWeight: given.sampleWeight.map((w) => Math.max(w, unit)) },
        given.sampleWeight.reduce((sum, w) => sum + w, 0) / chances.reduce((sum, p) => sum + p, 0),
      )
    : given;
  const countOf = (indices: Uint32Array | undefined): number => {
    if (!chances) return indices?.length ?? n;
    const sum = indices
      ? indices.reduce((total, i) => total + (chances[i] as number), 0)
      : chances.reduce((total, p) => total + p, 0);
    return Math.floor(sum);
  };
  const batchSize = Math.max(1, Math.min(most, countOf(others)));
  // The last, partial batch is dropped; its rows come in other batches of the next epoch.
  const perEpoch = (waits: boolean): number => Math.floor(countOf(waits ? others : undefined) / batchSize);
  return {
    masked: rows.mask !== undefined,
    perEpoch,
    *batches(random, waits) {
      const indices = waits ? others : undefined;
      const drawn = random.permutation(indices?.length ?? n);
      const all = indices ? drawn.map((i) => indices[i] as number) : drawn;
      const order = chances ? drawnByChance(all, chances, random) : all;
      for (let b = 0; b < perEpoch(waits); b++) {
        yield { rows, order: order.subarray(b * batchSize, (b + 1) * batchSize) };
      }
    },
  };
}

/** Rows of an order, each drawn with its own probability; their number differs from the sum by less than one (systematic sampling). */
function drawnByChance(order: Uint32Array, chances: ArrayLike<number>, random: Random): Uint32Array {
  let passed = random.uniform();
  return order.filter((row) => {
    const before = Math.floor(passed);
    passed += chances[row] as number;
    return Math.floor(passed) > before;
  });
}

/**
 * Runs the epochs. `state` is the last state, or the one that early stopping chose. `untold` is the last state that waiting rows
 * did not train: from the epoch when they joined, or the kept one.
 */
export async function finetuneEpochs(
  context: Context,
  start: ModelState,
  rows: Steps,
  run: FinetuneRun,
  stopping?: Stopping,
): Promise<{ state: ModelState; history: readonly Progress[]; untold: ModelState | undefined }> {
  const { options } = context;
  const fresh = withoutMoments(start);
  const trainer = await trainerFor(context, fresh, rows.masked, 0, { mine: true });
  const random = Random.from(start.random);
  const { epochs } = run;
  const told = (loss: number): number => lossInOwnUnits(context, fresh, loss);
  const history: Progress[] = [];
  let judge = stopping;
  let untold: ModelState | undefined;
  try {
    await judge?.begin(fresh, trainer);
    for (let epoch = 0; epoch < epochs; epoch++) {
      const waits = judge?.waits ?? false;
      const perEpoch = rows.perEpoch(waits);
      let [rate, b] = [0, 0];
      const losses = new LossSum();
      let total: number;
      try {
        for await (const batch of rows.batches(random, waits)) {
          if (b === perEpoch) break;
          await breathe(run.signal);
          // The schedule follows the epochs, since epochs get longer when waiting rows join.
          rate = run.learningRate * scheduleAt(run.schedule, epoch * perEpoch + b++, epochs * perEpoch);
          await losses.add(await trainer.step(batch, rate, random, options.prototypeDropout));
        }
        total = await losses.total();
      } finally {
        losses.dispose();
      }
      // With evaluation rows the best state is kept, even if the run diverged later.
      if (!judge || waits) checkLoss('finetune', total, run.learningRate);
      const verdict = await judge?.after(epoch + 1, trainer);
      const progress: Progress = {
        phase: 'finetune',
        done: epoch + 1,
        of: epochs,
        loss: told(total / perEpoch),
        learningRate: rate,
        peakLearningRate: run.learningRate,
        ...(verdict && { evalLoss: told(verdict.evalLoss), best: verdict.best }),
      };
      history.push(progress);
      run.onProgress?.(progress);
      if (verdict?.next === 'stop') break;
      if (verdict?.next === 'join') {
        untold = trainedState(fresh, await trainer.read('finetune'), trainer.steps);
        judge = undefined;
      }
    }
    if (judge?.waits) untold = judge.kept;
    const state = judge?.kept ?? trainedState(fresh, await trainer.read('finetune'), trainer.steps);
    return { state: { ...state, random: random.save() }, history, untold };
  } finally {
    trainer.dispose();
  }
}

/** Errors: DataError if the loss is not finite. */
function checkLoss(call: string, loss: number, learningRate: number): void {
  if (Number.isFinite(loss)) return;
  throw new DataError(
    `${call}: the loss became ${loss} at a learning rate of ${learningRate}; lower it, or scale X and y.`,
    { loss, learningRate },
  );
}

/** Without moments: a run with a schedule of its own starts Adam from zero. */
export function withoutMoments(state: ModelState): ModelState {
  const arrays = Object.fromEntries(
    Object.entries(state.arrays).filter(([name]) => !name.startsWith('adam.')),
  );
  return { ...state, arrays, step: 0 };
}

/** One gradient step on a scaled batch, continuing from the state's moments; returns the loss before the step. */
export async function gradientStep(
  context: Context,
  before: ModelState,
  batch: Batch,
): Promise<{ state: ModelState; loss: number }> {
  const { options } = context;
  const rate = options.learningRate === 'auto' ? defaultLearningRate : options.learningRate;
  // Halves are rounded anew after each step, which can fail, so their masters are never written in place.
  const ownership = options.dtype === 'float32' ? context.ownership : undefined;
  const trainer = await trainerFor(context, before, batch.mask !== undefined, before.step, { ownership });
  try {
    const random = Random.from(before.random);
    const rows = perWeight(options, batch);
    const value = await trainer.step(rows, rate, random, options.prototypeDropout);
    const loss = (await readAndFree(value)).data[0] as number;
    checkLoss(context.call, loss, rate);
    const state = trainedState(before, await trainer.read(context.call), trainer.steps);
    return {
      state: { ...state, random: random.save(), batches: before.batches + 1 },
      loss: lossInOwnUnits(context, before, loss),
    };
  } finally {
    trainer.dispose();
  }
}

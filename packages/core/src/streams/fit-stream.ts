// fitStream: one step for each batch, over passes or an endless stream, with checkpoints that hold the position in the stream.

import { OptionError } from '../errors.js';
import { gradientStep } from '../fitting/finetune.js';
import { faded } from '../fitting/fit.js';
import { phase1Step } from '../fitting/phase1-step.js';
import type { Batch } from '../state/batch.js';
import { type AnySource, batchesFrom, checkSource, type GivenBatch, type Numbered } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { trainable } from '../state/storage.js';
import { prune } from '../training/ema-step.js';
import { breathe } from '../training/progress.js';
import { type Learner, open, startRows } from './learner.js';
import { type Checkpointed, type Position, readRun, trailName, writeRun } from './position.js';
import { Trail } from './trail.js';

/** Progress after one batch of a stream. */
export interface StreamProgress {
  readonly phase: 'fitStream';
  /** Number of completed passes. */
  readonly pass: number;
  /** Batches and rows learned since the run began, including earlier processes. */
  readonly batches: number;
  readonly rows: number;
  /** Largest movement of a prototype in this batch. */
  readonly shift?: number;
  /** Loss of this batch before its gradient step. */
  readonly loss?: number;
  /** Whether the checkpoint file holds this batch. */
  readonly saved: boolean;
}

export interface StreamOptions {
  /** Take one Adam step a batch at the model's `learningRate` in place of the phase-1 update. Default false. */
  readonly gradientStep?: boolean | undefined;
  /** Number of passes over the source; may be Infinity. Default 1. */
  readonly maxIters?: number | undefined;
  /** @deprecated The old name of `maxIters`. */
  readonly passes?: number | undefined;
  /** Number of rows that a model without prototypes is initialised on; batches are held until there are as many. Default 10,240. */
  readonly startRows?: number | undefined;
  readonly checkpoint?: StreamCheckpoint | undefined;
  /** Called after every batch. */
  readonly onProgress?: ((progress: StreamProgress) => void) | undefined;
  /** Stops before the next batch with the signal's reason. What completed batches taught is kept, in the checkpoint too. */
  readonly signal?: AbortSignal | undefined;
}

export interface StreamCheckpoint {
  /** The file, which is replaced atomically. If it exists already, the run continues from it. */
  readonly path: string;
  /** Number of batches between two writes. Default 100. */
  readonly everyBatches?: number | undefined;
  /**
   * Whether a resumed run reads all batches before its position again and compares them with their digests. With false, and a
   * source that can start later, it compares only the last one. Default true.
   */
  readonly verify?: boolean | undefined;
}

/** How far a run has come, including its earlier processes. */
export interface StreamResult {
  /** Number of completed passes. */
  readonly nIter: number;
  /** @deprecated The old name of `nIter`. */
  readonly passes: number;
  readonly batches: number;
  readonly rows: number;
}

const defaultEvery = 100;

/** A learner whose state is the model's own, replaced after every batch. */
export interface StreamLearner<R extends { readonly batch: Batch }> extends Learner<R> {
  state(): ModelState | null;
  /** Stores the learned state. Errors: DataError. */
  keep(state: ModelState): Promise<void>;
  /** Replaces the state by that of a file. */
  replace(state: ModelState | null): void;
}

/**
 * Runs the stream. Errors: OptionError, and errors of the source, of batches and of files; the model keeps what completed batches
 * taught.
 */
export async function fitStream<R extends { readonly batch: Batch }>(
  learner: StreamLearner<R>,
  source: AnySource,
  options: StreamOptions,
): Promise<StreamResult> {
  const { call } = learner;
  checkSource(source, call);
  const { maxIters = 1, checkpoint, onProgress, signal } = options;
  const gradients = options.gradientStep ?? false;
  signal?.throwIfAborted();
  const every = checkpoint?.everyBatches ?? defaultEvery;
  const file: Checkpointed | undefined = checkpoint && {
    ...learner,
    path: checkpoint.path,
    run: { columns: source.columns, gradientStep: gradients },
  };
  const begun = (): Trail | undefined => file && new Trail(trailName(file));
  const resumed = file && (await readRun(file));
  const before = learner.state();
  if (resumed) learner.replace(resumed.state);
  let position: Position = resumed?.position ?? { pass: 0, batch: 0, batches: 0, rows: 0 };
  // A file from before digests existed continues without them until a new pass begins.
  let trail = resumed && resumed.position.batch > 0 ? resumed.trail : (resumed?.trail ?? begun());
  let compared = position.batch === 0;
  let written = position;
  const save = async (): Promise<void> => {
    if (file && written !== position) await writeRun(file, learner.state(), position, trail);
    written = position;
  };

  /** The batches from the run's position on, after those before it were compared with their digests. */
  async function* fromPlace(next: number): AsyncGenerator<Numbered> {
    const all = trail !== undefined && (checkpoint?.verify ?? true);
    const first = all ? 0 : trail ? next - 1 : next;
    const reread = all ? trail?.again() : undefined;
    let last: GivenBatch | undefined;
    const verify = (): void => {
      if (reread) trail?.reached(reread);
      else trail?.isLast(next - 1, last);
      compared = true;
    };
    for await (const it of batchesFrom(source, first, call, signal)) {
      if (it.number >= next) {
        if (!compared) verify();
        yield it;
        continue;
      }
      await breathe(signal);
      last = it.rows;
      if (reread) trail?.commit(trail.step(it.number, it.rows));
    }
    if (!compared) verify();
  }

  /** One iteration over the source from the position on. */
  const pass = async (): Promise<void> => {
    const known = learner.state();
    const { batch: next } = position;
    let batches: AsyncIterable<Numbered> = next > 0 ? fromPlace(next) : batchesFrom(source, 0, call, signal);
    if (!known || !learner.complete(known)) {
      const opened = await open(source, options.startRows ?? startRows, call, signal);
      if (!opened) return;
      batches = opened.all;
      try {
        const rows = learner.check(opened.first, known, `${call}, the first batches`);
        await learner.keep((await learner.ready(known, rows, signal)).state);
      } catch (error) {
        await opened.all.return();
        throw error;
      }
    }
    for await (const { number, rows } of batches) {
      await breathe(signal);
      const known = learner.state();
      const checked = learner.check(rows, known, `${call}, batch ${number}`);
      const step = trail?.step(number, rows);
      const { context, state, batch: scaled } = await learner.ready(known, checked, signal);
      const batch = await scaled();
      const moved = gradients
        ? await gradientStep(context, state, batch)
        : await phase1Step(context, state, batch);
      await learner.keep(moved.state);
      if (step) trail?.commit(step);
      position = {
        pass: position.pass,
        batch: number + 1,
        batches: position.batches + 1,
        rows: position.rows + batch.x.rows,
      };
      const saved = file !== undefined && position.batches % every === 0;
      if (saved) await save();
      const { pass, batches, rows: seen } = position;
      onProgress?.({
        phase: 'fitStream',
        pass,
        batches,
        rows: seen,
        saved,
        ...('loss' in moved ? { loss: moved.loss } : { shift: moved.shift }),
      });
    }
  };

  try {
    while (position.pass < maxIters) {
      const { rows } = position;
      await pass();
      const state = learner.state();
      if (!state || (position.batch === 0 && position.rows === rows)) {
        throw new OptionError(`${call}: the source gave no rows; pass one with a batch at least.`, {
          option: 'source',
        });
      }
      const another = position.pass + 1 < maxIters;
      trail?.ended();
      if (!gradients) await learner.keep(betweenPasses(learner, state, another));
      position = { ...position, pass: position.pass + 1, batch: 0 };
      if (trail) trail.again();
      else trail = begun();
    }
  } catch (error) {
    if (!compared) learner.replace(before);
    // Saves what completed batches taught. An error of this write would hide the original one.
    await save().catch(() => undefined);
    throw error;
  }
  await save();
  return { nIter: position.pass, passes: position.pass, batches: position.batches, rows: position.rows };
}

/**
 * Between passes, as in `fit`: idle prototypes are pruned if the options say so, and ages of clusters shrink, since the next pass
 * sees the same rows.
 */
function betweenPasses(
  { options, family }: Pick<StreamLearner<never>, 'options' | 'family'>,
  state: ModelState,
  another: boolean,
): ModelState {
  const learned = trainable(state);
  const pruned = options.minWeight > 0 ? prune(learned, options.minWeight) : learned;
  return another && !family.supervised ? faded(pruned) : pruned;
}

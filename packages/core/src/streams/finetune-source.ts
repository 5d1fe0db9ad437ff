// finetune over a source: minibatches are drawn from a pool of some thousand rows that is refilled from the source. Rows meet
// others in every epoch, and only the pool is held.

import { DataError, OptionError } from '../errors.js';
import { checkStopping, stoppingBy, waitingCount } from '../fitting/early-stopping.js';
import { type FinetuneRun, finetuneEpochs } from '../fitting/finetune.js';
import type { Judges } from '../fitting/sharpness.js';
import { meanWeight, masked as withMask, withMeanWeight } from '../fitting/split.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { type AnySource, batchesFrom, checkSource, rowsOf } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { type Context, scaleBatch } from '../training/context.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { Held } from './held.js';
import { joinRows } from './join.js';
import { type Learner, open, startRows } from './learner.js';
import { checkAgain } from './source-passes.js';

export interface SourceFinetune<R> extends Pick<RunControl, 'signal'> {
  /** Chooses the evaluation rows, given the first rows. Errors: OptionError, ShapeError, DataError. */
  readonly held: (first: R) => Held;
  /** Epochs without a better evaluation loss after which to stop; undefined for no limit. */
  readonly earlyStoppingRounds: number | undefined;
  /** Draws the waiting rows; undefined if no rows may wait. */
  readonly waiting: Random | undefined;
  /** The settings of the run, given the first rows in the model's space. */
  readonly run: (context: Context, state: ModelState, rows: () => Promise<Batch>) => Promise<FinetuneRun>;
}

interface SourceFinetuned {
  readonly state: ModelState;
  readonly history: readonly Progress[];
  readonly evaluation: Batch | undefined;
  /** The waiting rows, and the last state that they did not train. */
  readonly judges: Judges | undefined;
}

/**
 * Refines `before`, or a model initialised on the first rows if it is null; the caller stores the returned state. Errors: as
 * `finetune`.
 */
export async function finetuneSource<R extends { readonly batch: Batch }>(
  learner: Learner<R>,
  before: ModelState | null,
  source: AnySource,
  { signal, earlyStoppingRounds, ...asked }: SourceFinetune<R>,
): Promise<SourceFinetuned> {
  const { call } = learner;
  checkSource(source, call);
  const opened = await open(source, startRows, call, signal);
  await opened?.all.return();
  if (!opened) throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`);
  const first = learner.check(opened.first, before, `${call}, the first batches`);
  const held = asked.held(first);
  checkStopping(earlyStoppingRounds, held.evaluation);
  const ready = await learner.ready(before, { ...first, batch: held.training }, signal);
  const { context, state } = ready;
  const mean = meanWeight(held.training);
  // A mask of ones in the first batches means that later ones may hide values.
  const masked = opened.first.featureMask !== undefined || first.batch.mask !== undefined;
  const shown = (batch: Batch): Batch => (masked ? withMask(batch) : batch);
  const scaled = async (rows: Batch): Promise<Batch> =>
    scaleBatch(context, state, shown(withMeanWeight(rows, mean)));
  const run = await asked.run(context, state, async () => withMeanWeight(await ready.batch(), mean));
  const count = asked.waiting ? waitingCount(context, state, first.batch.x.rows, run.epochs) : 0;
  // Rows wait only if there are no evaluation rows.
  const out = asked.waiting && count > 0 ? Held.counted(first.batch, count, asked.waiting) : held;
  const stoppers = {
    evaluation: held.evaluation && (await scaled(held.evaluation)),
    rounds: earlyStoppingRounds,
  };
  const waiting = out === held ? undefined : out.evaluation;
  const stopping = await stoppingBy(context, state, run.epochs, stoppers, waiting && (await scaled(waiting)));
  const all = source.rowCount ?? (await countRows(source, call, signal));
  const rows = (waits: boolean): number => all - (waits ? out : held).count;
  const batchSize = Math.max(1, Math.min(run.batchSize, rows(true)));

  /** The training rows of one epoch, in the model's space. */
  async function* training(waits: boolean): AsyncGenerator<Batch> {
    let begin = 0;
    for await (const { number, rows: raw } of batchesFrom(source, 0, call, signal)) {
      const { batch } = learner.check(raw, state, `${call}, batch ${number}`, true);
      if (batch.mask && !masked) {
        throw new OptionError(
          `${call}, batch ${number}: there is a featureMask, and the first batches have none; give every batch one.`,
          { option: 'featureMask', batch: number },
        );
      }
      const kept = (waits ? out : held).without(batch, begin);
      begin += batch.x.rows;
      if (kept) yield await scaled(kept);
    }
    checkAgain(all, begin, call);
  }

  const steps = {
    masked,
    perEpoch: (waits: boolean) => Math.floor(rows(waits) / batchSize),
    batches: (random: Random, waits: boolean) => minibatches(training(waits), batchSize, random, signal),
  };
  const { state: learned, history, untold } = await finetuneEpochs(context, state, steps, run, stopping);
  const judges = waiting && untold && { state: untold, rows: waiting };
  return { state: learned, history, evaluation: held.evaluation, judges };
}

async function countRows(source: AnySource, call: string, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  for await (const { rows } of batchesFrom(source, 0, call, signal)) {
    await breathe(signal);
    count += rowsOf(rows);
  }
  return count;
}

/** Batches of `size` rows drawn from pools. Rows that are left over go into the next pool; those of the last pool are dropped. */
async function* minibatches(
  rows: AsyncIterable<Batch>,
  size: number,
  random: Random,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch> {
  let pool: Batch[] = [];
  let pooled = 0;
  function* drawn(): Generator<Batch> {
    const all = joinRows(pool);
    const n = all.x.rows;
    const order = random.permutation(n);
    let begin = 0;
    for (; begin + size <= n; begin += size) yield takeBatch(all, order, begin, begin + size);
    pooled = n - begin;
    pool = pooled > 0 ? [takeBatch(all, order, begin, n)] : [];
  }
  for await (const batch of rows) {
    await breathe(signal);
    pool.push(batch);
    pooled += batch.x.rows;
    if (pooled >= Math.max(startRows, size)) yield* drawn();
  }
  if (pooled >= size) yield* drawn();
}

// The learning-rate finder (Smith 2017): an exponential sweep on copies, which leaves the model as it was.

import { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import { type Context, lossInOwnUnits } from '../training/context.js';
import { readAndFree } from '../training/program.js';
import { breathe, type RunControl } from '../training/progress.js';
import { trainerFor } from './trainer.js';

export interface LearningRateCurve {
  /** The rate at which the loss falls fastest. */
  readonly learningRate: number;
  /** Losses, smoothed over batches. */
  readonly curve: readonly { readonly learningRate: number; readonly loss: number }[];
}

const [lowest, highest, steps] = [1e-7, 10, 100];
/** Weight of the past in the smoothed loss, and the multiple of the best loss at which the sweep ends. */
const [smoothing, blowUp] = [0.8, 4];

/** Sweeps 1e-7 … 10 in 100 steps; stops at 4 times the best loss or at NaN. */
export async function findLearningRate(
  context: Context,
  state: ModelState,
  rows: Batch,
  batchSize: number,
  control: RunControl,
): Promise<LearningRateCurve> {
  const trainer = await trainerFor(context, state, rows.mask !== undefined, state.step);
  const random = Random.from(state.random);
  const n = rows.x.rows;
  const size = Math.min(batchSize, n);
  const curve: { learningRate: number; loss: number }[] = [];
  const told = (loss: number): number => lossInOwnUnits(context, state, loss);
  let order = random.permutation(n);
  let [at, best, running, weight] = [0, Number.POSITIVE_INFINITY, 0, 0];
  try {
    for (let i = 0; i < steps; i++) {
      await breathe(control.signal);
      if (at + size > n) [order, at] = [random.permutation(n), 0];
      const learningRate = lowest * (highest / lowest) ** (i / (steps - 1));
      const batch = takeBatch(rows, order, at, at + size);
      const raw = (await readAndFree(await trainer.step(batch, learningRate, random, 0))).data[0] as number;
      at += size;
      // Losses differ more between batches than between steps at low rates, so the curve is smoothed.
      running = smoothing * running + (1 - smoothing) * raw;
      weight = smoothing * weight + (1 - smoothing);
      const loss = running / weight;
      if (!Number.isFinite(loss) || loss > blowUp * best) break;
      best = Math.min(best, loss);
      const point = { learningRate, loss: told(loss) };
      curve.push(point);
      control.onProgress?.({ phase: 'findLearningRate', done: i + 1, of: steps, ...point });
    }
  } finally {
    trainer.dispose();
  }
  return { learningRate: steepestFall(curve), curve };
}

/** Points before the smoothed loss is trusted, and points over which a slope is taken. */
const [settling, span] = [10, 6];

/** The rate at which the smoothed loss falls fastest, as a function of the rate's logarithm. */
function steepestFall(curve: LearningRateCurve['curve']): number {
  let [steepest, at] = [0, Math.min(settling, curve.length - 1)];
  for (let i = settling; i + span < curve.length; i++) {
    const fall = (curve[i]?.loss as number) - (curve[i + span]?.loss as number);
    if (fall > steepest) [steepest, at] = [fall, i + span / 2];
  }
  return curve[at]?.learningRate ?? lowest;
}

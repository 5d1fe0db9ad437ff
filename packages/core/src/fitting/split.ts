// Splits rows into training and evaluation rows.

import { everywhere } from '../data/matrix.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';

export interface Split {
  readonly training: Batch;
  readonly evaluation: Batch | undefined;
}

/** Indices of the drawn rows, and of all others. */
export interface Drawn {
  readonly indices: Uint32Array;
  readonly others: Uint32Array;
}

/** Draws `count` rows; undefined if either part would have no weight, since its mean would be undefined. */
export function drawRows({ sampleWeight }: Batch, count: number, random: Random): Drawn | undefined {
  if (count <= 0) return undefined;
  const order = random.permutation(sampleWeight.length);
  const sides = [order.subarray(0, count), order.subarray(count)] as const;
  if (!sides.every((side) => side.some((i) => (sampleWeight[i] as number) > 0))) return undefined;
  const [indices, others] = sides;
  return { indices, others };
}

/** Draws a share of the rows, at least `least`. */
export function drawShare(
  rows: Batch,
  fraction: number,
  least: number,
  random: Random,
): (Drawn & Readonly<Record<keyof Split, Batch>>) | undefined {
  const n = rows.x.rows;
  const drawn = drawRows(rows, Math.min(n - 1, Math.max(least, Math.floor(n * fraction))), random);
  if (!drawn) return undefined;
  const taken = (side: Uint32Array): Batch => takeBatch(rows, side, 0, side.length);
  return { ...drawn, training: taken(drawn.others), evaluation: taken(drawn.indices) };
}

/**
 * The caller's own evaluation rows, checked against the training rows. `shown`: the training rows came with a mask. Errors:
 * ShapeError, OptionError.
 */
export function givenSplit(training: Batch, evaluation: Batch, shown: boolean, call: string): Split {
  for (const name of ['x', 'y'] as const) {
    const [got, expected] = [evaluation[name].columns, training[name].columns];
    if (got === expected) continue;
    const argument = name === 'x' ? 'X' : 'y';
    throw new ShapeError(`${call}: evalSet.${argument} has ${got} columns, ${argument} has ${expected}.`, {
      argument: `evalSet.${argument}`,
      columns: got,
      expected,
    });
  }
  if (!training.mask && !evaluation.mask) return { training, evaluation };
  if (!training.mask && !shown) {
    throw new OptionError(`${call}: evalSet has a featureMask, X has none; pass one for both.`, {
      option: 'evalSet',
    });
  }
  return { training: masked(training), evaluation: masked(evaluation) };
}

/** The batch with a mask; one of ones if it had none. */
export const masked = (batch: Batch): Batch =>
  batch.mask ? batch : { ...batch, mask: everywhere(batch.x.columns) };

export function meanWeight({ sampleWeight }: Batch): number {
  let total = 0;
  for (const w of sampleWeight) total += w;
  return total / sampleWeight.length;
}

/**
 * The batch with weights scaled so that a mean over rows becomes Σ w·loss / Σ w; unchanged with arithmetic 'original', which
 * divides by rows.
 */
export const perWeight = ({ arithmetic }: Pick<Resolved, 'arithmetic'>, batch: Batch): Batch =>
  arithmetic === 'original' ? batch : withMeanWeight(batch);

/** Weights divided by their mean, or by a given mean: Adam's ε would swallow the gradients of tiny weights. */
export function withMeanWeight(batch: Batch, mean: number = meanWeight(batch)): Batch {
  return mean === 1 ? batch : { ...batch, sampleWeight: batch.sampleWeight.map((w) => w / mean) };
}

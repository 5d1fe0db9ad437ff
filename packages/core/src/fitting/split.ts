// Rows to train on and rows to evaluate on.

import { OptionError, ShapeError } from '../errors.js';
import { type Batch, takeBatch } from '../model/batch.js';
import type { Random } from '../random.js';

export interface Split {
  readonly training: Batch;
  readonly evaluation: Batch | undefined;
}

/** A drawn share of the rows evaluates, `least` at least; no share where one side would have no weight. */
export function splitRows(rows: Batch, fraction: number, least: number, random: Random): Split {
  const n = rows.x.rows;
  const held = Math.min(n - 1, Math.max(least, Math.floor(n * fraction)));
  if (held <= 0) return { training: rows, evaluation: undefined };
  const order = random.permutation(n);
  const [evaluation, training] = [takeBatch(rows, order, 0, held), takeBatch(rows, order, held, n)];
  // Weights of zero everywhere have no mean, neither of the loss nor of the target.
  const counts = ({ sampleWeight }: Batch): boolean => sampleWeight.some((w) => w > 0);
  return counts(evaluation) && counts(training)
    ? { training, evaluation }
    : { training: rows, evaluation: undefined };
}

/** The caller's own evaluation rows, which have to resemble the training rows. Errors: ShapeError, OptionError. */
export function givenSplit(training: Batch, evaluation: Batch, call: string): Split {
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
  if (evaluation.mask && !training.mask) {
    throw new OptionError(`${call}: evalSet has a featureMask, X has none; pass one for both.`, {
      option: 'evalSet',
    });
  }
  const { columns } = evaluation.x;
  const every = { data: new Float32Array(columns).fill(1), rows: 1, columns };
  const mask = training.mask && (evaluation.mask ?? every);
  return { training, evaluation: { ...evaluation, mask } };
}

export function meanWeight({ sampleWeight }: Batch): number {
  let total = 0;
  for (const w of sampleWeight) total += w;
  return total / sampleWeight.length;
}

/** Weights over their mean, or over that of other rows: Adam's ε would swallow the gradients of tiny ones. */
export function withMeanWeight(batch: Batch, mean: number = meanWeight(batch)): Batch {
  return mean === 1 ? batch : { ...batch, sampleWeight: batch.sampleWeight.map((w) => w / mean) };
}

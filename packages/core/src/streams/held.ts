// Evaluation rows of a source: the caller's, or a share drawn from the first rows, which every pass then skips.

import { drawRows, drawShare } from '../fitting/split.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';

/** Held-out rows, identified by their position in an iteration, which is the same in every one. */
export class Held {
  private readonly rows: ReadonlySet<number>;
  readonly evaluation: Batch | undefined;
  /** The first rows without the held-out ones. */
  readonly training: Batch;

  private constructor(rows: ReadonlySet<number>, training: Batch, evaluation: Batch | undefined) {
    this.rows = rows;
    this.training = training;
    this.evaluation = evaluation;
  }

  get count(): number {
    return this.rows.size;
  }

  static none(first: Batch, evaluation: Batch | undefined): Held {
    return new Held(new Set(), first, evaluation);
  }

  /** Draws a share of the first rows, at least `least`; none if either part would have no weight. */
  static drawn(first: Batch, fraction: number, least: number, random: Random): Held {
    const share = drawShare(first, fraction, least, random);
    return share
      ? new Held(new Set(share.indices), share.training, share.evaluation)
      : Held.none(first, undefined);
  }

  /** Draws `count` of the first rows; none if either part would have no weight. */
  static counted(first: Batch, count: number, random: Random): Held {
    const drawn = drawRows(first, count, random);
    if (!drawn) return Held.none(first, undefined);
    const side = (indices: Uint32Array): Batch => takeBatch(first, indices, 0, indices.length);
    return new Held(new Set(drawn.indices), side(drawn.others), side(drawn.indices));
  }

  /** The training rows of a batch whose first row is row `begin` of the iteration; null if there are none. */
  without(batch: Batch, begin: number): Batch | null {
    if (this.rows.size === 0) return batch;
    const order = Array.from({ length: batch.x.rows }, (_, i) => i).filter((i) => !this.rows.has(begin + i));
    if (order.length === batch.x.rows) return batch;
    return order.length === 0 ? null : takeBatch(batch, order, 0, order.length);
  }
}

// Rows on their way through training: in the caller's units, or scaled.

import { type Rows, takeRows } from '../data/matrix.js';
import { type Features, takeFeatures } from '../data/sparse.js';

export interface Batch {
  readonly x: Features;
  /** As the head takes it: numbers [N, T], labels as 0 or 1 [N, C], an index of a class [N, 1], or no column at all. */
  readonly y: Features;
  readonly sampleWeight: Float32Array;
  /** One row, or one a row of x. */
  readonly mask?: Rows | undefined;
}

/** A batch of dense rows. */
export type DenseBatch = Batch & { readonly x: Rows; readonly y: Rows };

/** Rows of a batch that are still to be taken. */
export interface Picked {
  readonly rows: Batch;
  readonly order: Uint32Array;
}

export const isPicked = (batch: Batch | Picked): batch is Picked => 'order' in batch;

/** Rows of a batch in the given order; written over `into`, a batch of as many rows that is no longer used, where given. */
export function takeBatch(
  batch: Batch,
  order: ArrayLike<number>,
  begin: number,
  end: number,
  into?: Batch,
): Batch {
  const sampleWeight = into?.sampleWeight ?? new Float32Array(end - begin);
  for (let i = begin; i < end; i++)
    sampleWeight[i - begin] = batch.sampleWeight[order[i] as number] as number;
  return {
    x: takeFeatures(batch.x, order, begin, end, into?.x),
    y: takeFeatures(batch.y, order, begin, end, into?.y),
    sampleWeight,
    mask:
      batch.mask?.rows === 1
        ? batch.mask
        : batch.mask && takeRows(batch.mask, order, begin, end, into?.mask?.data),
  };
}

/** The rows that are picked; as `takeBatch`. */
export const takePicked = ({ rows, order }: Picked, into?: Batch): Batch =>
  takeBatch(rows, order, 0, order.length, into);

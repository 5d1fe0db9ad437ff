// A batch of rows during training, in the caller's units or scaled.

import { type Rows, takeRows } from '../data/matrix.js';
import { type Features, takeFeatures } from '../data/sparse.js';

export interface Batch {
  readonly x: Features;
  /** y as the head reads it: numbers [N, T], labels as 0 or 1 [N, C], the index of a class [N, 1], or [N, 0]. */
  readonly y: Features;
  readonly sampleWeight: Float32Array;
  /** [N, D], or [1, D] for all rows: 1 present, 0 missing. */
  readonly mask?: Rows | undefined;
}

/** A batch of dense rows. */
export type DenseBatch = Batch & { readonly x: Rows; readonly y: Rows };

/** Rows of a batch by their indices, not copied yet. */
export interface Picked {
  readonly rows: Batch;
  readonly order: Uint32Array;
}

export const isPicked = (batch: Batch | Picked): batch is Picked => 'order' in batch;

/** The rows of a batch in the given order. `into`, a batch of the same size that is no longer used, lends its memory. */
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

/** Copies the picked rows; `into` as in `takeBatch`. */
export const takePicked = ({ rows, order }: Picked, into?: Batch): Batch =>
  takeBatch(rows, order, 0, order.length, into);

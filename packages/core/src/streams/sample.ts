// A bounded sample of a source's rows, and sources whose batches are changed on their way: what scalers need of sources.

import type { Vector } from '../data/matrix.js';
import { DataError } from '../errors.js';
import { Random } from '../random.js';
import { batchesFrom, type FlatMatrix, type Source, type SourceBatch } from './source.js';

/** Rows of a sample: means are right to a 256th of a deviation. */
const sampleRows = 65_536;

/** All rows of a source up to `most`, else so many of them, each as likely as any other (Vitter's algorithm R). Errors: DataError. */
export async function sampleOf(
  source: Source,
  call: string,
  most: number = sampleRows,
): Promise<Pick<SourceBatch, 'X' | 'featureMask'> & { readonly featureMask?: FlatMatrix }> {
  const D = source.columns.length;
  const random = new Random(0);
  let [seen, data] = [0, new Float32Array(0)];
  let mask: Float32Array | undefined;
  const grown = (array: Float32Array, length: number): Float32Array<ArrayBuffer> => {
    const wider = new Float32Array(length);
    wider.set(array);
    return wider;
  };
  for await (const { rows } of batchesFrom(source, 0, call, undefined)) {
    const { X, featureMask } = rows;
    const room = Math.min(most, seen + X.shape[0]) * D;
    if (data.length < room) {
      const had = data.length;
      data = grown(data, room);
      if (mask) mask = grown(mask, room).fill(1, had);
    }
    if (featureMask && !mask) mask = new Float32Array(data.length).fill(1);
    for (let i = 0; i < X.shape[0]; i++, seen++) {
      const at = seen < most ? seen : random.below(seen + 1);
      if (at >= most) continue;
      data.set(X.data.subarray(i * D, (i + 1) * D), at * D);
      if (mask) mask.set(maskRow(featureMask, i, D), at * D);
    }
  }
  if (seen === 0) throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`);
  const shape = [Math.min(seen, most), D] as const;
  return { X: { data, shape }, ...(mask ? { featureMask: { data: mask, shape } } : {}) };
}

function maskRow(mask: SourceBatch['featureMask'], row: number, D: number): Vector {
  if (mask === undefined) return new Float32Array(D).fill(1);
  return 'shape' in mask ? mask.data.subarray(row * D, (row + 1) * D) : mask;
}

/** The same columns of a mask [B, D] or [D]. */
export function takeColumns(mask: FlatMatrix | Vector, kept: Int32Array): FlatMatrix | Vector {
  if (!('shape' in mask)) return Float32Array.from(kept, (column) => mask[column] as number);
  const [rows, columns] = mask.shape;
  const data = new Float32Array(rows * kept.length);
  for (let i = 0; i < rows; i++)
    for (const [j, column] of kept.entries())
      data[i * kept.length + j] = mask.data[i * columns + column] as number;
  return { data, shape: [rows, kept.length] };
}

/** A source whose batches are changed, with as many rows, in the same order. */
export function mapped(
  source: Source,
  columns: readonly string[],
  change: (batch: SourceBatch) => SourceBatch,
): Source {
  async function* changed(batches: AsyncIterable<SourceBatch>): AsyncGenerator<SourceBatch> {
    for await (const batch of batches) yield change(batch);
  }
  const { from, shards } = source;
  return {
    columns,
    rowCount: source.rowCount,
    [Symbol.asyncIterator]: () => changed(source),
    ...(from ? { from: (batch) => changed(from.call(source, batch)) } : {}),
    ...(shards
      ? {
          shards: async (count) =>
            (await shards.call(source, count)).map((shard) => mapped(shard, columns, change)),
        }
      : {}),
  };
}

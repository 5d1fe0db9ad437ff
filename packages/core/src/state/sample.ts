// Fitting scalers to a source: a bounded sample of its rows, and sources whose batches are transformed.

import { toWeights, type Vector } from '../data/matrix.js';
import { DataError } from '../errors.js';
import { Random } from '../random.js';
import {
  type AnySource,
  batchesFrom,
  type FlatMatrix,
  type GivenBatch,
  matrixBatch,
  type SourceBatch,
} from './source.js';

/** Rows of a sample: the standard error of a mean is then 1/256 of a standard deviation. */
const sampleRows = 65_536;

/**
 * All rows of a source if there are at most `most`, else that many drawn by weight, reweighted to represent all. Holds up to twice as many.
 * Errors: DataError. Source: priority sampling (Duffield, Lund & Thorup 2007).
 */
export async function sampleOf(
  source: AnySource,
  call: string,
  most: number = sampleRows,
): Promise<Pick<SourceBatch, 'X' | 'sampleWeight' | 'featureMask'> & { readonly featureMask?: FlatMatrix }> {
  const D = source.columns.length;
  const random = new Random(0);
  let kept: Kept[] = [];
  let [threshold, masked, weighted] = [0, false, false];
  for await (const { rows } of batchesFrom(source, 0, call, undefined)) {
    const { X, featureMask, sampleWeight } = matrixBatch(rows, call);
    const weights = toWeights(sampleWeight, X.shape[0], call);
    masked ||= featureMask !== undefined;
    weighted ||= weights !== undefined;
    for (let i = 0; i < X.shape[0]; i++) {
      const weight = weights?.[i] ?? 1;
      const priority = weight / (1 - random.uniform());
      if (weight === 0 || priority < threshold) continue;
      const mask = featureMask && Float32Array.from(maskRow(featureMask, i, D));
      kept.push({ x: X.data.slice(i * D, (i + 1) * D), mask, weight, priority });
      if (kept.length >= 2 * most) [kept, threshold] = heaviest(kept, most);
    }
  }
  if (kept.length > most) [kept, threshold] = heaviest(kept, most);
  if (kept.length === 0)
    throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`);
  const shape = [kept.length, D] as const;
  const joined = (part: (row: Kept) => ArrayLike<number> | undefined): FlatMatrix => {
    const data = new Float32Array(kept.length * D).fill(1);
    kept.forEach((row, i) => {
      data.set(part(row) ?? [], i * D);
    });
    return { data, shape };
  };
  return {
    X: joined(({ x }) => x),
    ...(weighted ? { sampleWeight: Float32Array.from(kept, (row) => Math.max(row.weight, threshold)) } : {}),
    ...(masked ? { featureMask: joined(({ mask }) => mask) } : {}),
  };
}

/** A sampled row. */
interface Kept {
  readonly x: Float32Array;
  readonly mask: Vector | undefined;
  readonly weight: number;
  readonly priority: number;
}

/** The `most` rows of highest priority, in their original order, and the highest priority among the others. */
function heaviest(rows: readonly Kept[], most: number): [Kept[], number] {
  const priorities = Float64Array.from(rows, ({ priority }) => priority).sort();
  const threshold = priorities[rows.length - most - 1] as number;
  return [rows.filter(({ priority }) => priority > threshold), threshold];
}

function maskRow(mask: FlatMatrix | Vector, row: number, D: number): Vector {
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

/** A source whose batches are transformed, each to as many rows in the same order. */
export function mapped(
  source: AnySource,
  columns: readonly string[],
  call: string,
  change: (batch: SourceBatch) => SourceBatch,
): AnySource {
  async function* changed(batches: AsyncIterable<GivenBatch>): AsyncGenerator<SourceBatch> {
    for await (const batch of batches) yield change(matrixBatch(batch, call));
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
            (await shards.call(source, count)).map((shard) => mapped(shard, columns, call, change)),
        }
      : {}),
  };
}

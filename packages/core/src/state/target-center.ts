// An offset of the targets that float32 cannot resolve: y = sin x + 1e8 rounds to a constant column. The offset is subtracted in float64
// before rounding, and added to answers in float64.

import { checkFinite, type Place, type Rows, type WideRows } from '../data/matrix.js';

/** Deviations that a mean may lie from 0 without an offset: float32 rounding there is less than 2^−14 of a deviation. */
const farthest = 2 ** 10;

/**
 * The offset of targets [T]: the weighted mean of a column if it lies more than 2^10 deviations from 0, or if the column is a constant that
 * float32 cannot represent; else 0. Null if all are 0.
 */
export function targetCenter(
  { data, rows, columns }: WideRows,
  sampleWeight?: ArrayLike<number>,
): Float64Array | null {
  const weight = (row: number): number => sampleWeight?.[row] ?? 1;
  const center = new Float64Array(columns);
  for (let t = 0; t < columns; t++) {
    let first: number | undefined;
    let [total, sum, squares] = [0, 0, 0];
    for (let row = 0; row < rows; row++) {
      const w = weight(row);
      if (w === 0) continue;
      // Relative to the first value, so that the mean of equal values is exactly that value.
      first ??= data[row * columns + t] as number;
      const apart = (data[row * columns + t] as number) - first;
      total += w;
      sum += w * apart;
      squares += w * apart * apart;
    }
    const mean = (first ?? 0) + sum / total;
    const deviation = Math.sqrt(Math.max(0, squares / total - (sum / total) ** 2));
    const constant = deviation === 0 && Math.fround(mean) !== mean;
    if (constant || (deviation > 0 && Math.abs(mean) > farthest * deviation)) center[t] = mean;
  }
  return center.some((value) => value !== 0) ? center : null;
}

/** Targets minus the offset, in float32. Errors: DataError for values outside the range of float32. */
export function centeredTargets(y: WideRows, center: Float64Array | null, place: Place): Rows {
  const { rows, columns } = y;
  const data =
    center === null
      ? y.data instanceof Float32Array
        ? y.data
        : Float32Array.from(y.data)
      : Float32Array.from(y.data, (value, i) => value - (center[i % columns] as number));
  checkFinite({ data, rows, columns }, place, undefined, y);
  return { data, rows, columns };
}

/** Answers plus the offset in float64; unchanged if there is none. */
export const withCenter = (data: Float32Array, center: Float64Array | null): Float32Array | Float64Array =>
  center ? Float64Array.from(data, (value, i) => value + (center[i % center.length] as number)) : data;

// Where targets lie, as far as float32 cannot tell: y = sin x + 1e8 is a column of 1e8 once it is rounded. What is taken off in
// float64 before it is, and added again in float64 to what is answered.

import { checkFinite, type Place, type Rows, type WideRows } from '../data/matrix.js';

/** Deviations that a mean may lie from 0: rounding there is less than 2^−14 of a deviation. */
const farthest = 2 ** 10;

/**
 * What to take off targets [T]: the weighted mean of a column where it lies more than 2^10 deviations from 0, or where float32
 * has no such constant; 0 elsewhere, and null where nothing is to be taken off.
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
      // From the first value on, so that the mean of equal values is that value to the bit.
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

/** Targets less the center, in float32. Errors: DataError for what float32 has no number for. */
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

/** What is answered in float32, with the center in float64; as it is where there is none. */
export const withCenter = (data: Float32Array, center: Float64Array | null): Float32Array | Float64Array =>
  center ? Float64Array.from(data, (value, i) => value + (center[i % center.length] as number)) : data;

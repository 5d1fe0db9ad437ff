// The common unit of unscaled rows: squares of 1e-24 vanish in float32, and those of 1e20 overflow. Rows are multiplied by a power
// of two, which rounds nothing, to be near 1. The unit is part of the scaler; users read results in their own units.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse, visitRow } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, shown } from '../errors.js';
import { comparesDirections, type Distance, distances } from '../formulas/distances.js';

type Arrays = Readonly<Record<string, NdArray>>;

export const unitName = 'scaler.unit';

/** Rows whose largest value is in this range keep their units: squares keep their digits. */
const least = 2 ** -10;
const most = 2 ** 40;

const storedOf = (x: Features): Float32Array => (isSparse(x) ? x.values : x.data);

/**
 * The largest |value|, in a plain loop, since every number of a fit passes through it. NaN, which a mask may hide, gives Infinity.
 */
function largestOf(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const size = value < 0 ? -value : value;
    if (!(size <= largest)) largest = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
  }
  return largest;
}

/** Visits every unmasked value. */
function visit(
  x: Features,
  mask: Rows | undefined,
  see: (row: number, column: number, value: number) => void,
) {
  for (let row = 0; row < x.rows; row++) {
    const from = mask?.rows === 1 ? 0 : row * x.columns;
    visitRow(x, row, (column, value) => {
      if (!mask || (mask.data[from + column] as number) > 0) see(row, column, value);
    });
  }
}

/** `scaler.unit` [1] of the first rows; no array if they need none. */
export function commonUnit(x: Features, mask?: Rows): Record<string, NdArray> {
  let largest = 0;
  if (mask) {
    visit(x, mask, (_row, _column, value) => {
      largest = Math.max(largest, Math.abs(value));
    });
  } else largest = largestOf(storedOf(x));
  if (largest === 0 || (largest >= least && largest <= most)) return {};
  const exponent = Math.max(-126, Math.min(127, -Math.ceil(Math.log2(largest))));
  return { [unitName]: ndarray([2 ** exponent], [1]) };
}

export const unitOf = (arrays: Arrays): number => arrays[unitName]?.data[0] ?? 1;

/** The factor that turns distances back into the caller's units for similarities, as graphs read it; no array without a unit. */
export const inverseUnit = (arrays: Arrays): Record<string, NdArray> =>
  arrays[unitName] ? { inverseUnit: ndarray([1 / unitOf(arrays)], [1]) } : {};

/** Σ w·δ in the caller's units. */
export const inOwnUnits = (arrays: Arrays, distance: Distance, total: number): number =>
  total / unitOf(arrays) ** distances[distance].degree;

/** Largest absolute value for which δ times the largest bandwidth stays finite in float32. */
function reachOf({ logBandwidth }: Arrays, distance: Distance, columns: number): number {
  let bandwidth = 0;
  for (const value of logBandwidth?.data ?? []) bandwidth = Math.max(bandwidth, value);
  const left = 122 - Math.log2(columns) - bandwidth * Math.LOG2E;
  return 2 ** (left / distances[distance].degree);
}

/** Errors: DataError for a row whose distance to the model's prototypes would overflow float32. */
export function checkReach(
  arrays: Arrays,
  distance: Distance,
  x: Features,
  mask: Rows | undefined,
  call?: string,
): void {
  if (comparesDirections(distance)) return;
  const reach = reachOf(arrays, distance, x.columns) / unitOf(arrays);
  // Most rows are within reach, so one pass over all stored values, masked ones included, suffices.
  if (largestOf(storedOf(x)) <= reach) return;
  visit(x, mask, (row, column, value) => {
    if (Math.abs(value) <= reach) return;
    throw new DataError(
      `${call ? `${call}: ` : ''}X has ${shown(value)} in row ${row}, column ${column}, whose distance to the prototypes overflows float32; bring X to the range of the training rows, or use scaling 'dual' or 'standard'.`,
      { argument: 'X', row, column, value },
    );
  });
}

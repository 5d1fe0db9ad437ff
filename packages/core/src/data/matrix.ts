// User input, checked and made uniform: a row-major Float32Array with its rows and columns.

import { DataError, ShapeError, shown } from '../errors.js';
import { unshared } from './own-copy.js';

/** Numbers in a row: an array or a typed array. */
export type Vector = ArrayLike<number>;

/** N rows of D numbers: nested arrays, or flat row-major data with its shape. */
export type DenseMatrix =
  | readonly Vector[]
  | { readonly data: Vector; readonly shape: readonly [number, number] };

/**
 * N rows of D numbers, most of them 0, as compressed sparse rows. Row i has `values[e]` in column `indices[e]` for e from
 * `indptr[i]` to `indptr[i + 1]` − 1, each column at most once, and 0 elsewhere.
 */
export interface Csr {
  /** [N + 1], from 0 to the number of stored values. */
  readonly indptr: Vector;
  readonly indices: Vector;
  /** Default: all 1. */
  readonly values?: Vector | undefined;
  readonly shape: readonly [number, number];
}

/** N rows of D numbers, dense or sparse. */
export type Matrix = DenseMatrix | Csr;

/** Row-major [rows, columns]. */
export interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** Where a value comes from, as error messages name it. */
export interface Place {
  /** The public call, such as 'fit'. */
  readonly call: string;
  /** Its argument, such as 'X'. */
  readonly argument: string;
  /** What determined the number of columns. Default: 'this model was fitted on'. */
  readonly against?: string;
}

const isFlat = (m: DenseMatrix): m is { data: Vector; shape: readonly [number, number] } =>
  !Array.isArray(m) && 'data' in m;

/** Whether these are sparse rows as users pass them. */
export const isCsr = (m: unknown): m is Csr => typeof m === 'object' && m !== null && 'indptr' in m;

export const isNumbers = (v: unknown): v is Vector =>
  Array.isArray(v) || (ArrayBuffer.isView(v) && !(v instanceof DataView));

/** Describes the first element of an array that has the wrong kind. */
function holding(array: readonly unknown[]): string {
  if (array.length === 0) return 'of nothing';
  const index = array.findIndex(
    (item) => typeof item !== typeof array[0] || isNumbers(item) !== isNumbers(array[0]),
  );
  const at = Math.max(0, index);
  return `with ${shown(array[at])} at ${at}`;
}

/** Errors: ShapeError. */
export function wrongKind({ call, argument }: Place, value: unknown, wanted: string): never {
  const got = value === null ? 'null' : Array.isArray(value) ? `an array ${holding(value)}` : typeof value;
  throw new ShapeError(`${call}: ${argument} should be ${wanted}, got ${got}.`, { argument });
}

/** Row-major [rows, columns], float64 unless they came as float32. */
export interface WideRows extends Omit<Rows, 'data'> {
  readonly data: Float32Array | Float64Array;
}

/** Flattens a matrix. NaN may remain: `checkFinite` looks for it. Errors: ShapeError for ragged rows or a wrong length. */
export const toRows = (matrix: Matrix, place: Place, columns?: number): Rows =>
  flattened(matrix, place, columns, asFloat32) as Rows;

/** `toRows` without rounding. */
export const toWideRows = (matrix: Matrix, place: Place, columns?: number): WideRows =>
  flattened(matrix, place, columns, asFloats);

function flattened(
  matrix: Matrix,
  place: Place,
  columns: number | undefined,
  taken: (data: Vector) => WideRows['data'],
): WideRows {
  const { call, argument } = place;
  const wanted = 'number[][] or { data, shape: [rows, columns] }';
  if (typeof matrix !== 'object' || matrix === null) wrongKind(place, matrix, wanted);
  if (isCsr(matrix)) {
    throw new ShapeError(`${call}: ${argument} is sparse, and should be ${wanted}.`, { argument });
  }
  let out: WideRows;
  if (isFlat(matrix)) {
    if (!isNumbers(matrix.data) || !isNumbers(matrix.shape)) wrongKind(place, matrix, wanted);
    const [rows, width] = checkedShape(matrix.shape, place);
    if (matrix.data.length !== rows * width) {
      throw new ShapeError(
        `${call}: ${argument}.data has ${matrix.data.length} values, its shape [${rows}, ${width}] wants ${rows * width}.`,
        { argument, length: matrix.data.length, expected: rows * width },
      );
    }
    out = { data: taken(matrix.data), rows, columns: width };
  } else {
    if (!Array.isArray(matrix)) wrongKind(place, matrix, wanted);
    const width =
      matrix.length === 0
        ? (columns ?? 0)
        : isNumbers(matrix[0])
          ? matrix[0].length
          : wrongKind(place, matrix, wanted);
    const data = new (taken === asFloat32 ? Float32Array : Float64Array)(matrix.length * width);
    matrix.forEach((row: Vector, i: number) => {
      if (!isNumbers(row)) wrongKind(place, matrix, wanted);
      if (row.length !== width) {
        throw new ShapeError(
          `${call}: row ${i} of ${argument} has ${row.length} values, row 0 has ${width}.`,
          {
            argument,
            row: i,
            columns: row.length,
            expected: width,
          },
        );
      }
      for (let j = 0; j < width; j++) data[i * width + j] = numberAt(row, j);
    });
    out = { data, rows: matrix.length, columns: width };
  }
  if (out.columns === 0 && out.rows > 0) {
    throw new ShapeError(`${call}: ${argument} has ${out.rows} rows without any column.`, {
      argument,
      columns: 0,
    });
  }
  checkColumns(out.columns, place, columns);
  return out;
}

/** A shape as numbers. Errors: ShapeError. */
export function checkedShape(shape: Vector, { call, argument }: Place): readonly [number, number] {
  const [rows, columns] = Array.from(shape) as [number, number];
  const whole = Number.isInteger(rows) && Number.isInteger(columns);
  if (shape.length === 2 && whole && rows >= 0 && columns >= 1) return [rows, columns];
  throw new ShapeError(`${call}: ${argument}.shape should be [rows, columns], got [${Array.from(shape)}].`, {
    argument,
  });
}

/** Errors: ShapeError if the number of columns differs from `expected`. */
export function checkColumns(columns: number, place: Place, expected?: number): void {
  if (expected === undefined || columns === expected) return;
  const { call, argument, against = 'this model was fitted on' } = place;
  throw new ShapeError(`${call}: ${argument} has ${columns} columns, ${against} ${expected}.`, {
    argument,
    columns,
    expected,
  });
}

/** The number at a place; NaN for values that are not numbers, which the finite check then names. */
const numberAt = (row: Vector, j: number): number => {
  const value: unknown = row[j];
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number.NaN;
};

/** The data as Float32Array, not copied if it is one in unshared memory. Values that are not numbers become NaN. */
export const asFloat32 = (data: Vector): Float32Array =>
  data instanceof Float32Array
    ? unshared(data)
    : Float32Array.from({ length: data.length }, (_, i) => numberAt(data, i));

/** `asFloat32` without rounding. */
const asFloats = (data: Vector): WideRows['data'] =>
  data instanceof Float32Array || data instanceof Float64Array
    ? unshared(data)
    : Float64Array.from({ length: data.length }, (_, i) => numberAt(data, i));

/**
 * The value as the caller gave it. In float32, a large number may have become infinite, and a value that is not a number is NaN.
 */
function givenAt(given: unknown, row: number, column: number, columns: number): unknown {
  const flat = isNumbers(given) ? given : (given as { readonly data: Vector }).data;
  const line: unknown = flat[row];
  return isNumbers(line) ? line[column] : flat[row * columns + column];
}

/** Errors: always DataError, for a value that is not a finite float32. */
export function refuseValue({ call, argument }: Place, row: number, column: number, value: unknown): never {
  const kind =
    typeof value === 'number' && Number.isFinite(value)
      ? `, beyond float32, which ends at 3.4e38; divide ${argument === 'X' ? 'the column' : argument} by a constant`
      : typeof value === 'number' || value === null || value === undefined
        ? ''
        : `, which is no number; ${argument} holds numbers`;
  const remedy =
    kind === '' && argument === 'X' ? ' Remove the row, or mask the value with featureMask.' : '';
  throw new DataError(
    `${call}: ${argument} has ${shown(value)} in row ${row}, column ${column}${kind}.${remedy}`,
    { argument, row, column, value },
  );
}

/**
 * Checks that values are finite. `given` is the caller's original input, whose values errors quote. Errors: DataError with row and
 * column of the first unmasked value that is not a finite float32.
 */
export function checkFinite(x: WideRows, place: Place, mask?: Rows, given: unknown = x): void {
  if (allFinite(x.data)) return;
  for (let i = 0; i < x.data.length; i++) {
    const value = x.data[i] as number;
    // x − x is 0 only for finite numbers.
    if (value - value === 0) continue;
    if (mask && (mask.data[mask.rows === 1 ? i % x.columns : i] as number) <= 0) continue;
    const [row, column] = [Math.floor(i / x.columns), i % x.columns];
    refuseValue(place, row, column, givenAt(given, row, column, x.columns));
  }
}

/**
 * Whether all values are finite: x − x is 0 only for finite x, and a sum of finite float32 values is finite in float64. Eight at a
 * time, for speed.
 */
export function allFinite(data: ArrayLike<number>): boolean {
  const { length } = data;
  let i = 0;
  for (; i + 7 < length; i += 8) {
    const first =
      (data[i] as number) + (data[i + 1] as number) + (data[i + 2] as number) + (data[i + 3] as number);
    const last =
      (data[i + 4] as number) + (data[i + 5] as number) + (data[i + 6] as number) + (data[i + 7] as number);
    if (first + last - (first + last) !== 0) return false;
  }
  for (; i < length; i++) if ((data[i] as number) - (data[i] as number) !== 0) return false;
  return true;
}

/** One number a row. Errors: ShapeError for a wrong length. */
export function toVector(values: Vector, length: number, place: Place): Float32Array {
  if (!isNumbers(values)) wrongKind(place, values, 'an array of numbers');
  if (values.length !== length) {
    throw new ShapeError(
      `${place.call}: ${place.argument} has ${values.length} values, X has ${length} rows.`,
      {
        argument: place.argument,
        length: values.length,
        expected: length,
      },
    );
  }
  return asFloat32(values);
}

/** One flag a row as 0 or 1; all 1 if none are given. Errors: ShapeError, DataError. */
export function toFlags(
  values: readonly boolean[] | Vector | undefined,
  length: number,
  place: Place,
): Uint8Array {
  if (values === undefined) return new Uint8Array(length).fill(1);
  const { call, argument } = place;
  if (!isNumbers(values)) wrongKind(place, values, 'an array of booleans');
  if (values.length !== length) {
    throw new ShapeError(
      `${call}: ${argument} has ${values.length} values, there are ${length} prototypes.`,
      {
        argument,
        length: values.length,
        expected: length,
      },
    );
  }
  return Uint8Array.from({ length }, (_, row) => {
    const value: unknown = values[row];
    if (value === true || value === 1) return 1;
    if (value === false || value === 0) return 0;
    throw new DataError(`${call}: ${argument} is ${value} in row ${row}; allowed is true or false.`, {
      argument,
      row,
      value,
    });
  });
}

/** Weights: finite, not negative, not all zero. */
export function toWeights(
  values: Vector | undefined,
  length: number,
  call: string,
): Float32Array | undefined {
  if (values === undefined) return undefined;
  const argument = 'sampleWeight';
  const weights = toVector(values, length, { call, argument });
  let total = 0;
  weights.forEach((value, row) => {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new DataError(
        `${call}: sampleWeight is ${shown(values[row])} in row ${row}; weights are numbers of float32, at least 0.`,
        { argument, row, value: values[row] },
      );
    }
    total += value;
  });
  if (total === 0) throw new DataError(`${call}: all weights are zero, so no row counts.`, { argument });
  return weights;
}

/** A mask as [N, D], or [1, D] for all rows; values are clamped to [0, 1] where they are used. */
export function toMask(
  mask: DenseMatrix | Vector | undefined,
  x: Pick<Rows, 'rows' | 'columns'>,
  call: string,
): Rows | undefined {
  if (mask === undefined) return undefined;
  const place = { call, argument: 'featureMask' };
  const single = isNumbers(mask) && mask.length > 0 && !isNumbers((mask as ArrayLike<unknown>)[0]);
  const out = single ? toRows([mask as Vector], place) : toRows(mask as DenseMatrix, place);
  if (out.columns !== x.columns || (out.rows !== x.rows && out.rows !== 1)) {
    throw new ShapeError(
      `${call}: featureMask is [${out.rows}, ${out.columns}], X is [${x.rows}, ${x.columns}]; give one row, or one a row of X.`,
      { argument: 'featureMask', shape: [out.rows, out.columns], expected: [x.rows, x.columns] },
    );
  }
  checkFinite(out, place, undefined, single ? [mask] : mask);
  return out;
}

/** The mask if it hides any value, else undefined. */
export const hiding = (mask: Rows | undefined): Rows | undefined =>
  mask?.data.every((m) => m >= 1) ? undefined : mask;

/** A mask [1, columns] of ones. */
export const everywhere = (columns: number): Rows => ({
  data: new Float32Array(columns).fill(1),
  rows: 1,
  columns,
});

/** Numbers below which a loop is faster than creating a view. */
const fewNumbers = 256;

/** The chosen rows in that order, written to `into` if given. */
export function takeRows(
  x: Rows,
  order: ArrayLike<number>,
  begin: number,
  end: number,
  into?: Float32Array,
): Rows {
  const { columns, data: source } = x;
  const data = into?.subarray(0, (end - begin) * columns) ?? new Float32Array((end - begin) * columns);
  // Consecutive rows are copied together.
  for (let i = begin, to = 0; i < end; ) {
    const first = order[i] as number;
    let last = first;
    while (++i < end && order[i] === last + 1) last++;
    let from = first * columns;
    const stop = (last + 1) * columns;
    if (stop - from > fewNumbers) {
      data.set(source.subarray(from, stop), to);
      to += stop - from;
    } else while (from < stop) data[to++] = source[from++] as number;
  }
  return { data, rows: end - begin, columns };
}

/** A mask of one row, repeated for every row. */
export function repeatMask(mask: Rows, rows: number): Rows {
  if (mask.rows === rows) return mask;
  const data = new Float32Array(rows * mask.columns);
  for (let i = 0; i < rows; i++) data.set(mask.data, i * mask.columns);
  return { data, rows, columns: mask.columns };
}

// Sparse rows: CSR from users, checked and made uniform, and the dense blocks of it that graphs run on. Dense rows pass through the
// same functions, so callers need not distinguish them. N×D is never held.

import { DataError, ShapeError } from '../errors.js';
import type { Csr } from './matrix.js';
import {
  asFloat32,
  checkColumns,
  checkedShape,
  checkFinite,
  isCsr,
  isNumbers,
  type Matrix,
  type Place,
  type Rows,
  refuseValue,
  takeRows,
  toRows,
  type Vector,
  wrongKind,
} from './matrix.js';
import { unshared } from './own-copy.js';

/** Checked CSR: columns ascend within a row. */
export interface SparseRows {
  readonly indptr: Uint32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** Rows of features, dense or sparse. */
export type Features = Rows | SparseRows;

export const isSparse = (x: Features): x is SparseRows => 'indptr' in x;

/** Flattens a matrix, keeping sparse ones sparse. NaN may remain: `checkFeatures` looks for it. Errors: ShapeError, DataError. */
export function toFeatures(matrix: Matrix, place: Place, columns?: number): Features {
  if (!isCsr(matrix)) return toRows(matrix, place, columns);
  const { call, argument } = place;
  const part = (name: keyof Csr): Place => ({ call, argument: `${argument}.${name}` });
  const { indptr, indices, values } = matrix;
  for (const name of ['indptr', 'indices', 'shape'] as const) {
    if (!isNumbers(matrix[name])) wrongKind(part(name), matrix[name], 'an array of numbers');
  }
  if (values !== undefined && !isNumbers(values)) wrongKind(part('values'), values, 'an array of numbers');
  const [rows, width] = checkedShape(matrix.shape, place);
  checkColumns(width, place, columns);
  checkPointers(matrix, rows, place);
  if (values && values.length !== indices.length) {
    throw new ShapeError(
      `${call}: ${argument}.values has ${values.length} values, there are ${indices.length} indices.`,
      { argument, length: values.length, expected: indices.length },
    );
  }
  const sparse: SparseRows = {
    indptr: indptr instanceof Uint32Array ? unshared(indptr) : Uint32Array.from(indptr),
    indices: indices instanceof Int32Array ? unshared(indices) : Int32Array.from(indices),
    values: values ? asFloat32(values) : new Float32Array(indices.length).fill(1),
    rows,
    columns: width,
  };
  return inOrder(sparse, indices, place);
}

/** Errors: ShapeError if the pointers do not divide the stored values into rows. */
function checkPointers({ indptr, indices }: Csr, rows: number, { call, argument }: Place): void {
  if (indptr.length !== rows + 1) {
    throw new ShapeError(
      `${call}: ${argument}.indptr has ${indptr.length} values, ${rows} rows want ${rows + 1}.`,
      { argument, length: indptr.length, expected: rows + 1 },
    );
  }
  const refuse = (row: number, should: string): never => {
    throw new ShapeError(`${call}: ${argument}.indptr is ${indptr[row]} at ${row} and should ${should}.`, {
      argument,
      row,
      value: indptr[row],
    });
  };
  if (indptr[0] !== 0) refuse(0, 'be 0');
  for (let row = 1; row <= rows; row++) {
    const at = indptr[row] as number;
    if (!Number.isInteger(at)) refuse(row, 'be an integer');
    if (at < (indptr[row - 1] as number))
      refuse(row, `not fall below ${indptr[row - 1]}, where row ${row - 1} begins`);
  }
  if (indptr[rows] !== indices.length) refuse(rows, `be ${indices.length}, the number of indices`);
}

/**
 * Columns checked to be in range, and sorted in ascending order on a copy if they are not. Errors: DataError with row and column.
 */
function inOrder(x: SparseRows, given: Vector, { call, argument }: Place): SparseRows {
  const { indptr, rows, columns } = x;
  let [indices, values] = [x.indices, x.values];
  for (let row = 0; row < rows; row++) {
    const [begin, end] = [indptr[row] as number, indptr[row + 1] as number];
    let ascending = true;
    for (let e = begin; e < end; e++) {
      // The original: the int32 copy has lost fractions and numbers beyond int32.
      const column = given[e] as number;
      if (!Number.isInteger(column) || column < 0 || column >= columns) {
        throw new DataError(
          `${call}: ${argument} has ${columns} columns, 0 to ${columns - 1}, and stores column ${column} in row ${row}.`,
          { argument, row, column, columns },
        );
      }
      if (e > begin && (indices[e - 1] as number) >= column) ascending = false;
    }
    if (ascending) continue;
    if (values === x.values) [indices, values] = [x.indices.slice(), x.values.slice()];
    const order = Array.from({ length: end - begin }, (_, i) => begin + i);
    order.sort((a, b) => (x.indices[a] as number) - (x.indices[b] as number));
    order.forEach((from, i) => {
      const column = x.indices[from] as number;
      if (i > 0 && indices[begin + i - 1] === column) {
        throw new DataError(
          `${call}: ${argument} stores column ${column} of row ${row} twice; add such values up first.`,
          { argument, row, column },
        );
      }
      indices[begin + i] = column;
      values[begin + i] = x.values[from] as number;
    });
  }
  return { ...x, indices, values };
}

/**
 * Checks that values are finite. `given` is the caller's original input, whose values errors quote. Errors: DataError with row and
 * column of the first unmasked value that is not a finite float32.
 */
export function checkFeatures(x: Features, place: Place, mask?: Rows, given: unknown = x): void {
  if (!isSparse(x)) checkFinite(x, place, mask, given);
  else checkStored(x, place, mask, given as Csr);
}

/** The stored value at a row and column; columns may be in any order. */
function storedAt({ indptr, indices, values }: Csr | SparseRows, row: number, column: number): unknown {
  let e = indptr[row] as number;
  while (e < (indptr[row + 1] as number) && indices[e] !== column) e++;
  return values?.[e];
}

function checkStored(x: SparseRows, place: Place, mask: Rows | undefined, given: Csr | SparseRows): void {
  let row = 0;
  for (let e = 0; e < x.values.length; e++) {
    const value = x.values[e] as number;
    if (value - value === 0) continue;
    while ((x.indptr[row + 1] as number) <= e) row++;
    const column = x.indices[e] as number;
    if (mask && (mask.data[(mask.rows === 1 ? 0 : row * x.columns) + column] as number) <= 0) continue;
    refuseValue(place, row, column, storedAt(given, row, column) ?? value);
  }
}

/** The chosen rows in that order; dense rows are written to `into` if given. */
export function takeFeatures(
  x: Features,
  order: ArrayLike<number>,
  begin: number,
  end: number,
  into?: Features,
): Features {
  if (!isSparse(x)) return takeRows(x, order, begin, end, into && !isSparse(into) ? into.data : undefined);
  const indptr = new Uint32Array(end - begin + 1);
  for (let i = begin; i < end; i++) {
    const row = order[i] as number;
    const stored = (x.indptr[row + 1] as number) - (x.indptr[row] as number);
    indptr[i - begin + 1] = (indptr[i - begin] as number) + stored;
  }
  const indices = new Int32Array(indptr[end - begin] as number);
  const values = new Float32Array(indices.length);
  for (let i = begin; i < end; i++) {
    const row = order[i] as number;
    const [from, to] = [x.indptr[row] as number, x.indptr[row + 1] as number];
    indices.set(x.indices.subarray(from, to), indptr[i - begin]);
    values.set(x.values.subarray(from, to), indptr[i - begin]);
  }
  return { indptr, indices, values, rows: end - begin, columns: x.columns };
}

/** Visits all entries of a row that may not be 0, columns ascending. */
export function visitRow(x: Features, row: number, visit: (column: number, value: number) => void): void {
  if (isSparse(x)) {
    const end = x.indptr[row + 1] as number;
    for (let e = x.indptr[row] as number; e < end; e++) visit(x.indices[e] as number, x.values[e] as number);
  } else {
    const from = row * x.columns;
    for (let j = 0; j < x.columns; j++) visit(j, x.data[from + j] as number);
  }
}

/** Adds factor·x of a row to `sums` from `at` on. */
export function addRow(x: Features, row: number, factor: number, sums: Float64Array, at: number): void {
  if (isSparse(x)) {
    visitRow(x, row, (column, value) => {
      sums[at + column] = (sums[at + column] as number) + factor * value;
    });
    return;
  }
  // The loop of visitRow, without a call for each number.
  const { data, columns } = x;
  const from = row * columns;
  for (let j = 0; j < columns; j++)
    sums[at + j] = (sums[at + j] as number) + factor * (data[from + j] as number);
}

/** [a, scale·b] side by side; sparse if a is. */
export function beside<X extends Features>(a: X, b: Features, scale: number): X;
export function beside(a: Features, b: Features, scale: number): Features {
  const { rows } = a;
  const columns = a.columns + b.columns;
  if (isSparse(a)) {
    const indptr = new Uint32Array(rows + 1);
    let extra = 0;
    for (let i = 0; i < rows; i++) {
      visitRow(b, i, (_, value) => {
        if (value !== 0) extra++;
      });
      indptr[i + 1] = (a.indptr[i + 1] as number) + extra;
    }
    const indices = new Int32Array(indptr[rows] as number);
    const values = new Float32Array(indices.length);
    let e = 0;
    const store = (column: number, value: number): void => {
      indices[e] = column;
      values[e++] = value;
    };
    for (let i = 0; i < rows; i++) {
      visitRow(a, i, store);
      visitRow(b, i, (j, value) => {
        if (value !== 0) store(a.columns + j, scale * value);
      });
    }
    return { indptr, indices, values, rows, columns };
  }
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < a.columns; j++) data[i * columns + j] = a.data[i * a.columns + j] as number;
    visitRow(b, i, (j, value) => {
      data[i * columns + a.columns + j] = scale * value;
    });
  }
  return { data, rows, columns };
}

/** Most numbers in a dense block of sparse rows: 32 MB. */
const blockSize = 2 ** 23;

/** Rows in a block: `limit` if rows are dense, fewer if a block of wide sparse rows would be too large. */
export const blockRowsOf = (x: Features, limit: number): number =>
  isSparse(x) ? Math.max(1, Math.min(limit, Math.floor(blockSize / x.columns))) : limit;

/**
 * Rows begin … end − 1 as a dense block, as graphs take it; dense rows are not copied. All columns are kept: gathering only the
 * prototype columns that a block uses, and its derivative, cost more than the products that they save.
 */
export function denseRows(x: Features, begin = 0, end: number = x.rows): Rows {
  const { columns } = x;
  const rows = end - begin;
  if (!isSparse(x)) return { data: x.data.subarray(begin * columns, end * columns), rows, columns };
  const data = new Float32Array(rows * columns);
  for (let i = begin; i < end; i++) {
    visitRow(x, i, (column, value) => {
      data[(i - begin) * columns + column] = value;
    });
  }
  return { data, rows, columns };
}

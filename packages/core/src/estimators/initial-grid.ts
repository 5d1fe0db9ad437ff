// The grid that a caller starts from: checked once, and copied, so that later writes to the caller's arrays change nothing.

import { checkFinite, type Matrix, type Rows, toRows, toVector, type Vector } from '../data/matrix.js';
import { DataError, OptionError, ShapeError } from '../errors.js';

/** Prototypes to start from, in place of an initialisation; the model takes them as they are, unscaled. */
export interface InitialGrid {
  /** [K, D] */
  readonly prototypes: Matrix;
  /** [K, T], or [K] for one column; what each prototype answers. */
  readonly targets?: Matrix | Vector;
  /** [K] accumulated sample weight, 1 unless given. */
  readonly ages?: Vector;
}

const names = ['prototypes', 'targets', 'ages'];

const copied = ({ data, rows, columns }: Rows): Matrix => ({ data: data.slice(), shape: [rows, columns] });

/** A copy whose matrices are flat. Errors: OptionError, ShapeError, DataError. */
export function checkedGrid(grid: InitialGrid, call: string): InitialGrid {
  for (const name of Object.keys(grid)) {
    if (!names.includes(name)) {
      throw new OptionError(`${call}: initMode has no ${name}; it has ${names.join(', ')}.`, {
        option: 'initMode',
        name,
      });
    }
  }
  const place = { call, argument: 'initMode.prototypes' };
  const prototypes = toRows(grid.prototypes, place);
  if (prototypes.rows === 0)
    throw new ShapeError(`${call}: initMode.prototypes has no rows; give at least one prototype.`);
  checkFinite(prototypes, place);
  return {
    prototypes: copied(prototypes),
    ...(grid.targets === undefined ? {} : { targets: targetsOf(grid.targets, prototypes.rows, call) }),
    ...(grid.ages === undefined ? {} : { ages: agesOf(grid.ages, prototypes.rows, call) }),
  };
}

function targetsOf(targets: Matrix | Vector, count: number, call: string): Matrix {
  const place = { call, argument: 'initMode.targets' };
  const flat =
    ArrayBuffer.isView(targets) ||
    (Array.isArray(targets) && !Array.isArray(targets[0]) && !ArrayBuffer.isView(targets[0]));
  const rows = flat
    ? toRows({ data: targets as Vector, shape: [(targets as Vector).length, 1] }, place)
    : toRows(targets as Matrix, place);
  if (rows.rows !== count) {
    throw new ShapeError(`${call}: initMode.targets has ${rows.rows} rows, there are ${count} prototypes.`, {
      argument: 'initMode.targets',
      length: rows.rows,
      expected: count,
    });
  }
  checkFinite(rows, place);
  return copied(rows);
}

/** Float64, for ages beyond 2^24 are counted. */
function agesOf(ages: Vector, count: number, call: string): Float64Array {
  const argument = 'initMode.ages';
  toVector(ages, ages?.length, { call, argument });
  if (ages.length !== count) {
    throw new ShapeError(`${call}: ${argument} has ${ages.length} values, there are ${count} prototypes.`, {
      argument,
      length: ages.length,
      expected: count,
    });
  }
  const exact = Float64Array.from(ages);
  exact.forEach((value, row) => {
    if (value > 0 && value < Number.POSITIVE_INFINITY) return;
    throw new DataError(`${call}: ${argument} is ${value} in row ${row}; ages are finite and above 0.`, {
      argument,
      row,
      value,
    });
  });
  return exact;
}

// The grid that a caller starts from: checked once and copied, so that later writes to the caller's arrays have no effect.

import {
  checkFinite,
  type DenseMatrix,
  toRows,
  toVector,
  toWideRows,
  type Vector,
  type WideRows,
} from '../data/matrix.js';
import { DataError, OptionError, ShapeError } from '../errors.js';
import type { InitialGrid } from './options.js';
import type { Label } from './state.js';

const copied = ({ data, rows, columns }: WideRows): DenseMatrix => ({
  data: data.slice(),
  shape: [rows, columns],
});

/** A copy with flat matrices; `names` are the arrays that it may have. Errors: OptionError, ShapeError, DataError. */
export function checkedGrid(grid: InitialGrid, call: string, names: readonly string[]): InitialGrid {
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
  checkFinite(prototypes, place, undefined, grid.prototypes);
  return {
    prototypes: copied(prototypes),
    ...(grid.targets === undefined ? {} : { targets: targetsOf(grid.targets, prototypes.rows, call) }),
    ...(grid.owners === undefined ? {} : { owners: ownersOf(grid.owners, prototypes.rows, call) }),
    ...(grid.ages === undefined ? {} : { ages: agesOf(grid.ages, prototypes.rows, call) }),
  };
}

function targetsOf(targets: DenseMatrix | Vector, count: number, call: string): DenseMatrix {
  const place = { call, argument: 'initMode.targets' };
  const flat =
    ArrayBuffer.isView(targets) ||
    (Array.isArray(targets) && !Array.isArray(targets[0]) && !ArrayBuffer.isView(targets[0]));
  const rows = flat
    ? toWideRows({ data: targets as Vector, shape: [(targets as Vector).length, 1] }, place)
    : toWideRows(targets as DenseMatrix, place);
  if (rows.rows !== count) {
    throw new ShapeError(`${call}: initMode.targets has ${rows.rows} rows, there are ${count} prototypes.`, {
      argument: 'initMode.targets',
      length: rows.rows,
      expected: count,
    });
  }
  checkFinite(rows, place, undefined, targets);
  return copied(rows);
}

function ownersOf(owners: ArrayLike<unknown>, count: number, call: string): readonly Label[] {
  const argument = 'initMode.owners';
  const list = Array.from(owners ?? []);
  if (list.length !== count) {
    throw new ShapeError(`${call}: ${argument} has ${list.length} values, there are ${count} prototypes.`, {
      argument,
      length: list.length,
      expected: count,
    });
  }
  return list.map((owner, row) => {
    if (typeof owner === 'string' || (typeof owner === 'number' && Number.isFinite(owner))) return owner;
    throw new DataError(`${call}: ${argument} is ${owner} in row ${row}; owners are numbers or strings.`, {
      argument,
      row,
      value: owner,
    });
  });
}

/** Ages in float64: float32 stops counting at 2^24. */
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

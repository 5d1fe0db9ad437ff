// The columns of a table as the columns of X, by an encoding. Every kind of column is one row of `coders`.

import { nearest } from '../checked-options.js';
import type { Rows } from '../data/matrix.js';
import type { Cell, Table } from '../data/table.js';
import { cut, DataError, shown } from '../errors.js';
import {
  type ColumnEncoding,
  columnWidth,
  foldCount,
  type LevelStatistics,
  statisticsIn,
  type TableEncoding,
  tableWidth,
} from '../state/table-encoding.js';
import { type CellPlace, dateOf, isMissing, levelOf, numberOf, truthOf, wrongCell } from './cells.js';
import { circleOf, partOf, periods } from './dates.js';
import { type LevelSums, statisticsTable, sumsOfText } from './statistics.js';

/** √½: two levels of a category then differ by 1. */
const half = Math.SQRT1_2;

export interface EncodeOptions {
  readonly call: string;
  /** Missing values are masked, or are an error. */
  readonly missing: 'mask' | 'error';
  /** The rows train: target statistics are those of the folds that a row is not in. */
  readonly training: boolean;
}

/** A table as X, and what target statistics are updated with. */
export interface EncodedTable {
  readonly x: Rows;
  /** 1 present, 0 missing [N, D]; undefined where nothing is missing. X is NaN where it is 0. */
  readonly mask: Rows | undefined;
  /** The fold of each row [N], where rows train and there are statistics. */
  readonly folds: Uint8Array | undefined;
}

/** Where a column writes: X and its mask from column `at` on. */
interface Output {
  readonly x: Float32Array;
  readonly width: number;
  readonly at: number;
  hide(row: number, column: number): void;
}

type Write = (cell: Cell, row: number, place: CellPlace, out: Output) => void;

/** The place of each level of a column; computed once an encoding. */
const places: WeakMap<object, ReadonlyMap<string, number>> = /* @__PURE__ */ new WeakMap();

function placesOf(column: object, levels: readonly string[]): ReadonlyMap<string, number> {
  let known = places.get(column);
  if (!known) {
    known = new Map(levels.map((level, place) => [level, place]));
    places.set(column, known);
  }
  return known;
}

/** A column of one number a row; what is missing is hidden, and told by the indicator. */
const single =
  (indicator: boolean, read: (cell: Cell, row: number, place: CellPlace) => number): Write =>
  (cell, row, place, { x, width, at, hide }) => {
    const missing = isMissing(cell);
    if (missing) hide(row, at);
    else x[row * width + at] = read(cell, row, place);
    if (indicator) x[row * width + at + 1] = missing ? half : 0;
  };

function writeDate({ parts, origin, indicator }: Extract<ColumnEncoding, { kind: 'date' }>): Write {
  const circles = parts.map((part) =>
    part === 'year' || part === 'days' ? undefined : circleOf(periods[part]),
  );
  return (cell, row, place, { x, width, at, hide }) => {
    const missing = isMissing(cell);
    const ms = missing ? Number.NaN : dateOf(cell, row, place);
    let to = at;
    parts.forEach((part, i) => {
      const circle = circles[i];
      const begin = row * width + to;
      const value = missing ? 0 : partOf(part, ms, origin);
      if (circle) {
        x[begin] = circle[2 * value] as number;
        x[begin + 1] = circle[2 * value + 1] as number;
      } else x[begin] = value;
      const step = circle ? 2 : 1;
      for (let k = 0; missing && k < step; k++) hide(row, to + k);
      to += step;
    });
    if (indicator) x[row * width + to] = missing ? half : 0;
  };
}

type OneHot = Extract<ColumnEncoding, { coding: 'oneHot' }>;

const writeLevels = (column: OneHot): Write => {
  const { levels, indicator } = column;
  const known = placesOf(column, levels);
  const count = levels.length;
  return (cell, row, place, { x, width, at, hide }) => {
    const begin = row * width + at;
    if (!isMissing(cell)) x[begin + (known.get(levelOf(cell, row, place)) ?? count)] = half;
    else if (indicator) x[begin + count + 1] = half;
    else for (let k = 0; k <= count; k++) hide(row, at + k);
  };
};

const writeOrder = (order: readonly string[], column: object, indicator: boolean): Write => {
  const known = placesOf(column, order);
  return single(
    indicator,
    (cell, row, place) =>
      known.get(levelOf(cell, row, place)) ??
      wrongCell(place, row, cell, `its order has ${cut(order.map(shown).join(', '))}`),
  );
};

/** What writes a column; undefined of one that is ignored, or that target statistics encode. */
function coderOf(column: ColumnEncoding): Write | undefined {
  switch (column.kind) {
    case 'number':
      return single(column.indicator, (cell, row, place) =>
        numberOf(cell, row, place, column.texts ?? false, column.decimal),
      );
    case 'boolean':
      return single(column.indicator, truthOf);
    case 'date':
      return writeDate(column);
    case 'ordered':
      return writeOrder(column.order, column, column.indicator);
    case 'category':
      return column.coding === 'oneHot' ? writeLevels(column) : undefined;
    case 'ignore':
      return undefined;
  }
}

const coders: WeakMap<ColumnEncoding, Write> = /* @__PURE__ */ new WeakMap();

/** The lookup tables of a column of target statistics: of all rows, and without each fold. Computed once an encoding. */
interface Statistics {
  readonly all: Float32Array;
  without(fold: number): Float32Array;
}

const statistics: WeakMap<LevelStatistics, Statistics> = /* @__PURE__ */ new WeakMap();
const sums: WeakMap<LevelStatistics, LevelSums> = /* @__PURE__ */ new WeakMap();

/** The sums of a column of target statistics. */
export function sumsOf(column: LevelStatistics): LevelSums {
  let known = sums.get(column);
  if (!known) {
    known = sumsOfText(column.sums, column.outputs);
    sums.set(column, known);
  }
  return known;
}

export function statisticsOf(column: LevelStatistics): Statistics {
  let known = statistics.get(column);
  if (!known) {
    const sums = sumsOf(column);
    const folds: Float32Array[] = [];
    known = {
      all: statisticsTable(sums),
      without: (fold) => {
        folds[fold] ??= statisticsTable(sums, fold);
        return folds[fold];
      },
    };
    statistics.set(column, known);
  }
  return known;
}

/** The level that a cell of a column has: a text, or a number as float32 holds it. Errors: DataError. */
const levelIn = (column: ColumnEncoding, cell: Cell, row: number, place: CellPlace): string =>
  column.kind === 'number'
    ? valueText(numberOf(cell, row, place, column.texts ?? false, column.decimal))
    : levelOf(cell, row, place);

/** A number as a level: equal ones have one text. */
export const valueText = (value: number): string => String(Math.fround(value) + 0);

/**
 * The place of each row's level in the table of a column's statistics: behind the levels stand 'missing' and levels that no row had.
 * Errors: DataError.
 */
export function levelPlaces(
  column: ColumnEncoding,
  { levels }: LevelStatistics,
  cells: ArrayLike<Cell>,
  place: CellPlace,
): Int32Array {
  const known = placesOf(statisticsIn(column) ?? column, levels);
  const missing = levels.length;
  return Int32Array.from({ length: cells.length }, (_, row) => {
    const cell = cells[row];
    return isMissing(cell) ? missing : (known.get(levelIn(column, cell, row, place)) ?? missing + 1);
  });
}

/** Errors: DataError for a column that the encoding does not have, and for one that is not there. */
export function checkNames({ columns, target }: TableEncoding, table: Table, call: string): void {
  const names = columns.map(({ column }) => column);
  const own = new Set(names);
  const other = table.names.find((name) => !own.has(name) && name !== target);
  if (other !== undefined) {
    const near = nearest(other, names);
    throw new DataError(
      `${call}: this model has no column ${shown(other)}; it has ${cut(names.join(', '))}.${near === undefined ? '' : ` Did you mean ${shown(near)}?`}`,
      { argument: 'X', column: other },
    );
  }
  if (table.open) return;
  const absent = columns.find(({ column, kind }) => kind !== 'ignore' && table.column(column) === undefined);
  if (!absent) return;
  throw new DataError(
    `${call}: X lacks the column ${shown(absent.column)} that this model was fitted on; give it, with null where values are missing.`,
    { argument: 'X', column: absent.column },
  );
}

const none: ArrayLike<Cell> = [];

/** A table as X [N, D]. Errors: DataError with column, row and value. */
export function encodeTable(encoding: TableEncoding, table: Table, options: EncodeOptions): EncodedTable {
  const { call, training } = options;
  checkNames(encoding, table, call);
  const { rows } = table;
  const width = tableWidth(encoding);
  const x = new Float32Array(rows * width);
  let mask: Float32Array | undefined;
  const hide = (row: number, column: number): void => {
    mask ??= new Float32Array(rows * width).fill(1);
    mask[row * width + column] = 0;
    x[row * width + column] = Number.NaN;
  };
  const later: { own: LevelStatistics; places: Int32Array; at: number }[] = [];
  let at = 0;
  for (const column of encoding.columns) {
    const place = { call, column: column.column };
    const cells = table.column(column.column) ?? none;
    if (column.kind !== 'ignore' && options.missing === 'error') refuseMissing(cells, rows, place);
    const own = statisticsIn(column);
    const span = columnWidth(column);
    if (own) {
      const all = cells === none ? new Array<Cell>(rows).fill(undefined) : cells;
      const behind = at + span - own.outputs - 1;
      later.push({ own, places: levelPlaces(column, own, all, place), at: behind });
    }
    let write = coders.get(column);
    if (!write) {
      write = coderOf(column);
      if (write) coders.set(column, write);
    }
    const out = { x, width, at, hide };
    if (write) for (let row = 0; row < rows; row++) write(cells[row], row, place, out);
    at += span;
  }
  const folds = training && later.length > 0 ? foldsOf(x, width, later) : undefined;
  for (const { own, places, at } of later) writeStatistics(own, places, folds, x, width, at);
  const shape = { rows, columns: width };
  return { x: { data: x, ...shape }, mask: mask && { data: mask, ...shape }, folds };
}

function refuseMissing(cells: ArrayLike<Cell>, rows: number, { call, column }: CellPlace): void {
  for (let row = 0; row < rows; row++) {
    if (!isMissing(cells[row])) continue;
    throw new DataError(
      `${call}: column ${shown(column)} has no value in row ${row}, and missing is 'error'; leave that option out to mask missing values.`,
      { argument: 'X', column, row },
    );
  }
}

function writeStatistics(
  own: LevelStatistics,
  places: Int32Array,
  folds: Uint8Array | undefined,
  x: Float32Array,
  width: number,
  at: number,
): void {
  const { all, without } = statisticsOf(own);
  const size = own.outputs + 1;
  places.forEach((place, row) => {
    const table = folds ? without(folds[row] as number) : all;
    for (let k = 0; k < size; k++) x[row * width + at + k] = table[place * size + k] as number;
  });
}

/**
 * The fold of each row, by what the row holds and how many equal ones came before it: the rows of a later call are in the folds that
 * they were in when the statistics were taken, in any order, and equal rows are spread over all folds. FNV-1a over the words of X and
 * the places of levels.
 */
function foldsOf(
  x: Float32Array,
  width: number,
  later: readonly { readonly places: Int32Array }[],
): Uint8Array {
  const words = new Uint32Array(x.buffer);
  const rows = width > 0 ? x.length / width : 0;
  const folds = new Uint8Array(rows);
  const seen = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    let hash = 0x811c9dc5;
    for (let j = 0; j < width; j++) hash = Math.imul(hash ^ (words[row * width + j] as number), 0x01000193);
    for (const { places } of later) hash = Math.imul(hash ^ (places[row] as number), 0x01000193);
    const before = seen.get(hash) ?? 0;
    seen.set(hash, before + 1);
    hash = Math.imul(hash ^ before, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    folds[row] = ((hash ^ (hash >>> 13)) >>> 0) % foldCount;
  }
  return folds;
}

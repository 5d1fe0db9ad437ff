// What the columns of a table are, decided by the rows of the first fit: the kind, the levels, the parts of dates, and whether an
// indicator says that a value is missing.

import type { Cell, Table } from '../data/table.js';
import { DataError, OptionError, shown } from '../errors.js';
import type { AnyEncoding } from '../state/encoding.js';
import type { ColumnSpec, ColumnSpecs } from '../state/options.js';
import {
  type ColumnEncoding,
  type DatePart,
  dateParts,
  foldCount,
  isTableEncoding,
} from '../state/table-encoding.js';
import { type CellPlace, dateOf, isMissing, levelOf, numberOfText } from './cells.js';
import { msOfText, partOf } from './dates.js';

/** Levels of a category at most that are one-hot. */
const mostOneHot = 16;
/** Share of rows with a text of their own from which texts say nothing of other rows. */
const nearlyAll = 0.9;
/** Standard errors by which an indicator has to gain on rows of other folds. */
const gainErrors = 2;

/** What the rows are to tell: targets [N, T] of those tracked, weights [N]. */
export interface Taught {
  readonly targets: Float64Array;
  readonly outputs: number;
  readonly weights: ArrayLike<number>;
}

/** What the cells of a column are. */
interface Seen {
  readonly rows: number;
  readonly missing: number;
  readonly types: ReadonlySet<string>;
  /** Rows by level; of texts, truth values and numbers alike. Undefined where all are numbers, dates or truth values. */
  readonly levels: ReadonlyMap<string, number>;
}

const typeOf = (cell: Cell): string => (cell instanceof Date ? 'date' : typeof cell);

function look(cells: ArrayLike<Cell>, place: CellPlace, asLevels: boolean): Seen {
  const types = new Set<string>();
  let missing = 0;
  for (let row = 0; row < cells.length; row++) {
    if (isMissing(cells[row])) missing++;
    else types.add(typeOf(cells[row]));
  }
  const levels = new Map<string, number>();
  const plain = types.size === 1 && !types.has('string');
  const numbers = [...types].every((type) => type === 'number' || type === 'bigint');
  if (asLevels || !(plain || numbers)) {
    for (let row = 0; row < cells.length; row++) {
      if (isMissing(cells[row])) continue;
      const level = levelOf(cells[row], row, place);
      levels.set(level, (levels.get(level) ?? 0) + 1);
    }
  }
  return { rows: cells.length, missing: cells.length > 0 ? missing / cells.length : 0, types, levels };
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** A text that is a number and would be written like that: '007' and '1e5' name things. */
const isNumberText = (text: string): boolean =>
  !Number.isNaN(numberOfText(text)) && !/^[+-]?0\d/.test(text.trim()) && !/e/i.test(text);

const every = (levels: ReadonlyMap<string, number>, accepts: (level: string) => boolean): boolean => {
  for (const level of levels.keys()) if (!accepts(level)) return false;
  return true;
};

/** What a column is told to be, or what it is taken for, and why. */
function kindOf(
  { types, levels }: Seen,
  spec: ColumnSpec | undefined,
): { kind: ColumnEncoding['kind']; reason: string; texts?: true; decimal?: ',' | '.' } {
  if (spec !== undefined) {
    const told = { reason: 'the columns option says so' };
    if (typeof spec === 'object' && 'order' in spec) return { kind: 'ordered', ...told };
    if (typeof spec === 'object') return { kind: 'number', texts: true, decimal: spec.decimal, ...told };
    return spec === 'number' && types.has('string')
      ? { kind: 'number', texts: true, ...told }
      : { kind: spec, ...told };
  }
  if (types.size === 0) return { kind: 'ignore', reason: 'no row has a value' };
  const only = types.size === 1 ? [...types][0] : undefined;
  if ([...types].every((type) => type === 'number' || type === 'bigint'))
    return { kind: 'number', reason: 'all values are numbers' };
  if (only === 'boolean') return { kind: 'boolean', reason: 'all values are true or false' };
  if (only === 'date') return { kind: 'date', reason: 'all values are dates' };
  if (only === 'string') {
    if (every(levels, isNumberText)) return { kind: 'number', texts: true, reason: 'all texts are numbers' };
    if (every(levels, (level) => !Number.isNaN(msOfText(level))))
      return { kind: 'date', reason: 'all texts are ISO 8601 dates' };
    return { kind: 'category', reason: counted(levels.size, 'level') };
  }
  return {
    kind: 'category',
    reason: `${counted(levels.size, 'level')} of ${[...types].sort().join(' and ')}`,
  };
}

/** Whether knowing what is missing foretells the targets of rows in other folds: by paired squared errors, beyond chance. */
function indicatorGains(cells: ArrayLike<Cell>, taught: Taught | undefined): boolean {
  if (!taught || taught.outputs === 0) return false;
  const { targets, outputs, weights } = taught;
  const rows = cells.length;
  const size = 1 + outputs;
  const sums = new Float64Array(foldCount * 2 * size);
  const flags = Uint8Array.from({ length: rows }, (_, row) => Number(isMissing(cells[row])));
  const begin = (row: number): number => ((row % foldCount) * 2 + (flags[row] as number)) * size;
  for (let row = 0; row < rows; row++) {
    const at = begin(row);
    const w = weights[row] as number;
    sums[at] = (sums[at] as number) + w;
    for (let t = 0; t < outputs; t++)
      sums[at + 1 + t] = (sums[at + 1 + t] as number) + w * (targets[row * outputs + t] as number);
  }
  const meansOf = (fold: number, of: readonly number[]): Float64Array => {
    const total = new Float64Array(size);
    for (let other = 0; other < foldCount; other++) {
      if (other === fold) continue;
      for (const flag of of)
        for (let k = 0; k < size; k++)
          total[k] = (total[k] as number) + (sums[(other * 2 + flag) * size + k] as number);
    }
    const weight = total[0] as number;
    return total.subarray(1).map((sum) => (weight > 0 ? sum / weight : 0));
  };
  const folds = Array.from({ length: foldCount }, (_, fold) => ({
    all: meansOf(fold, [0, 1]),
    by: [meansOf(fold, [0]), meansOf(fold, [1])] as const,
  }));
  let [sum, squares, count] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const { all, by } = folds[row % foldCount] as (typeof folds)[number];
    const own = by[flags[row] as 0 | 1];
    let gain = 0;
    for (let t = 0; t < outputs; t++) {
      const y = targets[row * outputs + t] as number;
      gain += (y - (all[t] as number)) ** 2 - (y - (own[t] as number)) ** 2;
    }
    const w = weights[row] as number;
    sum += w * gain;
    squares += w * gain * gain;
    count += w;
  }
  if (count <= 1) return false;
  const mean = sum / count;
  const error = Math.sqrt(Math.max(0, squares / count - mean * mean) / count);
  return mean > gainErrors * error;
}

/** The parts of dates that vary, and the first date. */
function partsOf(cells: ArrayLike<Cell>, place: CellPlace): { parts: readonly DatePart[]; origin: number } {
  let origin = Number.POSITIVE_INFINITY;
  const firsts = new Map<DatePart, number>();
  const varying = new Set<DatePart>();
  for (let row = 0; row < cells.length; row++) {
    if (isMissing(cells[row])) continue;
    const ms = dateOf(cells[row], row, place);
    origin = Math.min(origin, ms);
    for (const part of dateParts) {
      const value = partOf(part, ms, 0);
      const first = firsts.get(part);
      if (first === undefined) firsts.set(part, value);
      else if (first !== value) varying.add(part);
    }
  }
  const parts = dateParts.filter((part) => varying.has(part));
  return { parts, origin };
}

const sorted = (levels: Iterable<string>): string[] =>
  [...levels].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** The most frequent levels, at most so many; ties by their texts. */
const mostFrequent = (levels: ReadonlyMap<string, number>, count: number): string[] =>
  sorted(
    [...levels]
      .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      .slice(0, count)
      .map(([level]) => level),
  );

function categoryOf(
  seen: Seen,
  base: { column: string; missing: number; reason: string },
  indicator: () => boolean,
  taught: Taught | undefined,
  told: boolean,
): ColumnEncoding {
  const { levels, rows, missing } = seen;
  const present = rows * (1 - missing);
  if (!told && levels.size > mostOneHot && levels.size > nearlyAll * present) {
    const reason = `nearly one text a row: ${levels.size} in ${Math.round(present)} rows`;
    return { ...base, kind: 'ignore', reason };
  }
  const few = levels.size <= mostOneHot;
  if (few || !taught || taught.outputs === 0) {
    const kept = mostFrequent(levels, mostOneHot);
    const reason = few ? base.reason : `${base.reason}, of which the ${mostOneHot} most frequent count`;
    return { ...base, reason, kind: 'category', coding: 'oneHot', levels: kept, indicator: indicator() };
  }
  return {
    ...base,
    kind: 'category',
    coding: 'statistics',
    levels: sorted(levels.keys()),
    outputs: taught.outputs,
    sums: '',
  };
}

/** The encoding of one column; its statistics, where it has some, are still to be taken. Errors: DataError, OptionError. */
function planColumn(
  column: string,
  cells: ArrayLike<Cell>,
  spec: ColumnSpec | undefined,
  taught: Taught | undefined,
  call: string,
): ColumnEncoding {
  const place = { call, column };
  const seen = look(cells, place, spec === 'category');
  const { missing } = seen;
  const { kind, reason, ...number } = kindOf(seen, spec);
  const base = { column, missing, reason };
  const indicator = (): boolean => missing > 0 && missing < 1 && indicatorGains(cells, taught);
  if (kind !== 'ignore' && seen.types.size === 0)
    return { ...base, kind: 'ignore', reason: 'no row has a value' };
  switch (kind) {
    case 'ignore':
      return { ...base, kind };
    case 'number':
      return { ...base, kind, ...number, indicator: indicator() };
    case 'boolean':
      return { ...base, kind, indicator: indicator() };
    case 'ordered':
      return { ...base, kind, order: (spec as { order: readonly string[] }).order, indicator: indicator() };
    case 'date': {
      const { parts, origin } = partsOf(cells, place);
      if (parts.length === 0) return { ...base, kind: 'ignore', reason: 'all dates are the same' };
      return { ...base, kind, parts, origin, indicator: indicator() };
    }
    case 'category':
      return categoryOf(seen, base, indicator, taught, spec === 'category');
  }
}

/** What the option says of a column; a column may be called 'constructor'. */
const specOf = (specs: ColumnSpecs, column: string): ColumnSpec | undefined =>
  Object.hasOwn(specs, column) ? specs[column] : undefined;

/** How each column of a table is encoded. Errors: OptionError for a column that is not there, DataError with column and row. */
export function planColumns(
  table: Table,
  specs: ColumnSpecs,
  taught: Taught | undefined,
  call: string,
): readonly ColumnEncoding[] {
  const absent = Object.keys(specs).find((name) => table.column(name) === undefined);
  if (absent !== undefined) {
    throw new OptionError(
      `${call}: the columns option has ${shown(absent)}, and X has no column of that name; it has ${table.names.join(', ')}.`,
      { option: 'columns', value: absent },
    );
  }
  const planned = table.names.map((name) =>
    planColumn(name, table.column(name) as ArrayLike<Cell>, specOf(specs, name), taught, call),
  );
  if (planned.some(({ kind }) => kind !== 'ignore')) return planned;
  throw new DataError(
    `${call}: no column of X says anything of other rows: ${planned.map(({ column, reason }) => `${shown(column)} has ${reason}`).join('; ') || 'there are none'}.`,
    { argument: 'X' },
  );
}

/** Columns that were left out although nobody said so, a sentence each. */
export const leftOut = (encoding: AnyEncoding | undefined, specs: ColumnSpecs): readonly string[] =>
  (isTableEncoding(encoding) ? encoding.columns : [])
    .filter(({ column, kind }) => kind === 'ignore' && specOf(specs, column) !== 'ignore')
    .map(({ column, reason }) => `column ${shown(column)} is left out: ${reason}.`);

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
import { type CellPlace, dateOf, isMissing, levelOf, numberOf, numberOfText } from './cells.js';
import { msOfText, partOf } from './dates.js';
import { valueText } from './encode.js';
import { priorRows } from './statistics.js';

/** Levels of a category at most that are one-hot. */
const mostOneHot = 16;
/** Share of rows with a text of their own from which texts say nothing of other rows. */
const nearlyAll = 0.9;
/** Standard errors by which a finer column has to gain on rows of other folds. */
const gainErrors = 2;
/** Values of a number at most that have statistics of their own, and quantile bins that they have to beat. */
const mostValues = 256;
const binCount = 32;

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

/** Folds that no period of the rows follows. */
const foldOf = (row: number): number => (Math.imul(row + 1, 0x9e3779b1) >>> 16) % foldCount;

/** Group means by fold, shrunk to the mean of all: what a row of a fold is foretold by rows of the others. */
function foretold(groups: Int32Array, count: number, { targets, outputs, weights }: Taught): Float64Array {
  const size = 1 + outputs;
  const sums = new Float64Array(foldCount * (count + 1) * size);
  const add = (fold: number, group: number, row: number): void => {
    const at = (fold * (count + 1) + group) * size;
    const w = weights[row] as number;
    sums[at] = (sums[at] as number) + w;
    for (let t = 0; t < outputs; t++)
      sums[at + 1 + t] = (sums[at + 1 + t] as number) + w * (targets[row * outputs + t] as number);
  };
  // The group behind the others holds all rows.
  groups.forEach((group, row) => {
    add(foldOf(row), group, row);
    add(foldOf(row), count, row);
  });
  const totals = new Float64Array((count + 1) * size);
  sums.forEach((value, i) => {
    totals[i % totals.length] = (totals[i % totals.length] as number) + value;
  });
  const predictions = new Float64Array(groups.length * outputs);
  groups.forEach((group, row) => {
    const begin = foldOf(row) * totals.length;
    const others = (of: number, part: number): number =>
      (totals[of * size + part] as number) - (sums[begin + of * size + part] as number);
    for (let t = 0; t < outputs; t++) {
      const mean = others(count, 1 + t) / Math.max(others(count, 0), Number.MIN_VALUE);
      predictions[row * outputs + t] =
        (others(group, 1 + t) + priorRows * mean) / (others(group, 0) + priorRows);
    }
  });
  return predictions;
}

/**
 * Whether the means of finer groups foretell the targets of rows in other folds better than those of coarser ones: the mean of the
 * paired differences of squared errors is more than `gainErrors` standard errors above 0.
 */
function gains(
  fine: { readonly groups: Int32Array; readonly count: number },
  coarse: { readonly groups: Int32Array; readonly count: number },
  taught: Taught | undefined,
): boolean {
  if (!taught || taught.outputs === 0) return false;
  const { targets, outputs, weights } = taught;
  const [a, b] = [foretold(coarse.groups, coarse.count, taught), foretold(fine.groups, fine.count, taught)];
  let [sum, squares, count] = [0, 0, 0];
  fine.groups.forEach((_, row) => {
    let gain = 0;
    for (let i = row * outputs; i < (row + 1) * outputs; i++) {
      const y = targets[i] as number;
      gain += (y - (a[i] as number)) ** 2 - (y - (b[i] as number)) ** 2;
    }
    const w = weights[row] as number;
    sum += w * gain;
    squares += w * gain * gain;
    count += w;
  });
  if (count <= 1) return false;
  const mean = sum / count;
  return mean > gainErrors * Math.sqrt(Math.max(0, squares / count - mean * mean) / count);
}

/** Whether it helps to know what is missing. */
function indicatorGains(cells: ArrayLike<Cell>, taught: Taught | undefined): boolean {
  const groups = Int32Array.from({ length: cells.length }, (_, row) => Number(isMissing(cells[row])));
  return gains({ groups, count: 2 }, { groups: new Int32Array(cells.length), count: 1 }, taught);
}

/**
 * The values of a number that tell targets by themselves, beyond what a curve over their order tells: means of values against means of
 * quantile bins. Undefined where they do not, and where there are too many or too few.
 */
function valuesOf(numbers: Float64Array, taught: Taught | undefined): readonly number[] | undefined {
  const present = numbers.filter((value) => !Number.isNaN(value)).sort();
  const values = present.filter((value, i) => i === 0 || value !== present[i - 1]);
  if (values.length <= binCount || values.length > mostValues || !taught) return undefined;
  const cuts = Array.from(
    { length: binCount - 1 },
    (_, k) => present[Math.floor(((k + 1) * present.length) / binCount)] as number,
  );
  const place = new Map(Array.from(values, (value, k) => [value, k]));
  const fine = Int32Array.from(numbers, (value) => place.get(value) ?? values.length);
  const coarse = Int32Array.from(numbers, (value) =>
    Number.isNaN(value) ? binCount : cuts.filter((cut) => value >= cut).length,
  );
  const better = gains(
    { groups: fine, count: values.length + 1 },
    { groups: coarse, count: binCount + 1 },
    taught,
  );
  return better ? [...values] : undefined;
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
    case 'number': {
      const { texts = false, decimal } = number;
      const read = (cell: Cell, row: number): number =>
        isMissing(cell) ? Number.NaN : Math.fround(numberOf(cell, row, place, texts, decimal)) + 0;
      const values = valuesOf(
        Float64Array.from({ length: cells.length }, (_, row) => read(cells[row], row)),
        taught,
      );
      const plan = { ...base, kind, ...number, indicator: indicator() };
      if (!values || !taught) return plan;
      const statistics = { levels: values.map(valueText), outputs: taught.outputs, sums: '' };
      return {
        ...plan,
        reason: `${reason}, of which ${values.length} come again and again`,
        values: statistics,
      };
    }
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

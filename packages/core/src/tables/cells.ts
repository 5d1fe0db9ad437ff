// What one cell says to a column of a kind: a number, the text of a level, or that it is missing. A cell of another kind is an error
// with its column and row.

import type { Cell } from '../data/table.js';
import { DataError, shown } from '../errors.js';
import { msOfText } from './dates.js';

/** Where a cell stands: opens the sentence of an error. */
export interface CellPlace {
  readonly call: string;
  readonly column: string;
}

/** null, undefined, NaN, and texts of blanks alone. */
export const isMissing = (cell: unknown): boolean =>
  cell === null ||
  cell === undefined ||
  (typeof cell === 'number' && Number.isNaN(cell)) ||
  (typeof cell === 'string' && (cell === '' || cell.trim() === ''));

/** Errors: DataError. */
export function wrongCell({ call, column }: CellPlace, row: number, value: unknown, wanted: string): never {
  throw new DataError(`${call}: column ${shown(column)} is ${shown(value)} in row ${row}; ${wanted}.`, {
    argument: 'X',
    column,
    row,
    value,
  });
}

const dotted = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const grouped: Readonly<Record<',' | '.', RegExp>> = {
  '.': /^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/,
  ',': /^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$/,
};
const commaed = /^[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?$/;

/**
 * The number that a text is; NaN where it is none. Without `decimal` a point is the decimal mark and there are no thousands
 * separators; with it, the other mark separates thousands.
 */
export function numberOfText(text: string, decimal?: ',' | '.'): number {
  const bare = text.trim();
  if (decimal === undefined) return dotted.test(bare) ? Number(bare) : Number.NaN;
  if (grouped[decimal].test(bare))
    return Number(bare.replaceAll(decimal === ',' ? '.' : ',', '').replace(',', '.'));
  if (decimal === '.') return dotted.test(bare) ? Number(bare) : Number.NaN;
  return commaed.test(bare) ? Number(bare.replace(',', '.')) : Number.NaN;
}

/** The largest number that float32 holds. */
const largest = 3.4028234663852886e38;

/** Errors: DataError for a text where numbers were, and for a number beyond float32. */
export function numberOf(
  cell: Cell,
  row: number,
  place: CellPlace,
  texts: boolean,
  decimal?: ',' | '.',
): number {
  let value: number;
  if (typeof cell === 'number') value = cell;
  else if (typeof cell === 'bigint') value = Number(cell);
  else if (typeof cell === 'string' && texts) {
    value = numberOfText(cell, decimal);
    if (Number.isNaN(value)) wrongCell(place, row, cell, 'the texts of this column are numbers');
  } else wrongCell(place, row, cell, 'this column is of numbers');
  if (Math.abs(value) > largest) wrongCell(place, row, cell, 'float32 holds numbers up to 3.4e38');
  return value;
}

/** Errors: DataError. */
export const truthOf = (cell: Cell, row: number, place: CellPlace): number =>
  typeof cell === 'boolean' ? Number(cell) : wrongCell(place, row, cell, 'this column is true or false');

/** ms since 1970 of a Date, of ms as a number or bigint, or of an ISO text. Errors: DataError. */
export function dateOf(cell: Cell, row: number, place: CellPlace): number {
  const ms =
    cell instanceof Date
      ? cell.getTime()
      : typeof cell === 'string'
        ? msOfText(cell)
        : typeof cell === 'number' || typeof cell === 'bigint'
          ? Number(cell)
          : Number.NaN;
  // The range of Date, in whole milliseconds as Date has them.
  if (Math.abs(ms) <= 8.64e15) return Math.trunc(ms);
  return wrongCell(
    place,
    row,
    cell,
    "this column is of dates: a Date, an ISO 8601 text like '2026-12-01T09:30', or ms since 1970",
  );
}

/** The text of a level. Errors: DataError for what is neither a text, a number, a truth value nor a date. */
export function levelOf(cell: Cell, row: number, place: CellPlace): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number' || typeof cell === 'bigint' || typeof cell === 'boolean') return String(cell);
  if (cell instanceof Date && !Number.isNaN(cell.getTime())) return cell.toISOString();
  return wrongCell(place, row, cell, 'a cell is a number, a text, true or false, a date, or missing');
}

// The kind of a CSV column, from some of its cells, and the value of a cell. Both follow one rule: if the kind is 'number' or
// 'integer', each of those cells is a number.

import type { Field } from './table.js';

/** Decimal numbers that fill the whole text; Number() also accepts '', ' ' and '0x10'. */
const decimal = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const notFinite: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '+infinity': Number.POSITIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
};
const logical: Readonly<Record<string, number>> = { true: 1, false: 0 };
const date = /^\s*\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d.*)?\s*$/;
const blank = /^\s*$/;

const powersOf10 = Array.from({ length: 16 }, (_, k) => 10 ** k);

/**
 * Fast path for at most 15 digits with a point: one division of two exact numbers, which rounds like Number(). NaN for other texts.
 */
function shortDecimal(cell: string): number {
  const { length } = cell;
  let at = cell.charCodeAt(0) === 45 ? 1 : 0;
  if (length === at || length - at > 16) return Number.NaN;
  const begin = at;
  let [value, point] = [0, -1];
  for (; at < length; at++) {
    const digit = cell.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else if (digit === -2 && point < 0) point = at;
    else return Number.NaN;
  }
  const digits = length - begin - (point < 0 ? 0 : 1);
  if (digits === 0 || digits > 15) return Number.NaN;
  if (point >= 0) value /= powersOf10[length - point - 1] as number;
  return begin === 1 ? -value : value;
}

/** The number in a cell: NaN for a blank cell and 'nan', 1 and 0 for 'true' and 'false', undefined for any other text. */
export function numberOf(cell: string): number | undefined {
  const short = shortDecimal(cell);
  if (!Number.isNaN(short)) return short;
  if (decimal.test(cell)) return Number(cell);
  if (blank.test(cell)) return Number.NaN;
  const word = cell.trim().toLowerCase();
  return notFinite[word] ?? logical[word];
}

/** The kinds that are possible for the cells so far. */
export class CellKinds {
  private some = false;
  private whole = true;
  private number = true;
  private boolean = true;
  private date = true;

  /** Adds a cell that is not missing. */
  add(cell: string): void {
    if (!this.number && !this.boolean && !this.date) return;
    if (blank.test(cell)) return;
    this.some = true;
    if (this.number) {
      if (decimal.test(cell)) this.whole &&= Number.isInteger(Number(cell));
      else if (cell.trim().toLowerCase() in notFinite) this.whole = false;
      else this.number = false;
    }
    this.boolean &&= cell.trim().toLowerCase() in logical;
    this.date &&= date.test(cell);
  }

  /** Whether there was any cell. */
  get seen(): boolean {
    return this.some;
  }

  get kind(): Pick<Field, 'kind' | 'type'> {
    if (!this.some) return { kind: 'number', type: 'of no cells' };
    if (this.boolean) return { kind: 'integer', type: 'boolean' };
    if (this.number) return { kind: this.whole ? 'integer' : 'number', type: 'number' };
    return this.date ? { kind: 'other', type: 'date' } : { kind: 'text', type: 'text' };
  }
}

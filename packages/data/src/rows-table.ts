// Turns columns of mixed JavaScript values into typed columns, for formats that give such values.

import { shown } from '@fkm/core/graph';
import { dataError } from './errors.js';
import type { Chunk, Column, Field, Wanted } from './table.js';

/** Number of rows that determine the kinds of columns without a declared type. */
export const rowsOfKinds = 1000;

const isMissing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value));

/** The kind of a column from some of its values: numbers, texts, or something else. */
export function kindOf(values: readonly unknown[]): Pick<Field, 'kind' | 'type' | 'scale'> {
  let whole = true;
  const types = new Set<string>();
  for (const value of values) {
    if (isMissing(value)) continue;
    types.add(typeof value === 'bigint' ? 'number' : typeof value);
    if (typeof value === 'number' && !Number.isInteger(value)) whole = false;
  }
  types.delete(types.has('number') ? 'boolean' : '');
  const [type = 'number'] = types;
  if (types.size > 1) return { kind: 'other', type: [...types].join(' and ') };
  if (type === 'boolean') return { kind: 'integer', type };
  if (type === 'number') {
    const exact = whole && values.some((value) => typeof value === 'bigint');
    return { kind: whole && types.size > 0 ? 'integer' : 'number', type, ...(exact ? { scale: 0 } : {}) };
  }
  return { kind: type === 'string' ? 'text' : 'other', type };
}

/** Whether a value of a text column is a plain number, which is converted to text: '1' and 1 in one column are two kinds. */
const isPlain = (value: unknown): boolean => ['number', 'bigint', 'boolean'].includes(typeof value);

/** A typed column from values; `first` is the number of its first row. Errors: DataError. */
export function typed(
  values: ArrayLike<unknown>,
  { name, as, kind }: Wanted,
  call: string,
  first: number,
): Column {
  const n = values.length;
  if (as === 'text') {
    const out = new Array<string | null>(n);
    for (let i = 0; i < n; i++) {
      const value = values[i];
      if (isMissing(value)) out[i] = null;
      else if (typeof value === 'string' || (kind !== 'text' && isPlain(value))) out[i] = String(value);
      else {
        throw dataError(
          `${call}: column '${name}' has a ${value instanceof Date ? 'date' : typeof value} in row ${first + i}, where texts are: ${shown(value)}.`,
          { column: name, row: first + i, value },
        );
      }
    }
    return out;
  }
  const out = new (as === 'float32' ? Float32Array : Float64Array)(n);
  for (let i = 0; i < n; i++) {
    const value = values[i];
    if (isMissing(value)) out[i] = Number.NaN;
    else if (as === 'float64' && typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
      throw dataError(
        `${call}: column '${name}' is ${value} in row ${first + i}, which float64 does not hold exactly; make it a text.`,
        { column: name, row: first + i, value },
      );
    } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
      out[i] = Number(value);
    else {
      throw dataError(
        `${call}: column '${name}' is '${String(value)}' in row ${first + i}, and should be a number.`,
        {
          column: name,
          row: first + i,
          value,
        },
      );
    }
  }
  return out;
}

/** Columns of equal length as a chunk. */
export const chunkOf = (
  rows: number,
  columnAt: (wanted: Wanted) => ArrayLike<unknown>,
  wanted: readonly Wanted[],
  call: string,
  first: number,
): Chunk => ({
  rows,
  column: (at) => {
    const it = wanted[at] as Wanted;
    return typed(columnAt(it), it, call, first);
  },
});

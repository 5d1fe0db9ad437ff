// Encodes objects as rows of X for prediction, as sources encode columns.

import type { Encoding, FeatureEncoding, FlatMatrix } from '@fkm/core';
import { shown } from '@fkm/core/graph';
import { checkOptions, encodedWidth } from '@fkm/core/internal';
import { numberOf } from './csv-cells.js';
import { checkEncoding, infinite, type Missing, placesOf, refuse } from './encoding.js';
import { dataError, scope, shapeError } from './errors.js';
import { policy } from './options.js';

export interface EncodeOptions {
  /** What happens to missing values: an error, or masked features. Default 'error'. */
  readonly missing?: Missing | undefined;
  /** The same for a text that is not among the categories. Default 'error'. */
  readonly unknown?: Missing | undefined;
}

type Row = Readonly<Record<string, unknown>>;

const call = 'encodeRows';

/**
 * Encodes objects as X [N, D] for prediction, with a mask if `missing` or `unknown` is 'mask'. null, undefined, NaN and blank texts
 * are missing; they are NaN in X, so that using X without its mask is an error. Texts of numbers are read as in CSV. A row may have
 * additional keys. If one of its columns is absent, an additional key is taken as its misspelling. Errors: ShapeError if rows
 * is not an array of objects; DataError with row and column; OptionError; FormatError for an invalid encoding.
 */
export function encodeRows(
  encoding: Encoding,
  rows: readonly Row[],
  options: EncodeOptions = {},
): { readonly X: FlatMatrix; readonly featureMask?: FlatMatrix } {
  const { features } = checkEncoding(encoding, call);
  const { missing, unknown } = policiesOf(options);
  checkRows(rows, features);
  const D = features.reduce((sum, feature) => sum + encodedWidth(feature), 0);
  const data = new Float32Array(rows.length * D);
  const mask = missing === 'mask' || unknown === 'mask' ? new Float32Array(data.length).fill(1) : undefined;
  let first = 0;
  for (const feature of features) {
    const { column } = feature;
    const width = encodedWidth(feature);
    const places = feature.kind === 'number' ? undefined : placesOf(feature);
    for (const [i, row] of rows.entries()) {
      const at = i * D + first;
      const given = row[column];
      const value = places ? placeOf(given, places, column, i) : numberIn(given, column, i);
      if (value === null || value === unseen) {
        const text = value === null ? null : String(given);
        refuse(call, text === null ? missing : unknown, column, i, text);
        mask?.fill(0, at, at + width);
        data.fill(Number.NaN, at, at + width);
      } else if (feature.kind === 'oneHot') data[at + value] = 1;
      else data[at] = value;
    }
    first += width;
  }
  const shape = [rows.length, D] as const;
  return { X: { data, shape }, ...(mask ? { featureMask: { data: mask, shape } } : {}) };
}

function policiesOf(options: EncodeOptions): { missing: Missing; unknown: Missing } {
  checkOptions(options, { missing: policy, unknown: policy }, { call, scope });
  const { missing = 'error', unknown = 'error' } = options;
  return { missing, unknown };
}

/** Errors: ShapeError if rows is not an array of objects; DataError for a misspelt key. */
function checkRows(rows: readonly Row[], features: readonly FeatureEncoding[]): void {
  if (!Array.isArray(rows)) {
    throw shapeError(
      `${call}: rows should be an array of objects, got ${shown(rows)}; pass one row as [row].`,
      { argument: 'rows' },
    );
  }
  const columns = features.map(({ column }) => column);
  const known = new Set(columns);
  for (const [row, given] of rows.entries()) {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      throw shapeError(
        `${call}: row ${row} should be an object { ${columns.slice(0, 3).join(', ')}${columns.length > 3 ? ', …' : ''} }, got ${shown(given)}.`,
        { argument: 'rows', row },
      );
    }
    const absent = columns.filter((column) => !(column in given));
    const strange = absent.length > 0 ? Object.keys(given).filter((key) => !known.has(key)) : [];
    if (strange.length === 0) continue;
    const [key, column] = nearest(strange, absent);
    throw dataError(
      `${call}: row ${row} has no '${column}', and has '${key}', which is none of the columns; did you mean '${column}'? A value that is missing is null.`,
      { row, column, key },
    );
  }
}

/** The pair of key and column with the most similar names. */
function nearest(
  keys: readonly string[],
  columns: readonly string[],
): readonly [key: string, column: string] {
  let best = [keys[0] as string, columns[0] as string] as const;
  let least = Number.POSITIVE_INFINITY;
  for (const key of keys)
    for (const column of columns) {
      const distance = edits(key.toLowerCase(), column.toLowerCase());
      if (distance < least) [best, least] = [[key, column], distance];
    }
  return best;
}

/** Number of letters to insert, remove or replace (Levenshtein 1966). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (row[j] as number) + 1,
          (next[j - 1] as number) + 1,
          (row[j - 1] as number) + Number(a[i - 1] !== b[j - 1]),
        ),
      );
    row = next;
  }
  return row[b.length] as number;
}

const unseen = -1;

const isMissing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value));

/** Errors: DataError. */
function wrongKind(value: unknown, column: string, row: number, wanted: string): never {
  const remedy =
    value instanceof Date
      ? ': a source takes no dates either, but what a query made of them, as value.getTime() makes milliseconds'
      : '';
  throw dataError(
    `${call}: column '${column}' is ${value instanceof Date ? 'a date' : shown(value)} in row ${row}, and should be ${wanted}${remedy}.`,
    { column, row, value },
  );
}

/** The index of a category; null for a missing value, `unseen` for an unknown one. */
function placeOf(
  value: unknown,
  places: ReadonlyMap<string, number>,
  column: string,
  row: number,
): number | null {
  if (isMissing(value)) return null;
  if (!['string', 'number', 'bigint', 'boolean'].includes(typeof value))
    wrongKind(value, column, row, 'a text');
  const text = String(value);
  return places.get(text) ?? (text.trim() === '' ? null : unseen);
}

/** A number within float32; null if it is missing. */
function numberIn(value: unknown, column: string, row: number): number | null {
  if (isMissing(value)) return null;
  const number =
    typeof value === 'string'
      ? numberOf(value)
      : ['number', 'bigint', 'boolean'].includes(typeof value)
        ? Number(value)
        : undefined;
  if (number === undefined) wrongKind(value, column, row, 'a number');
  if (Number.isNaN(number)) return null;
  if (!Number.isFinite(Math.fround(number))) infinite(call, column, number, row);
  return number;
}

// From named columns to the columns of X: numbers as they are, texts one-hot or as a number. What was settled is a plain
// object that models keep, for the next source of the same kind and for rows at prediction.

import { type Encoding, encodedWidth, type FlatMatrix, isEncoding } from '@fkm/core';
import { dataError, formatError, optionError } from './errors.js';
import type { Field } from './table.js';

export type Missing = 'error' | 'mask';

/** Names of the columns of X: 'age', 'colour=red', 'colour=blue'. */
export const columnsOf = ({ features }: Encoding): string[] =>
  features.flatMap((feature) =>
    feature.kind === 'oneHot'
      ? feature.categories.map((category) => `${feature.column}=${category}`)
      : [feature.column],
  );

/** The kinds of columns that are settled before anything is read: those of the encoding, and weights. */
export function kindsOf(options: {
  readonly encoding?: Encoding | undefined;
  readonly weight?: string | undefined;
}): ReadonlyMap<string, Pick<Field, 'kind' | 'type'>> {
  const { encoding, weight } = options;
  const kinds = new Map<string, Pick<Field, 'kind' | 'type'>>();
  if (weight !== undefined) kinds.set(weight, { kind: 'number', type: 'number' });
  for (const { column, kind } of isEncoding(encoding) ? encoding.features : []) {
    const own = kind === 'number' ? 'number' : 'text';
    kinds.set(column, { kind: own, type: `${own} by the encoding` });
  }
  return kinds;
}

/** The place of each category. */
export const placesOf = ({ categories }: { readonly categories: readonly string[] }): Map<string, number> =>
  new Map(categories.map((category, place) => [category, place]));

/** An encoding that was stored. Errors: FormatError. */
export function checkEncoding(given: unknown, call: string): Encoding {
  if (isEncoding(given)) return given;
  throw formatError(
    `${call}: encoding is none that a source of this version has; pass source.encoding or model.encoding.`,
    { argument: 'encoding' },
  );
}

export interface EncodeOptions {
  /** What a value that is missing becomes: an error, or a masked feature. Default 'error'. */
  readonly missing?: Missing | undefined;
  /** The same for a text that is none of the categories. Default 'error'. */
  readonly unknown?: Missing | undefined;
}

/**
 * X [N, D] of objects by an encoding, with its mask where `missing` or `unknown` is 'mask': for rows at prediction.
 * Errors: DataError with row and column; FormatError for an encoding that is none.
 */
export function encodeRows(
  encoding: Encoding,
  rows: readonly Readonly<Record<string, unknown>>[],
  options: EncodeOptions = {},
): { readonly X: FlatMatrix; readonly featureMask?: FlatMatrix } {
  const { features } = checkEncoding(encoding, 'encodeRows');
  const { missing = 'error', unknown = 'error' } = options;
  for (const [option, value] of Object.entries({ missing, unknown }))
    checkPolicy(option, value, 'encodeRows');
  const D = features.reduce((sum, feature) => sum + encodedWidth(feature), 0);
  const data = new Float32Array(rows.length * D);
  const mask = missing === 'mask' || unknown === 'mask' ? new Float32Array(data.length).fill(1) : undefined;
  let first = 0;
  for (const feature of features) {
    const width = encodedWidth(feature);
    const places = feature.kind === 'number' ? undefined : placesOf(feature);
    rows.forEach((row, i) => {
      const at = i * D + first;
      const given = row[feature.column];
      const absent = given === null || given === undefined || Number.isNaN(given);
      const place = absent ? -1 : places ? (places.get(String(given)) ?? -1) : Number(given);
      if (absent || (places && place < 0)) {
        refuse('encodeRows', absent ? missing : unknown, feature.column, i, absent ? null : String(given));
        mask?.fill(0, at, at + width);
      } else if (Number.isNaN(place)) {
        throw dataError(
          `encodeRows: column '${feature.column}' is '${given}' in row ${i}, and should be a number.`,
          {
            column: feature.column,
            row: i,
            value: given,
          },
        );
      } else if (feature.kind === 'oneHot') data[at + place] = 1;
      else data[at] = place;
    });
    first += width;
  }
  const shape = [rows.length, D] as const;
  return { X: { data, shape }, ...(mask ? { featureMask: { data: mask, shape } } : {}) };
}

/** Errors: OptionError. */
export function checkPolicy(option: string, value: unknown, call: string): void {
  if (value === 'error' || value === 'mask') return;
  throw optionError(`${call}: ${option} is ${String(value)}; allowed is 'error', 'mask'.`, { option, value });
}

/** Errors: DataError where the value may not be missing, or not be another category. */
export function refuse(
  call: string,
  policy: Missing,
  column: string,
  row: number,
  text: string | null,
): void {
  if (policy === 'mask') return;
  const [what, remedy] =
    text === null
      ? ['is missing', "fill it in, or pass missing: 'mask'"]
      : [`is '${text}', which is none of its categories,`, "extend the encoding, or pass unknown: 'mask'"];
  throw dataError(`${call}: column '${column}' ${what} in row ${row}; ${remedy}.`, {
    column,
    row,
    value: text,
  });
}

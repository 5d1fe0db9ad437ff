// Encodes named columns as columns of X: numbers as they are, texts one-hot or as an index. The encoding is a plain object, which
// models keep for later sources and for rows at prediction.

import type { Encoding } from '@fkm/core';
import { isEncoding } from '@fkm/core/internal';
import { dataError, formatError } from './errors.js';
import type { Field } from './table.js';

export type Missing = 'error' | 'mask';

/** Names of the columns of X: 'age', 'colour=red', 'colour=blue'. */
export const columnsOf = ({ features }: Encoding): string[] =>
  features.flatMap((feature) =>
    feature.kind === 'oneHot'
      ? feature.categories.map((category) => `${feature.column}=${category}`)
      : [feature.column],
  );

/** The kinds of columns that are known before reading: those of the encoding, and of weights. */
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

/** The index of each category. */
export const placesOf = ({ categories }: { readonly categories: readonly string[] }): Map<string, number> =>
  new Map(categories.map((category, place) => [category, place]));

/** A stored encoding, checked. Errors: FormatError. */
export function checkEncoding(given: unknown, call: string): Encoding {
  if (isEncoding(given)) return given;
  throw formatError(
    `${call}: encoding is not valid in this version; pass source.encoding or model.encoding.`,
    { argument: 'encoding' },
  );
}

/** Errors: DataError for a value that may not be missing, or not be an unknown category. */
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

/** Errors: always DataError, for a feature outside the range of float32. */
export function infinite(call: string, column: string, value: number, row: number): never {
  throw dataError(
    `${call}: column '${column}' is ${value} in row ${row}, and float32 ends at 3.4e38; leave such rows out, or divide the column by a constant.`,
    { column, row, value },
  );
}

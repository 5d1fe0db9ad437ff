// How the columns of a table became the columns of X: made by sources and kept with the model, so that later rows are encoded alike. This
// is plain data; sources do the encoding.

import { shown } from '../errors.js';
import { isTableEncoding, type TableEncoding, tableDifference, tableWidth } from './table-encoding.js';

/** How one column becomes columns of X. */
export type FeatureEncoding =
  | { readonly column: string; readonly kind: 'number' }
  /** A column of X for each category, 1 where the row has it; or one column with the category's place, from 0. */
  | { readonly column: string; readonly kind: 'oneHot' | 'ordinal'; readonly categories: readonly string[] };

/** JSON that reproduces the encoding. The columns of X follow the order of the features and of their categories. */
export interface Encoding {
  readonly version: 1;
  readonly features: readonly FeatureEncoding[];
}

const isFeature = (value: unknown): value is FeatureEncoding => {
  const { column, kind, categories } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof column !== 'string') return false;
  if (kind === 'number') return true;
  return (
    (kind === 'oneHot' || kind === 'ordinal') &&
    Array.isArray(categories) &&
    categories.length > 0 &&
    categories.every((text) => typeof text === 'string') &&
    new Set(categories).size === categories.length
  );
};

/** True for `source.encoding` and `model.encoding`. */
export function isEncoding(value: unknown): value is Encoding {
  const { version, features } = (value ?? {}) as Partial<Encoding>;
  return version === 1 && Array.isArray(features) && features.length > 0 && features.every(isFeature);
}

/** Number of columns of X that a feature takes. */
export const encodedWidth = (feature: FeatureEncoding): number =>
  feature.kind === 'oneHot' ? feature.categories.length : 1;

/** How a source or a model makes X of the columns of a table. */
export type AnyEncoding = Encoding | TableEncoding;

/** Columns of X that an encoding makes; null of what is none. */
export function anyWidth(encoding: unknown): number | null {
  if (isTableEncoding(encoding)) return tableWidth(encoding);
  if (!isEncoding(encoding)) return null;
  return encoding.features.reduce((sum, feature) => sum + encodedWidth(feature), 0);
}

/** Canonical JSON: equal encodings have equal texts. */
export const encodingText = (encoding: AnyEncoding): string =>
  encoding.version === 2 ? JSON.stringify(encoding) : matrixText(encoding);

const matrixText = ({ version, features }: Encoding): string =>
  JSON.stringify({
    version,
    features: features.map(({ column, kind, ...more }) => ({
      column,
      kind,
      ...('categories' in more ? { categories: more.categories } : {}),
    })),
  });

/** The first difference of two encodings, as half a sentence about the second; null if they give the same X. */
export function encodingDifference(own: AnyEncoding, other: AnyEncoding): string | null {
  if (own.version === 2 || other.version === 2) {
    return own.version === 2 && other.version === 2
      ? tableDifference(own, other)
      : 'is of another kind than the model has';
  }
  if (own === other || encodingText(own) === encodingText(other)) return null;
  const [a, b] = [own.features, other.features];
  const at = a.findIndex((feature, i) => JSON.stringify(feature) !== JSON.stringify(b[i]));
  const [mine, its] = [a[at], b[at]];
  if (!mine || !its) return `is of ${b.length} columns, the model of ${a.length}`;
  if (mine.column !== its.column) return `has ${shown(its.column)} where the model has ${shown(mine.column)}`;
  if (mine.kind !== its.kind)
    return `makes ${shown(its.column)} ${its.kind} where the model has it ${mine.kind}`;
  return `gives ${shown(its.column)} other categories than the model has`;
}

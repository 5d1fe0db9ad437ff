// How columns of a table became the columns of X: made by sources, kept with what was learned from them, so that later
// rows become the same X. Plain data; the encoding itself is left to sources.

import { shown } from '../errors.js';

/** How one column becomes columns of X. */
export type FeatureEncoding =
  | { readonly column: string; readonly kind: 'number' }
  /** A column of X for each category, 1 where the row has it; or one column with the category's place, from 0. */
  | { readonly column: string; readonly kind: 'oneHot' | 'ordinal'; readonly categories: readonly string[] };

/** JSON: what makes the same X of other rows. Columns of X are in the order of the features and their categories. */
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

/** True for what `source.encoding` and `model.encoding` are. */
export function isEncoding(value: unknown): value is Encoding {
  const { version, features } = (value ?? {}) as Partial<Encoding>;
  return version === 1 && Array.isArray(features) && features.length > 0 && features.every(isFeature);
}

/** Columns of X that a column becomes. */
export const encodedWidth = (feature: FeatureEncoding): number =>
  feature.kind === 'oneHot' ? feature.categories.length : 1;

/** As JSON: equal encodings give equal texts. */
export const encodingText = ({ version, features }: Encoding): string =>
  JSON.stringify({
    version,
    features: features.map(({ column, kind, ...more }) => ({
      column,
      kind,
      ...('categories' in more ? { categories: more.categories } : {}),
    })),
  });

/** Where two encodings part, as half a sentence about the second; null where they make the same X. */
export function encodingDifference(own: Encoding, other: Encoding): string | null {
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

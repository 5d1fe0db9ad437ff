// The options that all sources share, and the plan that they give for a table's fields.

import type { Encoding, FeatureEncoding } from '@fkm/core';
import { cut } from '@fkm/core/graph';
import {
  abortSignal,
  anything,
  checkOptions,
  integer,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
  type Rules,
} from '@fkm/core/internal';
import { checkEncoding, type Missing } from './encoding.js';
import { dataError, optionError, scope } from './errors.js';
import type { Field, Table, Wanted } from './table.js';

/** How the rows of a source are shuffled. */
export interface Shuffle {
  /** Number of rows in the buffer. */
  readonly rows: number;
  /** Seed. Default 0. */
  readonly randomState?: number | undefined;
  /** @deprecated Use `randomState`. */
  readonly seed?: number | undefined;
}

export interface SourceOptions {
  /** Columns that are features, in this order. Default: all but target and weight. */
  readonly features?: readonly string[] | undefined;
  /** The column of y: texts are labels, numbers are numbers; or several columns of numbers [B, T]. */
  readonly target?: string | readonly string[] | undefined;
  /** The column of sample weights. */
  readonly weight?: string | undefined;
  /** What happens to NULL, NaN and empty cells of features: an error, or masked features. Default 'error'. */
  readonly missing?: Missing | undefined;
  /** The same for a text that is not among its column's categories. Default 'error'. */
  readonly unknown?: Missing | undefined;
  /** How texts among the features are encoded. Default 'oneHot'. */
  readonly text?: 'oneHot' | 'ordinal' | 'error' | undefined;
  /** The encoding of a model or of another source, in place of `features`, `text` and a scan for categories. */
  readonly encoding?: Encoding | undefined;
  /** Rows in a batch. Default 10,240. */
  readonly batchSize?: number | undefined;
  /** @deprecated Use `batchSize`. */
  readonly batchRows?: number | undefined;
  /** Shuffles rows within a buffer, equally in every iteration. Default: the order of the source. */
  readonly shuffle?: Shuffle | undefined;
  /** Number of batches read ahead during training. Default 2. */
  readonly prefetch?: number | undefined;
  /** Ends opening and reading at once with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export const defaults = { batchSize: 10240, prefetch: 2 } as const;

const isName = (v: unknown): boolean => typeof v === 'string' && v !== '';
const isNames = (v: unknown): boolean => Array.isArray(v) && v.length > 0 && v.every(isName);

export const names: Rule = { allowed: 'a list of column names', accepts: isNames };

/** How a value that cannot be used is handled. */
export const policy: Rule = oneOf('error', 'mask');

const rules: Readonly<Record<Exclude<keyof SourceOptions, 'batchRows'>, Rule>> = {
  features: names,
  target: { allowed: 'a column name or a list of them', accepts: (v) => isName(v) || isNames(v) },
  weight: { allowed: 'a column name', accepts: isName },
  missing: policy,
  unknown: policy,
  text: oneOf('oneHot', 'ordinal', 'error'),
  encoding: anything,
  batchSize: positiveInteger,
  shuffle: objectOf('an object { rows, randomState }', (value) => 'rows' in value),
  prefetch: integer(0),
  signal: abortSignal,
};

const shuffleRules = { rows: positiveInteger, randomState: integer(0) };

/** The options under their current names; `more` are rules of further options. Errors: OptionError. */
export function checkedOptions<O extends SourceOptions>(options: O, call: string, more: Rules = {}): O {
  const given = checkOptions(
    options,
    { ...more, ...rules },
    { call, scope, renamed: { batchRows: 'batchSize' } },
  );
  if (!given.shuffle) return given;
  const shuffle = checkOptions(given.shuffle, shuffleRules, {
    call: `${call}: shuffle`,
    scope,
    renamed: { seed: 'randomState' },
  });
  return { ...given, shuffle };
}

/** What is read from a table, and how it is used. */
export interface Plan {
  readonly encoding: Encoding;
  /** The columns of the features, then of the targets, then of the weight. */
  readonly wanted: readonly Wanted[];
  readonly targets: readonly Field[];
  /** Whether y is a matrix: with several targets, or a list of one. */
  readonly targetMatrix: boolean;
  readonly weighted: boolean;
  readonly missing: Missing;
  readonly unknown: Missing;
}

/** The error for a duplicate column name, which would be ambiguous. */
export const comesTwice = (call: string, column: string, before: string = column): Error => {
  const how = before === column ? `'${column}' comes twice` : `'${column}' and '${before}' are one name here`;
  return dataError(`${call}: column ${how}; give one of the two another name.`, { column });
};

/** Errors: OptionError for columns that do not exist or have a kind that cannot be used; DataError for a duplicate name. */
export async function planOf(table: Table, options: SourceOptions): Promise<Plan> {
  const { name: call, fields } = table;
  const byName = new Map(fields.map((field) => [field.name, field]));
  const twice = fields.find((field) => byName.get(field.name) !== field);
  if (twice) throw comesTwice(call, twice.name);
  const find = (option: string, name: string, kinds: readonly Field['kind'][]): Field => {
    const field = byName.get(name);
    if (!field) {
      throw optionError(
        `${call}: ${option} names '${name}'; the columns are ${cut([...byName.keys()].join(', '))}.`,
        {
          option,
          value: name,
        },
      );
    }
    if (kinds.includes(field.kind)) return field;
    throw optionError(
      `${call}: ${option} names '${name}', whose type is ${field.type}; leave it out, or cast it to numbers or texts in a query.`,
      { option, value: name, type: field.type },
    );
  };
  const { target, weight, missing = 'error', unknown = 'error', text = 'oneHot' } = options;
  const targetNames = target === undefined ? [] : typeof target === 'string' ? [target] : target;
  const several = typeof target === 'object';
  const targets = targetNames.map((name) =>
    find('target', name, several ? ['number', 'integer'] : ['number', 'integer', 'text']),
  );
  const taken = [...targetNames, ...(weight === undefined ? [] : [weight])];
  if (weight !== undefined) find('weight', weight, ['number', 'integer']);
  const encoding = options.encoding
    ? checkEncoding(options.encoding, call)
    : await learnEncoding(
        table,
        (options.features ?? fields.map(({ name }) => name).filter((name) => !taken.includes(name))).map(
          (name) => find('features', name, ['number', 'integer', 'text']),
        ),
        text,
        options.signal,
      );
  for (const { column, kind } of encoding.features) {
    const number = kind === 'number';
    const { type } = find('encoding', column, number ? ['number', 'integer'] : ['text', 'integer', 'number']);
    if (!number && /^bool/i.test(type))
      throw optionError(
        `${call}: encoding has texts in '${column}', whose type is ${type} here; cast it to the texts that it had, which may be 'TRUE' and not 'true'.`,
        { option: 'encoding', value: column, type },
      );
  }
  return {
    encoding,
    wanted: [
      ...encoding.features.map(
        ({ column, kind }): Wanted => ({
          name: column,
          as: kind === 'number' ? 'float32' : 'text',
          kind: byName.get(column)?.kind,
        }),
      ),
      ...targets.map(
        ({ name, kind }): Wanted => ({
          name,
          as: kind === 'text' ? 'text' : 'float64',
          kind,
        }),
      ),
      ...(weight === undefined ? [] : [{ name: weight, as: 'float32' } as const]),
    ],
    targets,
    targetMatrix: several,
    weighted: weight !== undefined,
    missing,
    unknown,
  };
}

/** Learns the categories, sorted by code units. Errors: OptionError. */
async function learnEncoding(
  table: Table,
  fields: readonly Field[],
  text: NonNullable<SourceOptions['text']>,
  signal: AbortSignal | undefined,
): Promise<Encoding> {
  const { name: call } = table;
  if (fields.length === 0)
    throw optionError(`${call}: there are no columns left to be features.`, { option: 'features' });
  const texts = fields.filter(({ kind }) => kind === 'text').map(({ name }) => name);
  if (text === 'error' && texts.length > 0) {
    throw optionError(
      `${call}: column '${texts[0]}' has texts; leave it out of features, or pass text: 'oneHot'.`,
      {
        option: 'text',
        value: texts[0],
      },
    );
  }
  const distinct = texts.length > 0 ? await categoriesOf(table, texts, signal) : [];
  const features = fields.map(({ name, kind }): FeatureEncoding => {
    if (kind !== 'text' || text === 'error') return { column: name, kind: 'number' };
    const categories = [...(distinct[texts.indexOf(name)] as readonly string[])].sort();
    if (categories.length > 0) return { column: name, kind: text, categories };
    throw optionError(`${call}: column '${name}' has no text in any row; leave it out of features.`, {
      option: 'features',
      value: name,
    });
  });
  return { version: 1, features };
}

/** Most categories of a column: texts with more are names or ids. */
export const mostCategories = 10_000;

async function categoriesOf(
  table: Table,
  texts: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly string[])[]> {
  const tooMany = (name: string): never => {
    throw optionError(
      `${table.name}: column '${name}' has more than ${mostCategories} different texts; leave it out of features.`,
      { option: 'features', value: name },
    );
  };
  if (table.distinct) {
    const found = await table.distinct(texts, signal);
    for (const [i, list] of found.entries()) if (list.length > mostCategories) tooMany(texts[i] as string);
    return found;
  }
  const seen = texts.map(() => new Set<string>());
  const { chunks } = await table.read(
    texts.map((name) => ({ name, as: 'text', kind: 'text' })),
    { skip: 0, signal },
  );
  for await (const chunk of chunks) {
    for (const [at, set] of seen.entries()) {
      for (const value of chunk.column(at) as readonly (string | null)[]) if (value !== null) set.add(value);
      if (set.size > mostCategories) tooMany(texts[at] as string);
    }
  }
  return seen.map((set) => [...set]);
}

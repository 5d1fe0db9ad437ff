// The options that all sources share, and the plan that they make of a table's fields.

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

/** How the rows of a source are mixed. */
export interface Shuffle {
  /** Rows of the buffer. */
  readonly rows: number;
  /** Seed. Default 0. */
  readonly randomState?: number | undefined;
  /** @deprecated The old name of `randomState`. */
  readonly seed?: number | undefined;
}

export interface SourceOptions {
  /** Columns that are features, in this order. Default: all that are neither target nor weight. */
  readonly features?: readonly string[] | undefined;
  /** The column that y is of: texts are labels, numbers are numbers; or several columns of numbers [B, T]. */
  readonly target?: string | readonly string[] | undefined;
  /** The column of sample weights. */
  readonly weight?: string | undefined;
  /** What NULL, NaN and empty cells of features become: an error, or masked features. Default 'error'. */
  readonly missing?: Missing | undefined;
  /** The same for a text that is none of its column's categories. Default 'error'. */
  readonly unknown?: Missing | undefined;
  /** What texts among the features become. Default 'oneHot'. */
  readonly text?: 'oneHot' | 'ordinal' | 'error' | undefined;
  /** `encoding` of a model or of another source, in place of `features`, `text` and a look at the categories. */
  readonly encoding?: Encoding | undefined;
  /** Rows of a batch. Default 10,240. */
  readonly batchSize?: number | undefined;
  /** @deprecated The old name of `batchSize`. */
  readonly batchRows?: number | undefined;
  /** Mixes rows within a buffer, in the same way in every iteration. Default: the order of the source. */
  readonly shuffle?: Shuffle | undefined;
  /** Batches read ahead while others train. Default 2. */
  readonly prefetch?: number | undefined;
  /** Stops opening and reading with the signal's reason, at once. */
  readonly signal?: AbortSignal | undefined;
}

export const defaults = { batchSize: 10240, prefetch: 2 } as const;

const isName = (v: unknown): boolean => typeof v === 'string' && v !== '';
const isNames = (v: unknown): boolean => Array.isArray(v) && v.length > 0 && v.every(isName);

export const names: Rule = { allowed: 'a list of column names', accepts: isNames };

/** What a value that cannot be used becomes. */
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

/** The options under their present names; `more` are rules of options besides. Errors: OptionError. */
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

/** What is read of a table, and what becomes of it. */
export interface Plan {
  readonly encoding: Encoding;
  /** The features' columns, then the targets', then the weight's. */
  readonly wanted: readonly Wanted[];
  readonly targets: readonly Field[];
  /** Several targets, or a list of one, are a matrix. */
  readonly targetMatrix: boolean;
  readonly weighted: boolean;
  readonly missing: Missing;
  readonly unknown: Missing;
}

/** A name says which column is meant; of two of one name it cannot. */
export const comesTwice = (call: string, column: string, before: string = column): Error => {
  const how = before === column ? `'${column}' comes twice` : `'${column}' and '${before}' are one name here`;
  return dataError(`${call}: column ${how}; give one of the two another name.`, { column });
};

/** Errors: OptionError for columns that are not there, or of a kind that cannot be used; DataError for a name that comes twice. */
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

/** Categories in the order of their code units. Errors: OptionError. */
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

/** More categories than this are names or ids, not categories. */
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

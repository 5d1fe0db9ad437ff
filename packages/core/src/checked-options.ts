// The one check of options: each option is a row of a table, and all @fkm packages report violations in the same words.

import { cut, OptionError, shown } from './errors.js';

/** What an option allows. */
export interface Rule {
  /** The allowed values in words, as an error prints them after 'allowed is'. */
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

/** A row for each option of a call. */
export type Rules = Readonly<Record<string, Rule>>;

/** One of these values. */
export const oneOf = (...values: readonly unknown[]): Rule => ({
  allowed: values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(', '),
  accepts: (value) => values.includes(value),
});

/** A number for which the predicate is true. */
export const number = (allowed: string, accepts: (value: number) => boolean): Rule => ({
  allowed,
  accepts: (value) => typeof value === 'number' && accepts(value),
});

/** A value that either of the two rules accepts. */
export const either = (a: Rule, b: Rule): Rule => ({
  allowed: `${a.allowed} or ${b.allowed}`,
  accepts: (value) => a.accepts(value) || b.accepts(value),
});

/** An integer from `least` to `most`, both included. */
export const integer = (least: number, most: number = Number.MAX_SAFE_INTEGER): Rule =>
  number(
    most < Number.MAX_SAFE_INTEGER
      ? `an integer from ${least} to ${most}`
      : least === 1
        ? 'a positive integer'
        : `an integer of at least ${least}`,
    (value) => Number.isSafeInteger(value) && value >= least && value <= most,
  );

export const positiveInteger: Rule = /* @__PURE__ */ integer(1);
export const boolean: Rule = { allowed: 'true or false', accepts: (value) => typeof value === 'boolean' };

export const text: Rule = { allowed: 'a text', accepts: (value) => typeof value === 'string' };

/** An object for which the predicate is true. */
export const objectOf = (allowed: string, accepts: (value: object) => boolean = () => true): Rule => ({
  allowed,
  accepts: (value) => typeof value === 'object' && value !== null && accepts(value),
});

/** For values that other code checks: arrays whose shapes depend on rows, and options that are passed on to another call. */
export const anything: Rule = { allowed: 'anything', accepts: () => true };

export const abortSignal: Rule = /* @__PURE__ */ objectOf(
  'an AbortSignal',
  (value) => 'throwIfAborted' in value,
);

/** How a call's options are checked. */
export interface OptionsCheck {
  /** Start of the error message: the name of the call. */
  readonly call: string;
  /** The package named in errors. Default 'core'. */
  readonly scope?: string;
  /** The options that exist. Default: the keys of the rules. */
  readonly names?: readonly string[];
  /** Old spellings, each with its current name. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** True for an unknown option that is ignored. */
  readonly ignores?: (name: string, value: unknown) => boolean;
}

/**
 * The options with old spellings replaced by current names; undefined counts as absent. Errors: OptionError if `options` is not an object,
 * an option is unknown (the message suggests the nearest name), a rule rejects a value, or an option comes together with its old spelling.
 */
export function checkOptions<O extends object>(options: O, rules: Rules, check: OptionsCheck): O {
  const { call, scope = 'core', names = Object.keys(rules), renamed = {}, ignores } = check;
  const refuse = (
    what: string,
    details: { readonly option?: string; readonly value?: unknown } = {},
  ): never => {
    throw new OptionError(`${call}: ${what}`, details, scope);
  };
  const listed = names.join(', ');
  if (typeof options !== 'object' || options === null) {
    refuse(`the options should be an object${listed && ` with ${listed}`}, got ${shown(options)}.`);
  }
  const given = options as Readonly<Record<string, unknown>>;
  const current: Record<string, unknown> = { ...given };
  let replaced = false;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const option = Object.hasOwn(renamed, name) ? (renamed[name] as string) : name;
    if (!names.includes(option)) {
      if (ignores?.(name, value)) continue;
      const near = nearest(name, names);
      const hint = near === undefined ? '' : ` Did you mean ${near}?`;
      refuse(`there is no option ${cut(name)}; there are ${listed || 'none'}.${hint}`, { option: name });
    }
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
    if (rule && !rule.accepts(value)) {
      refuse(`${name} is ${shown(value)}; allowed is ${rule.allowed}.`, { option: name, value });
    }
    if (option === name) continue;
    if (given[option] !== undefined) {
      refuse(`${name} is the old name of ${option}, which is here too; pass ${option} alone.`, {
        option: name,
        value,
      });
    }
    delete current[name];
    current[option] = value;
    replaced = true;
  }
  return replaced ? (current as O) : options;
}

/** Letters and digits alone, so that `max_iters` is near `maxIters`. */
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The name with the fewest edits; undefined if that takes more than a third of the name's letters. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const wanted = plain(name);
  let [best, least]: [string | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
  for (const one of names) {
    const count = edits(wanted, plain(one));
    if (count < least && count <= one.length / 3) [best, least] = [one, count];
  }
  return best;
}

/** Letters to insert, remove or replace from one text to another (Levenshtein 1966). */
function edits(a: string, b: string): number {
  // A much longer text is far from every name: the table of edits is not worth computing.
  if (a.length > 2 * b.length) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replace = (row[j] as number) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

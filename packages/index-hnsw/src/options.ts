// The options of `hnswIndex`: their defaults and checks.

import { type Distance, OptionError } from '@fkm/core';
import { boolean, checkOptions, integer, oneOf, type Rule } from '@fkm/core/internal';
import { scope } from './check.js';
import { distanceCodes, type HnswDistance, isMeasured } from './distances.js';
import type { UsearchModule } from './usearch-module.js';

export type EngineName = 'portable' | 'usearch';

export interface HnswOptions {
  /** 'euclidean', 'cosine', or 'l1' (portable engine only). Default 'euclidean'. */
  readonly distance?: Distance;
  /** Links of a node, twice as many on the lowest level; 2 … 128. Default 16. */
  readonly m?: number;
  /** Candidates from which a node's links are chosen. Default 100. */
  readonly efConstruction?: number;
  /** Candidates of a search. The default grows with K: `defaultEf`. */
  readonly ef?: number;
  /** Seed of the levels of nodes and of the order in which they are linked. Default 0. */
  readonly randomState?: number;
  /** @deprecated Use `randomState`. */
  readonly seed?: number;
  /** 'portable' runs anywhere; 'usearch' needs Node and the package usearch. Default 'portable'. */
  readonly engine?: EngineName;
  /** Portable engine: true requires WebAssembly SIMD, false uses JavaScript. Default: SIMD if available. */
  readonly simd?: boolean;
  /** usearch: a namespace of the package to use in place of an import. */
  readonly usearch?: UsearchModule;
  /** usearch: threads of build and search. With more than one, builds differ from run to run. Default 1. */
  readonly threads?: number;
}

/** Options with their defaults. */
export interface Settings {
  readonly distance: HnswDistance;
  readonly m: number;
  readonly efConstruction: number;
  readonly ef: number | undefined;
  readonly seed: number;
  readonly engine: EngineName;
  readonly simd: boolean | undefined;
  readonly usearch: UsearchModule | undefined;
  readonly threads: number;
}

export const maxLinks = 128;
export const maxEf = 1_000_000;

/** Options that only one engine has. */
const only: Readonly<Record<string, EngineName>> = {
  randomState: 'portable',
  simd: 'portable',
  usearch: 'usearch',
  threads: 'usearch',
};

const rules: Readonly<Record<Exclude<keyof HnswOptions, 'seed'>, Rule>> = {
  distance: oneOf(...Object.keys(distanceCodes)),
  m: integer(2, maxLinks),
  efConstruction: integer(1, maxEf),
  ef: integer(1, maxEf),
  randomState: integer(0),
  engine: oneOf(...(['portable', 'usearch'] satisfies EngineName[])),
  simd: boolean,
  usearch: {
    allowed: 'a namespace of the package usearch',
    accepts: (value) => typeof (value as UsearchModule | null)?.Index === 'function',
  },
  threads: integer(1, 1024),
};

/** Errors: OptionError. */
export function settingsOf(given: HnswOptions): Settings {
  const options = checkOptions(given, rules, { call: 'hnswIndex', scope, renamed: { seed: 'randomState' } });
  const { distance = 'euclidean', engine = 'portable' } = options;
  for (const [option, owner] of Object.entries(only)) {
    if (engine === owner || options[option as keyof HnswOptions] === undefined) continue;
    throw new OptionError(
      `hnswIndex: ${option} is an option of engine '${owner}'; leave it out, or say engine: '${owner}'.`,
      { option, engine },
      scope,
    );
  }
  if (!isMeasured(engine, distance as HnswDistance)) {
    throw new OptionError(
      `hnswIndex: usearch has no distance '${distance}'. Take engine: 'portable', which has it.`,
      { option: 'distance', value: distance, engine },
      scope,
    );
  }
  return {
    distance: distance as HnswDistance,
    engine,
    simd: options.simd,
    usearch: options.usearch,
    m: options.m ?? 16,
    efConstruction: options.efConstruction ?? 100,
    ef: options.ef,
    seed: options.randomState ?? 0,
    threads: options.threads ?? 1,
  };
}

/** The options of a search for this number of neighbours. Errors: OptionError. */
export function checkSearch<O extends { readonly ef?: number }>(count: number, options: O): O {
  const check = { call: 'search', scope };
  checkOptions({ count }, { count: integer(1, maxEf) }, check);
  return checkOptions(options, { ef: rules.ef }, check);
}

/** The default number of candidates: 36 for a thousand points, 48 for ten thousand, 60 for a million. */
export function defaultEf(size: number): number {
  const digits = Math.log10(Math.max(1, size));
  return Math.max(24, Math.ceil(Math.min(12 * digits, 24 + 6 * digits)));
}

// The options of `hnswIndex`: their defaults, and what is refused with which words.

import { type Distance, OptionError } from '@fkm/core';
import { checkWhole, scope } from './check.js';
import { distanceCodes, type HnswDistance, isMeasured } from './distances.js';
import type { UsearchModule } from './usearch-module.js';

export type EngineName = 'portable' | 'usearch';

export interface HnswOptions {
  /** 'euclidean' unless said; also 'cosine', and 'l1' with the portable engine. */
  readonly distance?: Distance;
  /** Links of a node, twice as many on the ground level; 16 unless said, 2 … 128. */
  readonly m?: number;
  /** Candidates that a node's links are chosen from; 100 unless said. */
  readonly efConstruction?: number;
  /** Candidates of a search. Unless said it grows with K: `defaultEf`. */
  readonly ef?: number;
  /** Draws the levels of nodes and the order in which they are linked; 0 unless said. */
  readonly seed?: number;
  /** 'portable' unless said: runs anywhere. 'usearch' needs Node and the package usearch. */
  readonly engine?: EngineName;
  /** Of the portable engine: true insists on WebAssembly SIMD, false takes JavaScript; unless said, whichever there is. */
  readonly simd?: boolean;
  /** Of usearch: a namespace of the package to use instead of importing it. */
  readonly usearch?: UsearchModule;
  /** Of usearch: threads of build and search; 1 unless said. With more, builds differ from run to run. */
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

const distances: readonly unknown[] = Object.keys(distanceCodes);
const engines: readonly unknown[] = ['portable', 'usearch'] satisfies EngineName[];

/** Which engine has an option that the other lacks. */
const only: Readonly<Record<string, EngineName>> = {
  seed: 'portable',
  simd: 'portable',
  usearch: 'usearch',
  threads: 'usearch',
};

const known = [
  'distance',
  'm',
  'efConstruction',
  'ef',
  'seed',
  'engine',
  'simd',
  'usearch',
  'threads',
] satisfies (keyof HnswOptions)[];

/** Errors: OptionError. */
export function settingsOf(options: HnswOptions): Settings {
  for (const option of Object.keys(options)) {
    if ((known as string[]).includes(option)) continue;
    throw new OptionError(
      `hnswIndex: there is no option '${option}'; there are ${known.join(', ')}.`,
      { option, expected: known },
      scope,
    );
  }
  const { distance = 'euclidean', engine = 'portable', simd, usearch, ef, seed = 0 } = options;
  expectOneOf('distance', distance, distances);
  expectOneOf('engine', engine, engines);
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
  if (simd !== undefined && typeof simd !== 'boolean') {
    throw new OptionError(
      `hnswIndex: simd is ${String(simd)}, should be true or false.`,
      { option: 'simd', value: simd },
      scope,
    );
  }
  return {
    distance: distance as HnswDistance,
    engine,
    simd,
    usearch,
    m: checkWhole('hnswIndex', 'm', options.m ?? 16, 2, maxLinks),
    efConstruction: checkWhole('hnswIndex', 'efConstruction', options.efConstruction ?? 100, 1, maxEf),
    ef: ef === undefined ? undefined : checkWhole('hnswIndex', 'ef', ef, 1, maxEf),
    seed: checkWhole('hnswIndex', 'seed', seed, 0, Number.MAX_SAFE_INTEGER),
    threads: checkWhole('hnswIndex', 'threads', options.threads ?? 1, 1, 1024),
  };
}

function expectOneOf(option: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return;
  throw new OptionError(
    `hnswIndex: ${option} is ${typeof value === 'string' ? `'${value}'` : String(value)}, should be ` +
      `${allowed.map((name) => `'${name}'`).join(' or ')}.`,
    { option, value, expected: allowed },
    scope,
  );
}

/** Candidates of a search where nothing is said: 36 of a thousand points, 48 of ten thousand, 60 of a million. */
export function defaultEf(size: number): number {
  const digits = Math.log10(Math.max(1, size));
  return Math.max(24, Math.ceil(Math.min(12 * digits, 24 + 6 * digits)));
}

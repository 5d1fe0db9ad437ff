// What all kernels of a search agree on: the operands, how the distance scores, and the layout of prepared prototypes.

import type { Distance } from '@fkm/core/graph';
import { boolean, checkOptions, integer, oneOf, type Rule } from '@fkm/core/internal';
import type { Tile } from './tiles.js';

/** The distances of core that kernels can search; composites of others run as their bodies. */
export type SearchedDistance = Extract<Distance, 'cosine' | 'euclidean' | 'l1'>;
export const searchedDistances: readonly SearchedDistance[] = ['cosine', 'euclidean', 'l1'];

/** The operands and results of a search. */
export interface SearchSpec {
  readonly distance: SearchedDistance;
  readonly columns: number;
  readonly prototypes: number;
  /** Whether there is a mask [B, D] of column weights for each row. */
  readonly masked: boolean;
  /** Whether there are column weights [1, D]. */
  readonly weighted: boolean;
  /** Element types of rows and prototypes; sums are float32 either way. */
  readonly rowType: 'float32' | 'float16';
  readonly prototypeType: 'float32' | 'float16';
  /** Number of results a row: 0 for the nearest with δ, else the number of most similar ones. */
  readonly k: number;
  /**
   * States that the largest entries of rows, prototypes and weights are 0 or within 2^−20 and 2^40. Cosine then skips an extra read of
   * each row. Default false.
   */
  readonly moderate?: boolean;
}

const elements = oneOf('float32', 'float16');

const rules: { readonly [N in keyof SearchSpec]-?: Rule } = {
  distance: oneOf(...searchedDistances),
  columns: integer(1),
  prototypes: integer(1),
  masked: boolean,
  weighted: boolean,
  rowType: elements,
  prototypeType: elements,
  k: integer(0),
  moderate: boolean,
};

/** Errors: OptionError. */
export const checkSearch = (spec: SearchSpec): SearchSpec =>
  checkOptions(spec, rules, { call: 'search', scope: 'webgpu' });

/** How a distance scores rows against prototypes; larger means nearer. */
interface Scoring {
  /** Number of arrays on each side in workgroup memory, and of sums for each pair of row and prototype. */
  readonly operands: 1 | 2;
  readonly sums: 1 | 2;
  /** Statements that add column products to the sums, for a row (`a`, scalars) and four prototypes (`b`, vec4). */
  add(c: (sum: number) => string, a: (operand: number) => string, b: (operand: number) => string): string;
  /** The score from finished sums. */
  score(c: (sum: number) => string): string;
}

/** Masked cosine needs the length of each prototype for each row; all others need one sum. */
export function scoringOf({ distance, masked }: SearchSpec): Scoring {
  const same: Scoring['score'] = (c) => c(0);
  const product: Scoring = {
    operands: 1,
    sums: 1,
    add: (c, a, b) => `${c(0)} += ${a(0)} * ${b(0)};`,
    score: same,
  };
  if (distance === 'l1') {
    return masked
      ? {
          operands: 2,
          sums: 1,
          add: (c, a, b) => `${c(0)} -= ${a(1)} * abs(${b(0)} - ${a(0)});`,
          score: same,
        }
      : { operands: 1, sums: 1, add: (c, a, b) => `${c(0)} -= abs(${b(0)} - ${a(0)});`, score: same };
  }
  if (!masked) return product;
  const two = { operands: 2 } as const;
  if (distance === 'euclidean') {
    return {
      ...two,
      sums: 1,
      add: (c, a, b) => `${c(0)} += ${a(0)} * ${b(0)} + ${a(1)} * ${b(1)};`,
      score: same,
    };
  }
  return {
    ...two,
    sums: 2,
    add: (c, a, b) => `${c(0)} += ${a(0)} * ${b(0)}; ${c(1)} += ${a(1)} * ${b(1)};`,
    score: (c) => `${c(0)} / max(sqrt(max(${c(1)}, vec4f(1e-30))), vec4f(1e-9))`,
  };
}

/** Offsets in the array of prepared prototypes, float32. */
export interface Prepared {
  /** D and K rounded up to whole tiles. */
  readonly depth: number;
  readonly width: number;
  /** Operands [depth, width], one after the other. */
  readonly operand: readonly number[];
  /** Initial values of the sums [width]; the lowest number beyond the last prototype. */
  readonly start: number;
  /** Center [depth] and weights [depth]. */
  readonly center: number;
  readonly weights: number;
  /** Two numbers: NaN if any prototype has a NaN, NaN if the first one has. */
  readonly poison: number;
  readonly size: number;
}

const upTo = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple;

export function preparedLayout(spec: SearchSpec, tile: Tile): Prepared {
  const depth = upTo(spec.columns, tile.depth);
  const width = upTo(spec.prototypes, tile.prototypes);
  const { operands } = scoringOf(spec);
  const start = operands * depth * width;
  const center = start + width;
  const weights = center + depth;
  const poison = weights + depth;
  return {
    depth,
    width,
    operand: operands === 2 ? [0, depth * width] : [0],
    start,
    center,
    weights,
    poison,
    size: poison + 4,
  };
}

export const lowest = '-3.4028234e38f';

/** The bindings of the search kernel, in order. */
export function bindings({ masked }: SearchSpec): readonly string[] {
  return ['prepared', 'x', ...(masked ? ['mask'] : []), 'index', 'value', 'params'];
}

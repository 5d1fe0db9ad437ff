// Which reads an index can serve, and how many neighbours each of them needs: where an answer asks more than the nearest
// prototypes, it is computed from all of them.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';
import { isFkmError } from '../errors.js';
import { findsOf } from '../formulas/routing.js';
import type { PrototypeSearch } from '../state/prototype-index.js';
import type { Context } from '../training/context.js';
import type { GridSpec } from '../training/spec.js';

/** What prototypes are searched for. */
export type Purpose = 'cluster' | 'routing' | 'softmax' | 'start' | 'rivals';

/** Rows of a call up to which it is small. */
const fewRows = 16;
/**
 * Prototypes of a head from which on 'auto' searches by the index, for a small call and for a larger one: where the index begins to
 * be as fast as a comparison with all of them, whose work rows share. Measured on onnxruntime, D = 32 and 64.
 */
const crossovers: Readonly<Record<Purpose, readonly [few: number, many: number]>> = {
  /** The nearest cluster alone: one product for all rows. */
  cluster: [4096, 40_000],
  /** Answers of the nearest few. */
  routing: [4096, 10_000],
  /** 'gaussian': more neighbours, and rows that are compared with all prototypes after all have searched in vain. */
  softmax: [16_384, 40_000],
  /** Phase 1: the index follows what every batch moves. */
  start: [40_000, 40_000],
  /** Hard negatives, which nothing else finds. */
  rivals: [4096, 4096],
};

/** Neighbours that are looked at for each one that is wanted, and at least. */
const oversample = 4;
export const fewest = 16;
/**
 * The same for the softmax of 'gaussian', which weighs all prototypes: the nearest 64 hold nearly the whole of it where bandwidths
 * are narrow beside the distances between prototypes; `SoftmaxTail` finds the rows of which that is not true.
 */
const softest = 64;

/** The reads whose answer is about every prototype. */
const aboutAll = ['probabilities', 'distances'];

/** What a read asks of the index. */
export interface Need {
  readonly purpose: Purpose;
  /** Neighbours in each head. */
  readonly count: number;
  /** Without so many of them there is no answer. */
  readonly least: number;
  /** Prototypes that share an answer by a softmax over all of them, the largest so many alone: −1 all; undefined where none does. */
  readonly shared?: number;
}

/** What a read needs, or null where it needs all prototypes. */
export function needOf({ head, routing, heads, prototypes }: GridSpec, name: string): Need | null {
  const { softType, topK } = routing;
  const nearest: Need = {
    purpose: head.task === 'clusterer' ? 'cluster' : 'routing',
    count: fewest,
    least: 1,
  };
  let need: Need | null;
  if (head.task === 'clusterer') need = aboutAll.includes(name) ? null : nearest;
  else if (head.routes && findsOf(softType) === 'nearest') need = nearest;
  else if (head.routes && findsOf(softType) === 'softmax') {
    const least = Math.max(1, topK);
    need = { purpose: 'softmax', count: Math.max(softest, oversample * least), least, shared: topK };
  } else need = topK < 0 ? null : { ...nearest, count: Math.max(fewest, oversample * topK), least: topK };
  return need && need.count < prototypes / heads ? need : null;
}

/** The keeper of the model's indices where it searches grids of so many prototypes a head for so many rows of a call. */
export function keeperFor(
  { search, options }: Pick<Context, 'search' | 'options'>,
  purpose: Purpose,
  perHead: number,
  rows: number = Number.POSITIVE_INFINITY,
): PrototypeSearch | undefined {
  if (!search || search.refused || options.useIndex === false) return undefined;
  const [few, many] = crossovers[purpose];
  return options.useIndex === true || perHead >= (rows > fewRows ? many : few) ? search : undefined;
}

/** Rows that an index can take: dense ones without a mask, for what is missing lies nowhere. */
export const canSearch = (x: Features, mask: Rows | undefined): x is Rows =>
  mask === undefined && !isSparse(x) && x.rows > 0;

/**
 * What `search` finds, or null where the index lacks the model's distance and 'auto' leaves it at that. Errors: with
 * `useIndex: true` those of the index.
 */
export async function unlessRefused<R>(
  { options }: Pick<Context, 'options'>,
  keeper: PrototypeSearch,
  search: () => Promise<R>,
): Promise<R | null> {
  try {
    return await search();
  } catch (error) {
    if (options.useIndex !== 'auto' || !isFkmError(error) || error.kind !== 'option') throw error;
    keeper.refused = true;
    return null;
  }
}

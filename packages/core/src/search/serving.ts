// Which reads an index can serve, and how many neighbours each needs. A read that depends on more than the nearest prototypes uses
// all of them.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';
import { isFkmError } from '../errors.js';
import { findsOf } from '../formulas/routing.js';
import type { PrototypeSearch } from '../state/prototype-index.js';
import type { Context } from '../training/context.js';
import type { GridSpec } from '../training/spec.js';

/** What prototypes are searched for. */
export type Purpose = 'cluster' | 'routing' | 'softmax' | 'start' | 'rivals';

/** Most rows of a small call. */
const fewRows = 16;
/**
 * Prototypes in a head from which 'auto' uses the index, for small and for larger calls: where the index becomes as fast as
 * comparing with all, whose work larger calls share. Measured on onnxruntime, D = 32 and 64.
 */
const crossovers: Readonly<Record<Purpose, readonly [few: number, many: number]>> = {
  /** Only the nearest cluster: one product for all rows. */
  cluster: [4096, 40_000],
  /** The nearest few prototypes. */
  routing: [4096, 10_000],
  /** 'gaussian': more neighbours, and some rows are compared with all prototypes after the search. */
  softmax: [16_384, 40_000],
  /** Phase 1: the index has to follow every batch. */
  start: [40_000, 40_000],
  /** Hard negatives; there is no other way to find them. */
  rivals: [4096, 4096],
};

/** Neighbours searched for each one needed, and the least number searched. */
const oversample = 4;
export const fewest = 16;
/**
 * The least number for 'gaussian', whose softmax weighs all prototypes. The nearest 64 hold nearly all of it if bandwidths are
 * narrow compared with distances between prototypes; `SoftmaxTail` finds the rows for which that is wrong.
 */
const softest = 64;

/** The reads that depend on every prototype. */
const aboutAll = ['probabilities', 'distances'];

/** What a read needs of the index. */
export interface Need {
  readonly purpose: Purpose;
  /** Neighbours in each head. */
  readonly count: number;
  /** Fewer neighbours than this give no answer. */
  readonly least: number;
  /** Undefined unless a softmax over all prototypes shares the answer; then the number of largest ones that count, −1 for all. */
  readonly shared?: number;
}

/** What a read needs of the index; null if it needs all prototypes. */
export function needOf({ head, routing, heads, prototypes }: GridSpec, name: string): Need | null {
  const { softType, topK } = routing;
  const nearest: Need = {
    purpose: head.counts === 'prototypes' ? 'cluster' : 'routing',
    count: fewest,
    least: 1,
  };
  let need: Need | null;
  if (head.counts === 'prototypes') need = aboutAll.includes(name) ? null : nearest;
  else if (head.routes && findsOf(softType) === 'nearest') need = nearest;
  else if (head.routes && findsOf(softType) === 'softmax') {
    const least = Math.max(1, topK);
    need = { purpose: 'softmax', count: Math.max(softest, oversample * least), least, shared: topK };
  } else need = topK < 0 ? null : { ...nearest, count: Math.max(fewest, oversample * topK), least: topK };
  return need && need.count < prototypes / heads ? need : null;
}

/** The model's search, if the options use it for this number of prototypes a head and rows a call. */
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

/** Whether an index can search the rows: dense, and without a mask, since a row with missing values is not a point. */
export const canSearch = (x: Features, mask: Rows | undefined): x is Rows =>
  mask === undefined && !isSparse(x) && x.rows > 0;

/**
 * The result of `search`; null if the index lacks the model's distance and useIndex is 'auto'. Errors: with `useIndex: true`, those
 * of the index.
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

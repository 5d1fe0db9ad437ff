// Sources over arrays for the tests of this folder; nothing else imports it.

import { rows } from '../estimators/testing.js';
import type { Source, SourceBatch } from '../state/source.js';

export const flat = (X: readonly (readonly number[])[]): SourceBatch['X'] => ({
  data: Float32Array.from(X.flat()),
  shape: [X.length, X[0]?.length ?? 0],
});

/** A source that records what is asked of it. */
export interface Counted extends Source {
  opened: number;
  closed: number;
  given: number;
}

/** Batches of `size` rows; `seeks` if it can start later. */
export function sourceOf<Y>(
  X: readonly (readonly number[])[],
  y: readonly Y[] | undefined,
  size: number,
  more: { seeks?: boolean; rowCount?: number; with?: (begin: number, end: number) => object } = {},
): Counted {
  const columns = (X[0] ?? []).map((_, j) => `f${j}`);
  async function* from(first: number): AsyncGenerator<SourceBatch> {
    source.opened++;
    try {
      for (let begin = first * size; begin < X.length; begin += size) {
        source.given++;
        const end = Math.min(X.length, begin + size);
        yield {
          X: flat(X.slice(begin, end)),
          ...(y ? { y: y.slice(begin, end) as unknown as number[] } : {}),
          ...more.with?.(begin, end),
        };
      }
    } finally {
      source.closed++;
    }
  }
  const source: Counted = {
    columns,
    rowCount: more.rowCount,
    opened: 0,
    closed: 0,
    given: 0,
    [Symbol.asyncIterator]: () => from(0)[Symbol.asyncIterator](),
    ...(more.seeks ? { from } : {}),
  };
  return source;
}

/** Seeded rows, each with a number and a class. */
export function labelled(count: number): { X: number[][]; y: number[]; classes: string[] } {
  const { X, y } = rows(count, 3, 7);
  return { X, y, classes: y.map((value) => (value > 1 ? 'high' : value > -1 ? 'middle' : 'low')) };
}

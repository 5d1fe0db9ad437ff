import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everyPair } from './pairs.js';

const product = (sizes: readonly number[]): number[][] =>
  sizes.reduce<number[][]>(
    (rows, size) => rows.flatMap((row) => Array.from({ length: size }, (_, value) => [...row, value])),
    [[]],
  );

const pairsIn = (rows: Iterable<readonly number[]>): Set<string> => {
  const found = new Set<string>();
  for (const row of rows)
    row.forEach((a, i) => {
      row.forEach((b, j) => {
        if (i < j) found.add(`${i}=${a} ${j}=${b}`);
      });
    });
  return found;
};

describe('every pair of settings', () => {
  it('meets in the rows that are chosen, whatever the rows are, and no row is there for nothing', () => {
    const factors = fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.nat(4), fc.nat(1)), { maxLength: 60 });
    fc.assert(
      fc.property(factors, (rows) => {
        const chosen = [...everyPair(rows, (row) => row)];
        expect(pairsIn(chosen)).toEqual(pairsIn(rows));
        chosen.forEach((_, i) => {
          expect(pairsIn(chosen.slice(0, i + 1)).size).toBeGreaterThan(pairsIn(chosen.slice(0, i)).size);
        });
      }),
    );
  });

  it.each([
    // The product of the two longest is the least there can be.
    { sizes: [4, 3], most: 12 },
    { sizes: [4, 3, 5], most: 24 },
    { sizes: [3, 3, 2, 2, 2], most: 12 },
  ])('of $sizes values takes $most rows at most', ({ sizes, most }) => {
    expect(everyPair(product(sizes), (row) => row).size).toBeLessThanOrEqual(most);
  });
});

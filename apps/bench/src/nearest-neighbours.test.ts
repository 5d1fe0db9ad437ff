import { expect, it } from 'vitest';
import { nearestRows } from './nearest-neighbours.ts';
import { seeded, uniformArray } from './random.ts';
import type { Rows } from './rows.ts';

const drawn = (n: number, columns: number, seed: number): Rows => ({
  data: uniformArray(n * columns, seeded(seed)),
  shape: [n, columns],
});

it.each([1, 3, 4, 9])('agrees with sorting all distances in %s columns', (columns) => {
  const [train, asked] = [drawn(60, columns, 1), drawn(7, columns, 2)];
  const at = ({ data }: Rows, i: number, j: number): number => data[i * columns + j] as number;
  const expected = Array.from({ length: 7 }, (_, q) => {
    const squares = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: columns }, (_, j) => (at(train, i, j) - at(asked, q, j)) ** 2).reduce(
        (a, b) => a + b,
        0,
      ),
    );
    return squares
      .map((square, i) => [square, i] as const)
      .sort(([a, i], [b, j]) => a - b || i - j)
      .slice(0, 5)
      .map(([, i]) => i);
  }).flat();
  expect(Array.from(nearestRows(train, asked, 5))).toEqual(expected);
});

it('of equal distances the lowest index comes first', () => {
  const train: Rows = { data: Float32Array.of(1, 0, 1, 0), shape: [4, 1] };
  expect(Array.from(nearestRows(train, { data: Float32Array.of(0), shape: [1, 1] }, 3))).toEqual([1, 3, 0]);
});

it('asking for more neighbours than there are rows is an error', () => {
  expect(() => nearestRows(drawn(2, 3, 1), drawn(1, 3, 2), 5)).toThrow('k is 5, there are 2 rows');
});

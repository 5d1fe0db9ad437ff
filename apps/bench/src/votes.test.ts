import { expect, it } from 'vitest';
import type { Rows } from './rows.ts';
import { half, majority, mean } from './votes.ts';

const y = (columns: number, ...data: number[]): Rows => ({
  data: Float32Array.from(data),
  shape: [data.length / columns, columns],
});

it('mean: of each column', () => {
  expect(mean([0, 2, 1, 1], 2, y(2, 1, 10, 2, 20, 3, 30))).toEqual(Float32Array.of(2, 20, 2, 20));
});

it('majority: most votes, and of equals the nearest', () => {
  const codes = y(1, 4, 7, 7, 9, 9);
  expect(majority([0, 1, 2], 3, codes)).toEqual(Float32Array.of(7));
  expect(majority([0, 3, 4, 2, 1], 5, codes)).toEqual(Float32Array.of(9));
  expect(majority([0, 1, 3], 3, codes)).toEqual(Float32Array.of(4));
});

it.each([2, 4, 10])('half: exactly half of %s is enough, less is not', (k) => {
  const labels = y(
    2,
    ...Array.from({ length: k }, (_, i) => [i < k / 2 ? 1 : 0, i < k / 2 - 1 ? 1 : 0]).flat(),
  );
  const all = Array.from({ length: k }, (_, i) => i);
  expect(half(all, k, labels)).toEqual(Float32Array.of(1, 0));
});

import { expect, it } from 'vitest';
import { besides, flat, oneHot, toLabelled } from './stored.ts';

const whole = (shape: number[], ...data: number[]) => ({ data: Uint8Array.from(data), shape });

it('flat keeps the rows and joins the rest', () => {
  expect(flat(whole([2, 1, 2], 1, 2, 3, 4))).toEqual({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] });
  expect(flat(whole([3], 1, 2, 3)).shape).toEqual([3, 1]);
});

it('codes become columns beside the numbers of their rows', () => {
  const numbers = flat(whole([3, 2], 1, 2, 3, 4, 5, 6));
  expect(besides(numbers, oneHot(whole([3], 1, 0, 1), 2))).toEqual({
    data: Float32Array.of(1, 2, 0, 1, 3, 4, 1, 0, 5, 6, 0, 1),
    shape: [3, 4],
  });
});

it('sparse labels become 0/1, and NaN draws the mask', () => {
  const X = { data: Float32Array.of(1, Number.NaN, 3, 4), shape: [2, 2] };
  const Y = { shape: [2, 3] as const, indptr: [0, 2, 3], indices: [0, 2, 1], data: null };
  const { y, mask } = toLabelled({ meta: {}, arrays: { X }, csr: { Y } });
  expect(y).toEqual({ data: Float32Array.of(1, 0, 1, 0, 1, 0), shape: [2, 3] });
  expect(mask?.data).toEqual(Float32Array.of(1, 0, 1, 1));
});

it('there is no mask where all values are there, and a stored mask goes before NaN', () => {
  const arrays = { X: whole([2, 1], 1, 2), y: whole([2], 0, 1) };
  expect(toLabelled({ meta: {}, arrays, csr: {} }).mask).toBeUndefined();
  const masked = { ...arrays, mask: whole([2, 1], 1, 0) };
  expect(toLabelled({ meta: {}, arrays: masked, csr: {} }).mask?.data).toEqual(Float32Array.of(1, 0));
});

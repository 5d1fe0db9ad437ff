// Compares the numbers of two models.

import { expect } from 'vitest';

/** Expects equality up to rounding of sums in another order, relative to at least 1. */
export function expectNear(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  what: string,
  relative = 1e-4,
): void {
  expect(got.length, what).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const [own, other] = [got[i] as number, want[i] as number];
    if (!(Math.abs(own - other) <= relative * Math.max(1, Math.abs(other)))) {
      throw new Error(`${what}[${i}] is ${own}, should be ${other} to ${relative}.`);
    }
  }
}

// Quantiles of the normal distribution against its own integral.

import { describe, expect, it } from 'vitest';
import { normalQuantile } from './normal.js';

/** Φ(x) by Simpson's rule from 0. */
function phi(x: number): number {
  const n = 2000;
  const h = x / n;
  const f = (t: number): number => Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
  let sum = f(0) + f(x);
  for (let i = 1; i < n; i++) sum += (i % 2 === 0 ? 2 : 4) * f(i * h);
  return 0.5 + (sum * h) / 3;
}

describe('normalQuantile', () => {
  it('inverts Φ', () => {
    for (const p of [1e-6, 1e-4, 0.01, 0.02424, 0.02426, 0.2, 0.5, 0.7, 0.975, 0.999, 1 - 1e-6]) {
      expect(Math.abs(phi(normalQuantile(p)) - p)).toBeLessThan(2e-9);
    }
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963985, 8);
  });
  it('is odd about a half, and rises', () => {
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 1; i < 400; i++) {
      const q = normalQuantile(i / 400);
      expect(q).toBeGreaterThan(last);
      expect(q).toBeCloseTo(-normalQuantile(1 - i / 400), 12);
      last = q;
    }
  });
  it('is infinite at the ends', () => {
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
  });
});

// The generator: its words against an independent reckoning, its draws against what they claim.

import { describe, expect, it } from 'vitest';
import { Random } from './random.js';

/** sfc32 with BigInt, as PractRand writes it. */
function sfc32(seed: number): () => number {
  const u = (x: bigint): bigint => BigInt.asUintN(32, x);
  let [a, b, c, d] = [u(BigInt(seed)), u(BigInt(Math.floor(seed / 2 ** 32))), 0x9e3779b9n, 1n];
  const next = (): number => {
    const out = u(a + b + d);
    d = u(d + 1n);
    a = u(b ^ (b >> 9n));
    b = u(c + (c << 3n));
    c = u(u((c << 21n) | (c >> 11n)) + out);
    return Number(out);
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

describe('Random', () => {
  it.each([0, 1, 42, 2 ** 32 - 1, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER])('is sfc32 from seed %i', (seed) => {
    const [random, want] = [new Random(seed), sfc32(seed)];
    for (let i = 0; i < 200; i++) expect(random.uint32()).toBe(want());
  });

  it('goes on from its saved state, which is left alone', () => {
    const random = new Random(5);
    random.uniform();
    const saved = random.save();
    const again = Random.from(saved);
    const draws = Array.from({ length: 20 }, () => random.uniform());
    expect(Array.from({ length: 20 }, () => again.uniform())).toEqual(draws);
    expect(Random.from(saved).uniform()).toBe(draws[0]);
    expect(saved.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)).toBe(true);
  });

  it('draws uniform numbers: mean 1/2, variance 1/12, no sixteenth empty or full', () => {
    const random = new Random(1);
    const n = 40000;
    const draws = Array.from({ length: n }, () => random.uniform());
    const mean = draws.reduce((a, b) => a + b, 0) / n;
    const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(mean).toBeCloseTo(0.5, 2);
    // Four deviations of a sample's variance, √(1/180 n).
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.0015);
    const bins = new Array<number>(16).fill(0);
    for (const x of draws) bins[Math.floor(16 * x)] = (bins[Math.floor(16 * x)] as number) + 1;
    const chi = bins.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0);
    expect(chi).toBeLessThan(38); // 0.1 % of 15 degrees of freedom
  });

  it('permutes: every number once, every place as likely', () => {
    const random = new Random(2);
    const first = new Array<number>(5).fill(0);
    for (let i = 0; i < 5000; i++) {
      const order = random.permutation(5);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4]);
      first[order[0] as number] = (first[order[0] as number] as number) + 1;
    }
    for (const count of first) expect(Math.abs(count - 1000)).toBeLessThan(120);
    expect(random.permutation(0)).toHaveLength(0);
  });

  it('draws by weight, and never what weighs nothing', () => {
    const random = new Random(3);
    const weights = [0, 1, 0, 3, 0];
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) {
      const at = random.weighted(weights, 4);
      counts[at] = (counts[at] as number) + 1;
    }
    expect([counts[0], counts[2], counts[4]]).toEqual([0, 0, 0]);
    expect(Math.abs((counts[3] as number) - 3000)).toBeLessThan(120);
    // A total that rounding made too large ends at the last that weighs.
    expect(random.weighted(weights, 1e9)).toBe(3);
  });

  it('gives other draws for other seeds', () => {
    const draws = [0, 1, 2, 2 ** 32].map((seed) => new Random(seed).uniform());
    expect(new Set(draws).size).toBe(4);
  });
});

// The metric of slopes: its answers against targets whose slopes are known.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { DenseBatch } from '../state/batch.js';
import { Programs } from '../training/program.js';
import { nearestRows, slopesMetric } from './slopes.js';

const programs = new Programs(jsBackend());

function batch(rows: number, columns: number, y: (x: number[]) => number[]): DenseBatch {
  const random = new Random(4);
  const X = Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.uniform() - 0.5));
  const targets = X.map(y);
  const width = (targets[0] as number[]).length;
  return {
    x: { data: Float32Array.from(X.flat()), rows, columns },
    y: { data: Float32Array.from(targets.flat()), rows, columns: width },
    sampleWeight: new Float32Array(rows).fill(1),
  };
}

const metric = async (rows: DenseBatch): Promise<number[]> =>
  Array.from(await slopesMetric(programs, 'euclidean', rows, new Random(1)));

describe('slopesMetric', () => {
  it('finds the slopes of a linear target: weights as their squares, mean 1 + floor', async () => {
    const weights = await metric(
      batch(300, 4, ([a, b, c]) => [3 * (a as number) - 2 * (b as number) + (c as number)]),
    );
    const total = (9 + 4 + 1) / 4;
    // The ridge draws weak slopes towards 0.
    [9 / total, 4 / total, 1 / total, 0].forEach((want, j) => {
      expect(Math.abs((weights[j] as number) - 0.02 - want)).toBeLessThan(0.3);
    });
    expect(weights.reduce((a, b) => a + b, 0) / 4).toBeCloseTo(1.02, 5);
  });
  it('adds up over target columns', async () => {
    const [a, b, c] = await metric(batch(300, 3, (x) => [2 * (x[0] as number), 2 * (x[1] as number)]));
    expect(Math.abs((a as number) - (b as number))).toBeLessThan(0.1);
    expect(c).toBeLessThan(0.05);
  });
  it('is flat where the target is', async () => {
    expect(await metric(batch(120, 3, () => [5]))).toEqual([1, 1, 1]);
  });
  it('takes fewer rows than a neighbourhood, and one', async () => {
    for (const rows of [1, 3]) {
      const weights = await metric(batch(rows, 3, (x) => [x[0] as number]));
      expect(weights.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('nearestRows', () => {
  it.each(['euclidean', 'l1'] as const)('is the plain search, nearest first, %s', async (distance) => {
    const { x } = batch(300, 3, () => [0]);
    const some = { ...x, data: x.data.subarray(0, 30 * 3), rows: 30 };
    const featureWeights = Float32Array.of(1, 0.5, 0.1);
    const index = await nearestRows(programs, { rows: some, among: x, k: 7, distance, featureWeights });
    for (let i = 0; i < 30; i++) {
      const far = (r: number): number =>
        [0, 1, 2].reduce((sum, j) => {
          const gap = Math.abs((x.data[i * 3 + j] as number) - (x.data[r * 3 + j] as number));
          return sum + (featureWeights[j] as number) * (distance === 'l1' ? gap : gap * gap);
        }, 0);
      const order = Array.from({ length: 300 }, (_, r) => r).sort((a, b) => far(a) - far(b));
      const found = Array.from(index.subarray(i * 7, i * 7 + 7));
      found.forEach((r, j) => {
        expect(far(r)).toBeCloseTo(far(order[j] as number), 5);
      });
      expect(found[0]).toBe(i);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { Programs } from '../training/program.js';
import { coreset } from './coreset.js';

const programs = new Programs(jsBackend());

/** 3,000 rows around 0, 20 around 50, one at 1000. */
function rows(seed: number): { X: number[][]; weights: number[] } {
  const random = new Random(seed);
  const near = (center: number): number[] => [center + random.uniform(), center + random.uniform()];
  const X = Array.from({ length: 3021 }, (_, i) => near(i < 3000 ? 0 : i < 3020 ? 50 : 1000));
  return { X, weights: X.map((_, i) => (i % 7 === 0 ? 0 : 1 + (i % 2))) };
}

const batchOf = ({ X, weights }: { X: number[][]; weights: number[] }) => ({
  x: toRows(X, { call: 'test', argument: 'X' }),
  y: { data: new Float32Array(0), rows: X.length, columns: 0 },
  sampleWeight: Float32Array.from(weights),
});

describe('coreset', () => {
  it('keeps rows far out and small clusters, in few rows', async () => {
    for (let seed = 0; seed < 5; seed++) {
      const some = await coreset(programs, batchOf(rows(seed)), 'euclidean', 3, 300, new Random(seed));
      expect(some.x.rows).toBeLessThanOrEqual(300);
      const first = Array.from(
        { length: some.x.rows },
        (_, i) => (some.x as { data: Float32Array }).data[2 * i] as number,
      );
      expect(first.filter((v) => v > 500)).toHaveLength(1);
      expect(first.filter((v) => v > 40 && v < 60).length).toBeGreaterThan(10);
    }
  });

  it('weighs rows so that sums over them estimate sums over all', async () => {
    const { X, weights } = rows(1);
    const total = weights.reduce((a, b) => a + b, 0);
    const spread = X.reduce((sum, [a = 0], i) => sum + (weights[i] as number) * a * a, 0);
    const [weightsSeen, spreadsSeen] = [0, 1].map(() => [] as number[]) as [number[], number[]];
    for (let seed = 0; seed < 20; seed++) {
      const some = await coreset(programs, batchOf({ X, weights }), 'euclidean', 3, 300, new Random(seed));
      const { data } = some.x as { data: Float32Array };
      weightsSeen.push(some.sampleWeight.reduce((a, b) => a + b, 0) / total);
      spreadsSeen.push(
        some.sampleWeight.reduce((sum, w, i) => sum + w * (data[2 * i] as number) ** 2, 0) / spread,
      );
    }
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(Math.abs(mean(weightsSeen) - 1)).toBeLessThan(0.05);
    expect(Math.abs(mean(spreadsSeen) - 1)).toBeLessThan(0.01);
  });

  it('is all rows where those are few, none of weight 0, and the same for the same seed', async () => {
    const batch = batchOf(rows(2));
    expect(await coreset(programs, batch, 'euclidean', 3, 3021, new Random(0))).toBe(batch);
    const draw = () => coreset(programs, batch, 'l1', 3, 200, new Random(4));
    const [a, b] = [await draw(), await draw()];
    expect(a).toEqual(b);
    expect(a.sampleWeight.every((w) => w > 0)).toBe(true);
  });

  it('takes rows that coincide', async () => {
    const same = batchOf({ X: Array.from({ length: 50 }, () => [1, 1]), weights: Array(50).fill(1) });
    const some = await coreset(programs, same, 'euclidean', 4, 10, new Random(0));
    expect(some.x.rows).toBe(10);
    expect(some.sampleWeight.reduce((a, b) => a + b, 0)).toBeCloseTo(50, 4);
  });
});

// k-means++ draws: the distribution that the paper asks for, and centers as good as those of a plain implementation.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { candidatesPerRound, kMeansPlusPlus } from './kmeanspp.js';

const squared =
  (points: readonly number[]) =>
  async (rows: readonly number[]): Promise<number[]> =>
    points.flatMap((p) => rows.map((r) => (p - (points[r] as number)) ** 2));

/** Draws one center after the other, as the paper does. */
function plain(points: readonly number[], weights: readonly number[], k: number, random: Random): number[] {
  const centers = [
    random.weighted(
      weights,
      weights.reduce((a, b) => a + b, 0),
    ),
  ];
  while (centers.length < k) {
    const mass = points.map(
      (p, i) => (weights[i] as number) * Math.min(...centers.map((c) => (p - (points[c] as number)) ** 2)),
    );
    centers.push(
      random.weighted(
        mass,
        mass.reduce((a, b) => a + b, 0),
      ),
    );
  }
  return centers;
}

const inertia = (points: readonly number[], centers: readonly number[]): number =>
  points.reduce((sum, p) => sum + Math.min(...centers.map((c) => (p - (points[c] as number)) ** 2)), 0);

describe('kMeansPlusPlus', () => {
  it('draws sequences of centers as often as weight · distance says', async () => {
    const [points, weights, draws] = [[0, 1, 3, 7], [1, 2, 1, 0.5], 6000];
    const count = async (draw: (random: Random) => Promise<number[]>): Promise<Map<string, number>> => {
      const counts = new Map<string, number>();
      const random = new Random(11);
      for (let i = 0; i < draws; i++) {
        const key = (await draw(random)).join();
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    };
    const got = await count((random) => kMeansPlusPlus(squared(points), weights, 3, random));
    // The probabilities, by walking all sequences.
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    let chi = 0;
    let cells = 0;
    const walk = (centers: number[], probability: number): void => {
      if (centers.length === 3) {
        const expected = probability * draws;
        const seen = got.get(centers.join()) ?? 0;
        if (expected < 5) return;
        chi += (seen - expected) ** 2 / expected;
        cells++;
        return;
      }
      const mass = points.map((p, i) =>
        centers.length === 0
          ? (weights[i] as number)
          : (weights[i] as number) * Math.min(...centers.map((c) => (p - (points[c] as number)) ** 2)),
      );
      mass.forEach((m, i) => {
        if (m > 0) walk([...centers, i], (probability * m) / sum(mass));
      });
    };
    walk([], 1);
    expect(cells).toBeGreaterThan(15);
    // The mean of χ² is its degrees of freedom, its deviation √(2·freedom).
    expect(chi).toBeLessThan(cells - 1 + 3.1 * Math.sqrt(2 * (cells - 1)));
  });

  it('is as good as drawing one by one, in a fraction of the passes', async () => {
    const random = new Random(2);
    const points = Array.from({ length: 400 }, (_, i) => (i % 20) * 5 + random.uniform());
    const weights = points.map(() => 1);
    let [own, other, passes] = [0, 0, 0];
    const distance = squared(points);
    for (let seed = 0; seed < 20; seed++) {
      const counted = (rows: readonly number[]): Promise<number[]> => {
        passes++;
        return distance(rows);
      };
      own += inertia(points, await kMeansPlusPlus(counted, weights, 30, new Random(seed)));
      other += inertia(points, plain(points, weights, 30, new Random(seed)));
    }
    expect(own).toBeLessThan(1.25 * other);
    expect(passes / 20).toBeLessThan(30);
  });

  it('asks for no more candidates a round than it says', async () => {
    const points = Array.from({ length: 50 }, (_, i) => i * i);
    const sizes: number[] = [];
    const distance = squared(points);
    await kMeansPlusPlus(
      (rows) => {
        sizes.push(rows.length);
        return distance(rows);
      },
      points.map(() => 1),
      20,
      new Random(0),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(candidatesPerRound);
  });

  it('takes no row twice while others are farther, and never one that weighs nothing', async () => {
    const points = [0, 1, 2, 3, 4, 5];
    for (let seed = 0; seed < 30; seed++) {
      const centers = await kMeansPlusPlus(squared(points), [1, 1, 0, 1, 1, 1], 5, new Random(seed));
      expect([...centers].sort()).toEqual([0, 1, 3, 4, 5]);
    }
  });

  it('ends where all rows coincide, or are fewer than the centers', async () => {
    expect(await kMeansPlusPlus(squared([2, 2, 2]), [1, 1, 1], 3, new Random(0))).toHaveLength(3);
    expect(await kMeansPlusPlus(squared([1, 2]), [1, 1], 5, new Random(0))).toHaveLength(5);
    expect(await kMeansPlusPlus(squared([1]), [1], 1, new Random(0))).toEqual([0]);
  });
});

// Lloyd's passes through the public class, held to a plain implementation in float64 and to what scikit-learn does at the edges.

import { describe, expect, it } from 'vitest';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { ClustererOptions } from '../state/options.js';

const backend = jsBackend();
type Points = readonly (readonly number[])[];

const lloyd = (prototypes: Points, options: Partial<ClustererOptions> = {}): FastKMeansClusterer =>
  new FastKMeansClusterer({
    backend,
    algorithm: 'lloyd',
    initMode: { prototypes: prototypes.map((p) => [...p]) },
    ...options,
  });

const cloud = (count: number, columns: number, seed: number): number[][] => {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: columns }, () => Math.fround((i % 5) + random.uniform())),
  );
};

const squared = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, j) => sum + (x - (b[j] as number)) ** 2, 0);

/** Plain Lloyd with weights until no label changes. */
function plain(X: Points, start: Points, weights: readonly number[] = X.map(() => 1)) {
  let centers = start.map((p) => [...p]);
  let labels: number[] = [];
  for (let passes = 1; ; passes++) {
    const now = X.map((x) => {
      const distances = centers.map((c) => squared(x, c));
      return distances.indexOf(Math.min(...distances));
    });
    centers = centers.map((c, k) => {
      const rows = X.map((x, i) => ({ x, w: weights[i] as number })).filter((_, i) => now[i] === k);
      const total = rows.reduce((sum, { w }) => sum + w, 0);
      return total > 0
        ? c.map((_, j) => rows.reduce((sum, { x, w }) => sum + w * (x[j] as number), 0) / total)
        : c;
    });
    if (labels.every((k, i) => k === now[i]) && labels.length > 0) {
      const inertia = X.reduce(
        (sum, x, i) => sum + (weights[i] as number) * squared(x, centers[now[i] as number] as number[]),
        0,
      );
      return { centers, labels: now, inertia, passes };
    }
    labels = now;
  }
}

const prototypesOf = (model: FastKMeansClusterer): number[][] => {
  const { data, shape } = model.grid.prototypes;
  const [k, d] = shape as readonly [number, number];
  return Array.from({ length: k }, (_, i) => Array.from(data.subarray(i * d, (i + 1) * d)) as number[]);
};

describe("algorithm 'lloyd'", () => {
  it('ends where a plain implementation does, with its labels, inertia and passes', async () => {
    for (const seed of [1, 2, 3]) {
      const X = cloud(120, 3, seed);
      const start = X.slice(0, 7);
      const weights = X.map((_, i) => 0.5 + (i % 3));
      const want = plain(X, start, weights);
      const model = lloyd(start);
      const result = await model.fit(X, { tol: 0, sampleWeight: weights });
      expect([...model.labels]).toEqual(want.labels);
      expect(result).toMatchObject({ nIter: want.passes, converged: true });
      expect(model.nIter).toBe(want.passes);
      expect(Math.abs(model.inertia / want.inertia - 1)).toBeLessThan(1e-6);
      prototypesOf(model).forEach((p, k) => {
        expect(squared(p, want.centers[k] as number[])).toBeLessThan(1e-10);
      });
    }
  });

  it('can be asked of one fit, and never lets the inertia grow', async () => {
    const X = cloud(200, 2, 4);
    const model = lloyd(X.slice(0, 9), { algorithm: 'ema' });
    const { history } = await model.fit(X, { algorithm: 'lloyd', tol: 0 });
    const losses = history.map(({ loss }) => loss as number);
    losses.slice(1).forEach((loss, i) => {
      expect(loss).toBeLessThanOrEqual((losses[i] as number) * (1 + 1e-6));
    });
    expect(model.inertia).toBeLessThanOrEqual((losses[0] as number) * 200);
  });

  it('puts prototypes without rows at the rows farthest from theirs, the farthest first', async () => {
    const X = [[0], [1], [10], [30], [31]];
    const model = lloyd([[0.5], [-100], [-200]]);
    await model.fit(X, { maxIters: 1 });
    // 31 and 30 leave the first, whose other rows are 0, 1 and 10.
    expect(prototypesOf(model).flat()).toEqual([Math.fround(11 / 3), 31, 30]);
    expect([...model.labels]).toEqual([0, 0, 0, 2, 1]);
  });

  it('repairs as many as there are rows to spare', async () => {
    const model = lloyd([[0], [50], [60], [70]]);
    await model.fit([[1], [1], [2]], { maxIters: 5 });
    expect(model.inertia).toBe(0);
    expect(Number.isFinite(Math.max(...prototypesOf(model).flat()))).toBe(true);
    const same = lloyd([[1], [5]]);
    await same.fit([[1], [1]]);
    expect(prototypesOf(same).flat()).toEqual([1, 5]);
  });

  it('skips rows of weight 0: they neither pull nor take a prototype', async () => {
    const model = lloyd([[0], [-100]]);
    await model.fit([[0], [2], [500]], { sampleWeight: [1, 1, 0] });
    expect(prototypesOf(model).flat().sort()).toEqual([0, 2]);
    expect(model.labels).toHaveLength(3);
  });

  it('averages each column over the rows that report it', async () => {
    const model = lloyd([
      [0, 0],
      [10, 10],
    ]);
    await model.fit(
      [
        [1, Number.NaN],
        [3, 4],
        [11, 12],
      ],
      {
        featureMask: [
          [1, 0],
          [1, 1],
          [1, 1],
        ],
        maxIters: 1,
      },
    );
    expect(prototypesOf(model)).toEqual([
      [2, 4],
      [11, 12],
    ]);
  });

  it('leaves frozen prototypes where they are, and empty', async () => {
    const model = lloyd([[0], [100], [9]]);
    model.freezePrototypes([false, true, true]);
    await model.fit([[1], [2], [10]]);
    expect(prototypesOf(model).flat()).toEqual([1.5, 100, 9]);
  });

  it('keeps prototypes at unit length with cosine', async () => {
    const model = lloyd(
      [
        [1, 0],
        [0, 1],
      ],
      { distance: 'cosine' },
    );
    await model.fit([
      [5, 1],
      [5, -1],
      [1, 7],
    ]);
    const [a, b] = prototypesOf(model) as [number[], number[]];
    expect(a).toEqual([1, 0]);
    expect(Math.hypot(...b)).toBeCloseTo(1, 6);
    // Σ 2(1 − cos) to the first, 0 for the row that the second is alone with
    expect(model.inertia).toBeCloseTo(4 * (1 - 5 / Math.sqrt(26)), 6);
  });

  it('stops by tol on the mean variance of the columns, whatever their unit', async () => {
    const X = cloud(300, 2, 8);
    const passes = async (factor: number, tol: number): Promise<number> => {
      const rows = X.map((x) => x.map((v) => v * factor));
      const model = lloyd(rows.slice(0, 12));
      const { converged } = await model.fit(rows, { tol });
      expect(converged).toBe(true);
      return model.nIter;
    };
    const strict = await passes(1, 0);
    expect(await passes(1, 0.01)).toBeLessThan(strict);
    expect(await passes(1024, 0.01)).toBe(await passes(1, 0.01));
    const model = lloyd(X.slice(0, 12));
    expect(await model.fit(X, { tol: 0, maxIters: 2 })).toMatchObject({ nIter: 2, converged: false });
  });

  it('starts by itself, repeats to the bit, and reports its passes', async () => {
    const X = cloud(400, 2, 5);
    const learn = async () => {
      const model = new FastKMeansClusterer({ backend, kInit: 5, algorithm: 'lloyd', randomState: 3 });
      const seen: number[] = [];
      await model.fit(X, { onProgress: ({ done, of }) => seen.push(done / of) });
      expect(seen).toEqual(Array.from({ length: model.nIter }, (_, i) => (i + 1) / 300));
      return model;
    };
    const [a, b] = [await learn(), await learn()];
    expect(a.grid.prototypes.data).toEqual(b.grid.prototypes.data);
    // The five squares that the cloud is made of.
    expect(new Set(a.labels.slice(0, 5)).size).toBe(5);
    expect(a.inertia).toBeLessThan(400 / 5);
    expect((await a.score(X)) / -a.inertia).toBeCloseTo(1, 12);
    expect((await a.predict(X)).data).toEqual(a.labels);
  });

  it('stops at a signal with its reason, the model as it was', async () => {
    const X = cloud(200, 2, 6);
    const model = lloyd(X.slice(0, 6));
    const before = await model.save();
    const control = new AbortController();
    const stopped = model.fit(X, {
      tol: 0,
      signal: control.signal,
      onProgress: () => control.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(await model.save()).toEqual(before);
  });

  it('goes on as a stream: prototypes are as old as the weight of their rows', async () => {
    const model = lloyd([[0], [10]]);
    await model.fit([[1], [3], [9]]);
    expect(Array.from(model.grid.ages.data)).toEqual([2, 1]);
    await model.fitBatch([[5]]);
    expect(prototypesOf(model).flat()).toEqual([3, 9]);
  });

  it('takes sparse rows as the same dense ones', async () => {
    const X = cloud(60, 4, 7).map((x, i) => x.map((v, j) => ((i + j) % 3 === 0 ? v : 0)));
    const stored = X.flatMap((x) =>
      x.map((value, column) => ({ value, column })).filter(({ value }) => value !== 0),
    );
    const counts = X.map((x) => x.filter((v) => v !== 0).length);
    const csr = {
      indptr: [0, ...counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0))],
      indices: stored.map(({ column }) => column),
      values: stored.map(({ value }) => value),
      shape: [60, 4] as const,
    };
    const [dense, sparse] = [lloyd(X.slice(0, 5)), lloyd(X.slice(0, 5))];
    await dense.fit(X);
    await sparse.fit(csr);
    expect(sparse.labels).toEqual(dense.labels);
    expect(sparse.inertia).toBeCloseTo(dense.inertia, 10);
  });

  it('holds rows out where asked, and labels them all', async () => {
    const X = cloud(100, 2, 9);
    const model = lloyd(X.slice(0, 5));
    const { history } = await model.fit(X, { evalFraction: 0.2 });
    expect(model.labels).toHaveLength(100);
    expect(history.every(({ evalLoss }) => Number.isFinite(evalLoss))).toBe(true);
  });

  it('refuses an algorithm that there is not', async () => {
    const model = lloyd([[0]]);
    await expect(model.fit([[0]], { algorithm: 'elkan' as 'ema' })).rejects.toThrow(
      "[fkm/core] fit: algorithm is 'elkan'; allowed is 'ema', 'lloyd'.",
    );
  });
});

describe("algorithm 'ema'", () => {
  it('counts a tenth of what came before in every further pass, and all of it within one', async () => {
    const options = { backend, initMode: { prototypes: [[0]] }, batchSize: 2 } as const;
    const X = [[1], [3], [5], [7]];
    const once = new FastKMeansClusterer(options);
    await once.fit(X, { maxIters: 1, shuffle: false });
    const streamed = new FastKMeansClusterer(options);
    await streamed.fitBatch(X.slice(0, 2));
    await streamed.fitBatch(X.slice(2));
    expect(once.grid.prototypes.data).toEqual(streamed.grid.prototypes.data);
    // 1 row at 0, then four: 16/5 with age 5; the next pass starts from there with age 0.5.
    expect(once.grid.prototypes.data[0]).toBeCloseTo(16 / 5, 6);
    const twice = new FastKMeansClusterer(options);
    await twice.fit(X, { maxIters: 2, shuffle: false });
    expect(twice.grid.prototypes.data[0]).toBeCloseTo((0.5 * (16 / 5) + 16) / 4.5, 6);
    expect(twice.grid.ages.data[0]).toBeCloseTo(4.5, 6);
  });
});

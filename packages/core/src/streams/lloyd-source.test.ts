// Exact passes over a source, held to those over the same rows as arrays.

import { describe, expect, it } from 'vitest';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { backend, expectError } from '../estimators/testing.js';
import { Random } from '../random.js';
import type { ClustererOptions } from '../state/options.js';
import type { Source } from '../state/source.js';
import { flat, sourceOf } from './testing.js';

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

const X = cloud(300, 3, 4);
const weights = Float32Array.from(X, (_, i) => 0.5 + (i % 3));

/** Both ways end with the same prototypes and say the same of the fit. */
async function expectSame(
  start: Points,
  rows: Points,
  more: { options?: Partial<ClustererOptions>; fit?: object; with?: (begin: number, end: number) => object },
): Promise<FastKMeansClusterer> {
  const whole = lloyd(start, more.options);
  const all = more.with?.(0, rows.length) ?? {};
  const expected = await whole.fit(rows as number[][], { ...all, ...more.fit });
  let streamed = whole;
  for (const size of [rows.length, 64, 7]) {
    streamed = lloyd(start, more.options);
    const source = sourceOf(rows, undefined, size, more.with ? { with: more.with } : {});
    const result = await streamed.fit(source, more.fit);
    expect(source.closed).toBe(source.opened);
    expect(result.nIter).toBe(expected.nIter);
    expect(result.converged).toBe(expected.converged);
    expect(streamed.nIter).toBe(result.nIter);
    // Sums in float64 in another order: a prototype may round to the float32 beside.
    streamed.grid.prototypes.data.forEach((value, i) => {
      const of = whole.grid.prototypes.data[i] as number;
      expect(Math.abs(value - of)).toBeLessThanOrEqual(2e-7 * Math.abs(of));
    });
    expect(streamed.grid.ages.data).toEqual(whole.grid.ages.data);
    expect(Math.abs(streamed.inertia / whole.inertia - 1)).toBeLessThan(1e-6);
  }
  return streamed;
}

describe("fit of a source with algorithm 'lloyd'", () => {
  it('ends where it ends over arrays', async () => {
    await expectSame(X.slice(0, 7), X, { fit: { tol: 0 } });
    await expectSame(X.slice(0, 12), X, { fit: { tol: 0.01 } });
    await expectSame(X.slice(0, 7), X, {
      fit: { tol: 0 },
      with: (begin, end) => ({ sampleWeight: weights.subarray(begin, end) }),
    });
    for (const distance of ['cosine', 'l1'] as const) {
      const turned = X.map(([a, b, c], i) => [(a as number) * (i % 2 ? 1 : -1), b as number, c as number]);
      await expectSame(turned.slice(0, 4), turned, { options: { distance } });
    }
  });

  it('averages each column over the rows that report it, also where some batches have none', async () => {
    const holes = X.map((row, i) => row.map((value, j) => ((i + j) % 4 === 0 ? Number.NaN : value)));
    const mask = holes.map((row) => row.map((value) => (Number.isNaN(value) ? 0 : 1)));
    await expectSame(X.slice(0, 5), holes, {
      fit: { tol: 0 },
      with: (begin, end) => ({ featureMask: flat(mask.slice(begin, end)) }),
    });
    const some: Source = {
      ...sourceOf(X, undefined, 60, {
        with: (begin, end) =>
          begin < 120 || begin >= 240 ? {} : { featureMask: flat(X.slice(begin, end).map(() => [1, 1, 0])) },
      }),
    };
    const whole = lloyd(X.slice(0, 5));
    const featureMask = X.map((_, i) => (i < 120 || i >= 240 ? [1, 1, 1] : [1, 1, 0]));
    await whole.fit(X, { featureMask, maxIters: 3 });
    const streamed = lloyd(X.slice(0, 5));
    await streamed.fit(some, { maxIters: 3 });
    streamed.grid.prototypes.data.forEach((value, i) => {
      expect(value).toBeCloseTo(whole.grid.prototypes.data[i] as number, 3);
    });
  });

  it('puts prototypes without rows at the farthest rows of all batches', async () => {
    const far = [...X, [60, 0, 0], [0, 50, 0], ...X.slice(0, 50), [0, 0, 70]];
    const nowhere = [-900, -900, -900];
    const start = [...X.slice(0, 3), nowhere, nowhere, nowhere, nowhere];
    const model = await expectSame(start, far, { fit: { maxIters: 1 } });
    expect(Math.max(...model.grid.prototypes.data)).toBe(70);
    await expectSame(start, far, { fit: { tol: 0 } });
  });

  it('repairs as many as there are rows to spare, and none that is frozen', async () => {
    const few = lloyd([[0], [50], [60], [70]]);
    await few.fit(sourceOf([[1], [1], [2]], undefined, 2), { maxIters: 5 });
    expect(few.inertia).toBe(0);
    expect(Math.max(...few.grid.prototypes.data)).toBe(70);
    const model = lloyd([[0], [100], [9]]);
    model.freezePrototypes([false, true, true]);
    await model.fit(sourceOf([[1], [2], [10]], undefined, 1));
    expect([...model.grid.prototypes.data]).toEqual([1.5, 100, 9]);
  });

  it('starts by itself, repeats to the bit, reports its passes, and reads the source once more', async () => {
    const learn = async () => {
      const model = new FastKMeansClusterer({ backend, kInit: 5, randomState: 3 });
      const source = sourceOf(X, undefined, 50);
      const done: number[] = [];
      await model.fit(source, { algorithm: 'lloyd', onProgress: (told) => done.push(told.done) });
      expect(done).toEqual(Array.from({ length: model.nIter }, (_, i) => i + 1));
      expect(source.opened).toBe(model.nIter + 1);
      return model;
    };
    const [a, b] = [await learn(), await learn()];
    expect(a.grid.prototypes.data).toEqual(b.grid.prototypes.data);
    expect(a.inertia).toBe(-(await a.score(sourceOf(X, undefined, 50))));
    await expectError(() => a.labels, { kind: 'state', says: ['labels', 'predict(source)'] });
    // The clouds that the rows are of.
    expect(a.inertia).toBeLessThan(80);
  });

  it('holds rows out where asked', async () => {
    const model = lloyd(X.slice(0, 5));
    const { history } = await model.fit(sourceOf(X, undefined, 50), { evalFraction: 0.2, maxIters: 3 });
    expect(history.every(({ evalLoss }) => Number.isFinite(evalLoss))).toBe(true);
  });

  it('refuses weights of features, and leaves the model as it was when it fails', async () => {
    const model = lloyd(X.slice(0, 5), { autoFeatureWeights: true });
    await expectError(() => model.fit(sourceOf(X, undefined, 50)), {
      kind: 'option',
      says: ["autoFeatureWeights beside algorithm 'lloyd'", 'pass arrays'],
    });
    const plain = lloyd(X.slice(0, 5));
    const before = await plain.save();
    const stop = new AbortController();
    const source = sourceOf(X, undefined, 50);
    await expect(
      plain.fit(source, { tol: 0, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    expect(await plain.save()).toEqual(before);
    expect(source.closed).toBe(source.opened);
  });
});

describe.each(['ema', 'lloyd'] as const)("a source that can be iterated once, '%s'", (algorithm) => {
  it('is told from one that has no rows', async () => {
    async function* once() {
      for (let begin = 0; begin < 300; begin += 50) yield { X: flat(X.slice(begin, begin + 50)) };
    }
    const batches = once();
    const source: Source = { columns: ['a', 'b', 'c'], [Symbol.asyncIterator]: () => batches };
    const model = new FastKMeansClusterer({ backend, kInit: 5, algorithm });
    await expectError(() => model.fit(source, { tol: 0 }), {
      kind: 'option',
      says: ['the source gave 0 rows where an iteration before gave 300', 'opens its input anew'],
    });
  });
});

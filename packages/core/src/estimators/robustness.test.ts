// What trained models have to survive: weights that mostly vanish, calls at once, interruptions, offsets, forgotten moments.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { constantLike, trace } from '../graph/index.js';
import { kMeansPlusPlus } from '../init/kmeanspp.js';
import { nearest } from '../method/composites.js';
import { Random } from '../random.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, rows, small } from './testing.js';

const { X, y } = rows(300);

describe('the start', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1e-9])(
    'ends where all distances are %s',
    async (distance) => {
      const distanceTo = async (chosen: readonly number[]) =>
        new Float64Array(20 * chosen.length).fill(distance);
      expect(await kMeansPlusPlus(distanceTo, new Float32Array(20).fill(1), 5, new Random(1))).toHaveLength(
        5,
      );
    },
  );

  it('keeps its numbers where a batch hardly weighs', async () => {
    const model = small();
    await model.fitBatch(X.slice(0, 100), y.slice(0, 100));
    const before = model.grid;
    const some = new Float32Array(100);
    some[3] = 1e-3;
    await model.fitBatch(X.slice(100, 200), y.slice(100, 200), { sampleWeight: some });
    expect(model.grid.logBandwidth?.data.every(Number.isFinite)).toBe(true);
    expect(model.grid.prototypes.data).not.toEqual(before.prototypes.data);
  });

  it('is as large for a small batchSize as for a large one', async () => {
    const counts = [];
    for (const batchSize of [32, 300]) {
      const model = new FastKMeansRegressor({ backend, batchSize });
      await model.fit(X, y, { maxIters: 1 });
      counts.push(model.grid.prototypes.shape[0]);
    }
    expect(counts[0]).toBe(counts[1]);
  });
});

describe('a trained model', () => {
  it('keeps its bandwidths in phase 1, with and without moments', async () => {
    const model = small();
    await model.fit(X, y);
    await model.finetune(X, y, { epochs: 3, evalFraction: 0 });
    const trained = model.grid.logBandwidth;
    for (const optimiser of [true, false]) {
      const again = await FastKMeansRegressor.load(await model.save({ optimiser }), { backend });
      await again.fitBatch(X, y);
      expect(again.grid.logBandwidth).toEqual(trained);
    }
  });
});

describe('distances', () => {
  it.each([0, 1e3, 1e5])('find the nearest prototype at an offset of %s', (offset) => {
    const random = new Random(3);
    // Multiples of 1/64 stay exact beside the offset.
    const draw = (count: number): number[] => Array.from({ length: count }, () => random.below(256) / 64);
    const [x, p] = [draw(40 * 3), draw(20 * 3)];
    const at = (values: number[], shape: number[]) =>
      ndarray(
        values.map((v) => v + offset),
        shape,
      );
    const graph = trace(
      'search',
      { x: { shape: [-1, 3], dtype: 'float32' }, p: { shape: [20, 3], dtype: 'float32' } },
      (t) => ({
        plain: nearest({ distance: 'euclidean', x: t.x, prototypes: t.p }).index,
        weighted: nearest({
          distance: 'euclidean',
          x: t.x,
          prototypes: t.p,
          weights: constantLike(t.x, ndarray([1, 1, 1], [1, 3])),
        }).index,
      }),
    );
    const found = evaluateGraph(graph, [at(x, [40, 3]), at(p, [20, 3])]);
    const squared = (i: number, k: number): number =>
      [0, 1, 2].reduce((s, j) => s + (x[3 * i + j]! - p[3 * k + j]!) ** 2, 0);
    for (const { data } of found) {
      data.forEach((k, i) => {
        expect(squared(i, k)).toBe(Math.min(...Array.from({ length: 20 }, (_, other) => squared(i, other))));
      });
    }
  });
});

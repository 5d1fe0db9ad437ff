// What trained models have to survive: weights that mostly vanish, calls at once, interruptions, offsets, forgotten moments.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { nearest } from '../formulas/composites.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { constantLike, trace } from '../graph/index.js';
import { kMeansPlusPlus } from '../init/kmeanspp.js';
import { Random } from '../random.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
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
  it('keeps feature weights that gradients have trained', async () => {
    const model = small({ autoFeatureWeights: true });
    await model.fit(X, y);
    await model.finetune(X, y, { epochs: 2 });
    const tuned = model.grid.featureWeights;
    await model.fitBatch(X.slice(0, 1), y.slice(0, 1));
    expect(model.grid.featureWeights).toEqual(tuned);
    expect(tuned?.data.length).toBe(6);
  });

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

describe('a gradient step', () => {
  it('of clusters brings in rows from far away', async () => {
    const model = new FastKMeansClusterer({ backend, kInit: 3 });
    await model.fit(X);
    expect(await model.fitBatch([[1e11, 0, 0]], { gradientStep: true })).toBeCloseTo(1e22, -17);
    expect(model.grid.prototypes.data.every(Number.isFinite)).toBe(true);
    expect(await model.score(X)).toBeLessThan(0);
  });

  it('that gives values that are not finite is an error, and the model stays as it was', async () => {
    // Adam moves every number by about the rate: so large a rate leaves float32.
    const model = small({ learningRate: 3e38, l2Reg: 1 });
    await model.fit(X, y);
    const before = await model.save();
    const error = {
      kind: 'data',
      message: expect.stringMatching(/gradient step left \w+ with values that are not finite/),
    };
    await expect(model.fitBatch(X, y, { gradientStep: true })).rejects.toMatchObject(error);
    await expect(model.finetune(X, y, { epochs: 1, schedule: 'constant' })).rejects.toMatchObject(error);
    expect(await model.save()).toEqual(before);
  });

  it('is as good in any unit of the target', async () => {
    const scores = [];
    for (const unit of [1, 1e-5]) {
      const targets = y.map((value) => unit * value);
      const model = small({ softType: 'scaled', nPrototypes: undefined, kTargets: 6, kFeatures: 5 });
      await model.fit(X, targets);
      await model.finetune(X, targets, { epochs: 5 });
      scores.push(await model.score(X, targets));
    }
    expect(scores[1]).toBeCloseTo(scores[0] as number, 3);
    expect(scores[0]).toBeGreaterThan(0.5);
  });
});

describe('answers', () => {
  it('are copies', async () => {
    const classes = X.map(([a]) => ((a as number) > 0 ? 'b' : 'a'));
    const classifier = new FastKMeansClassifier({ backend });
    await classifier.fit(X, classes);
    const predicted = (await classifier.predict(X)).data;
    (classifier.classes as string[]).reverse();
    expect((await classifier.predict(X)).data).toEqual(predicted);
    const clusterer = new FastKMeansClusterer({ backend, kInit: 3 });
    await clusterer.fit(X);
    const before = clusterer.labels.slice();
    clusterer.labels.fill(99);
    expect(clusterer.labels).toEqual(before);
  });

  it('of clusters do not depend on how close together they are', async () => {
    const near = X.map((row, i) => row.map((v, j) => 1e-5 * v + (j === i % 3 ? 1e-3 : 0)));
    const sure = async (unit: number): Promise<number[]> => {
      const model = new FastKMeansClusterer({ backend, kInit: 3 });
      const scaled = near.map((row) => row.map((v) => unit * v));
      await model.fit(scaled);
      return Array.from(
        (await model.predictProba(scaled.slice(0, 30))).data,
        (p) => Math.round(100 * p) / 100,
      );
    };
    expect(await sure(1)).toEqual(await sure(1000));
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

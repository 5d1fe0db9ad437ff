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

  it('looks at rows that count, wherever they are', async () => {
    const sampleWeight = new Float32Array(300);
    for (let i = 0; i < 300; i += 10) sampleWeight[i] = 1;
    for (const shuffle of [true, false]) {
      const model = small({ batchSize: 5 });
      await model.fit(X, y, { sampleWeight, shuffle, maxIters: 3 });
      expect((await model.predict(X)).data.every(Number.isFinite)).toBe(true);
    }
  });

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

describe('calls at once', () => {
  it('run in turn: none loses what another has learned', async () => {
    const [together, inOrder] = [small(), small()];
    const halves = [0, 150].map(
      (begin) => [X.slice(begin, begin + 150), y.slice(begin, begin + 150)] as const,
    );
    await Promise.all(halves.map(([x, t]) => together.fitBatch(x, t)));
    for (const [x, t] of halves) await inOrder.fitBatch(x, t);
    expect(await together.save()).toEqual(await inOrder.save());
  });

  it('go on after one that failed', async () => {
    const model = small();
    const failing = model.fitBatch([[Number.NaN, 0, 0]], [1]);
    const next = model.fitBatch(X, y);
    await expect(failing).rejects.toThrow('X has NaN in row 0');
    expect(await next).toBeGreaterThan(0);
  });

  it('freezePrototypes waits for nobody, and says so', async () => {
    const model = small();
    await model.fitBatch(X, y);
    const running = model.fitBatch(X, y);
    expect(() => model.freezePrototypes()).toThrow('a training call is running; await it first');
    await running;
    model.freezePrototypes();
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

  it('learns the same from weights of any size', async () => {
    const grids = [];
    for (const w of [1, 2 ** -40]) {
      const model = small();
      await model.fit(X, y);
      await model.finetune(X, y, { epochs: 3, sampleWeight: new Float32Array(300).fill(w) });
      grids.push(model.grid.targets);
    }
    expect(grids[0]).toEqual(grids[1]);
  });

  it('stays as it was where the signal was aborted before', async () => {
    const model = small();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(model.fit(X, y, { signal })).rejects.toThrow('enough');
    await expect(model.finetune(X, y, { signal })).rejects.toThrow('enough');
    expect(() => model.grid).toThrow('has not been fitted');
  });

  it('remembers the grid that it was given', async () => {
    const initMode = {
      prototypes: [
        [0, 0],
        [1, 1],
      ],
      targets: [0, 1],
      ages: [2 ** 30, 3],
    };
    const model = new FastKMeansRegressor({ backend, initMode });
    const again = await FastKMeansRegressor.load(await model.save(), { backend });
    const data = [
      [0, 0.1],
      [1, 0.9],
      [0.1, 0],
    ];
    for (const each of [model, again]) await each.fit(data, [0, 1, 0], { maxIters: 2 });
    expect(await again.save()).toEqual(await model.save());
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

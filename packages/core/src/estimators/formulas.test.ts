// What options do, in numbers; that every one of them does something is in effects.test.ts.

import { describe, expect, it } from 'vitest';
import type { NdArray } from '../dtype.js';
import { jsBackend } from '../reference/js-backend.js';
import { FastKMeansClusterer } from './clusterer.js';
import type { FastKMeansRegressor } from './regressor.js';
import { given, rows, type Settings, small } from './testing.js';

const { X, y } = rows(120);
const list = (array: NdArray | undefined): number[] => Array.from(array?.data ?? []);
const strata = { softType: 'scaled', nPrototypes: undefined, heads: undefined, metric: undefined } as const;

async function fitted(options: Settings, columns = X): Promise<FastKMeansRegressor> {
  const model = small(options);
  await model.fit(columns, y, { maxIters: 2 });
  return model;
}

describe('the grid has the size that was asked for', () => {
  it.each<[Settings, number]>([
    [{ nPrototypes: 11 }, 11],
    [{ nPrototypes: undefined, kTargets: 3, kFeatures: 5 }, 15],
    [{ ...strata, kTargets: 3, kFeatures: 5 }, 15],
    [{ ...strata, initMode: 'random', kTargets: 4, kFeatures: 2 }, 8],
    [{ nPrototypes: undefined }, 30],
    [{ nPrototypes: 22, heads: 4 }, 20],
  ])('%o', async (options, count) => {
    expect((await fitted(options)).grid.prototypes.shape[0]).toBe(count);
  });

  it("'auto' follows the data", async () => {
    const near = X.map((x) => x.map((v) => 10 + 0.01 * v));
    const auto = { ...strata, kTargets: 1, kFeatures: 'auto', scaling: 'none' } as const;
    const [few, many] = [await fitted(auto, near), await fitted(auto)];
    expect(few.grid.prototypes.shape[0]).toBeLessThan(many.grid.prototypes.shape[0] as number);
    const wide = await fitted({ ...strata, kTargets: 'auto', kFeatures: 1 });
    expect(wide.grid.prototypes.shape[0]).toBeGreaterThan(5);
  });
});

describe('scaling', () => {
  it.each([
    ['none', 3],
    ['standard', 3],
    ['quantile', 3],
    ['dual', 6],
  ] as const)('%s has %i columns a prototype', async (scaling, columns) => {
    expect((await fitted({ scaling })).grid.prototypes.shape[1]).toBe(columns);
  });

  it('makes units of the features irrelevant, but for none', async () => {
    // Powers of two change no bit of a mantissa.
    const X2 = X.map(([a, b, c]) => [1024 * (a as number), b as number, (c as number) / 64]);
    for (const scaling of ['standard', 'quantile', 'dual'] as const) {
      const [one, other] = [await fitted({ scaling }), await fitted({ scaling }, X2)];
      const [before, after] = [list(await one.predict(X)), list(await other.predict(X2))];
      after.forEach((v, i) => {
        expect(v).toBeCloseTo(before[i] as number, 3);
      });
    }
  });
});

describe('metric', () => {
  it("'slopes' weighs what moves the target", async () => {
    const model = await fitted({ metric: 'slopes', scaling: 'standard' });
    const [a, b, idle] = list(model.grid.metric) as [number, number, number];
    expect(Math.min(a, b)).toBeGreaterThan(2 * idle);
    expect((await fitted({ metric: 'none' })).grid.metric).toBeUndefined();
  });
});

describe('featureWeights', () => {
  it('of 0 make a feature irrelevant, and constant columns take theirs along', async () => {
    const model = await fitted({ scaling: 'none', featureWeights: [1, 1, 0] });
    const moved = X.map(([a, b]) => [a as number, b as number, 99]);
    expect(list(await model.predict(moved))).toEqual(list(await model.predict(X)));
    const flat = X.map(([, b, c]) => [5, b as number, c as number]);
    const dropped = await fitted({ scaling: 'standard', featureWeights: [1, 0.5, 0.25] }, flat);
    expect(list(dropped.grid.featureWeights)).toEqual([0.5, 0.25]);
  });

  it('are learned with autoFeatureWeights: noise weighs less, and phase 2 goes on', async () => {
    const model = given({ autoFeatureWeights: true });
    const at = [
      [0, 0],
      [4, 0],
      [0, 4],
    ] as const;
    const near = Array.from({ length: 60 }, (_, i) => [at[i % 3]?.[0] as number, ((i * 7) % 11) - 5]);
    await model.fitBatch(
      near,
      near.map(() => 1),
    );
    const [signal, noise] = list(model.grid.featureWeights) as [number, number];
    expect(signal).toBeGreaterThan(noise);
    await model.fitBatch(
      near,
      near.map(([a]) => a as number),
      { gradientStep: true },
    );
    expect(list(model.grid.featureWeights)).not.toEqual([signal, noise]);
    expect(Math.max(...list(model.grid.featureWeights))).toBeLessThanOrEqual(1);
  });

  it('compare directions with cosine, however long the rows are', async () => {
    // Two directions in the first two columns, and one that both share in the third.
    const rows = Array.from({ length: 80 }, (_, i) => {
      const length = 1 + (i % 5);
      return [i % 2 ? 3 : 0.2, i % 2 ? 0.2 : 3, 1 + 0.01 * ((i * 7) % 11)].map((v) => length * v);
    });
    const weightsOf = async (X: number[][]): Promise<number[]> => {
      const model = new FastKMeansClusterer({
        backend: jsBackend(),
        distance: 'cosine',
        kInit: 2,
        autoFeatureWeights: true,
      });
      await model.fit(X);
      expect(new Set(model.labels).size).toBe(2);
      return list(model.grid.featureWeights);
    };
    const [first, second, shared] = (await weightsOf(rows)) as [number, number, number];
    expect(Math.min(first, second)).toBeGreaterThan(0.9);
    expect(shared).toBeLessThan(0.1);
    const unit = rows.map((x) => x.map((v) => v / Math.hypot(...x)));
    (await weightsOf(unit)).forEach((weight, j) => {
      expect(weight).toBeCloseTo([first, second, shared][j] as number, 2);
    });
  });

  it('stay where no prototype lies among the rows yet: all features at 0 would make all rows alike', async () => {
    const model = given({
      autoFeatureWeights: true,
      initMode: {
        prototypes: [
          [90, 90],
          [91, 91],
        ],
        targets: [0, 1],
      },
    });
    await model.fitBatch(
      [
        [0, 1],
        [1, 0],
        [2, 3],
        [4, 1],
      ],
      [0, 1, 0, 1],
    );
    expect(list(model.grid.featureWeights)).toEqual([1, 1]);
  });
});

describe('targetAssignment', () => {
  // Two rows go to the prototype at 0: one on it, one farther off.
  const at = async (options: Settings): Promise<number> => {
    const model = given({
      initMode: {
        prototypes: [
          [0, 0],
          [9, 9],
        ],
        targets: [0, 0],
        ages: [1, 1],
      },
      ...options,
    });
    await model.fitBatch(
      [
        [0, 0],
        [2, 0],
      ],
      [3, 9],
    );
    return model.grid.targets?.data[0] as number;
  };
  const eta = 2 / 3;
  it.each<[string, Settings, number]>([
    ['mean', { targetAssignment: 'mean' }, (3 + 9) / 2],
    // s = 1 and 1/5
    ['scaled', { targetAssignment: 'scaled' }, (3 + 9 / 5) / (6 / 5)],
    [
      'softmax_scaled',
      { targetAssignment: 'softmax_scaled', temperature: 0.5 },
      (3 * Math.exp(2) + 9 * Math.exp(0.4)) / (Math.exp(2) + Math.exp(0.4)),
    ],
    ['hard', { targetAssignment: 'hard' }, 3],
  ])('%s', async (_name, options, target) => {
    expect(await at(options)).toBeCloseTo(eta * target, 5);
  });
});

describe('halfLife', () => {
  it('halves the ages over that many rows, and is off by default', async () => {
    const ages = async (options: Settings): Promise<number[]> => {
      const model = given({
        initMode: {
          prototypes: [
            [0, 0],
            [9, 9],
          ],
          targets: [0, 0],
          ages: [8, 16],
        },
        ...options,
      });
      await model.fitBatch(
        [
          [0, 0],
          [1, 0],
        ],
        [1, 1],
      );
      return list(model.grid.ages);
    };
    expect(await ages({})).toEqual([10, 16]);
    expect(await ages({ halfLife: 2 })).toEqual([6, 8]);
    expect(await ages({ halfLife: 1 })).toEqual([4, 4]);
  });
});

describe('pruning', () => {
  const initMode = {
    prototypes: [
      [0, 0],
      [9, 9],
      [5, 5],
    ],
    targets: [1, 2, 3],
    ages: [1, 0.5, 0.25],
  };
  const near = [
    [0, 0],
    [1, 0],
  ];
  it('drops prototypes below minWeight every pruneEvery batches', async () => {
    const model = given({ initMode, minWeight: 0.6, pruneEvery: 2 });
    await model.fitBatch(near, [1, 1]);
    expect(model.grid.prototypes.shape).toEqual([3, 2]);
    await model.fitBatch(near, [1, 1]);
    expect(model.grid.prototypes.shape).toEqual([1, 2]);
    expect(list(model.grid.ages)).toEqual([5]);
    expect(list(await model.predict(near))[0]).toBeCloseTo(1, 6);
    expect(Number.isFinite(await model.fitBatch(near, [1, 2]))).toBe(true);
  });
  it('keeps frozen ones, and the oldest where none is old enough', async () => {
    const model = given({ initMode, minWeight: 100, pruneEvery: 1 });
    model.freezePrototypes([false, false, true]);
    await model.fitBatch(near, [1, 1]);
    expect(list(model.grid.prototypes)).toEqual([5, 5]);
    const other = given({ initMode, minWeight: 100, pruneEvery: 1 });
    await other.fitBatch(near, [1, 1]);
    expect(list(other.grid.ages)).toEqual([3]);
  });
  it('follows a pass of fit, and goes on with moments of the rows that stay', async () => {
    const model = await fitted({ minWeight: 15, nPrototypes: 12 });
    const count = model.grid.prototypes.shape[0] as number;
    expect(count).toBeLessThan(12);
    const trained = given({ initMode, minWeight: 0.6, pruneEvery: 2 });
    await trained.fitBatch(near, [1, 1], { gradientStep: true });
    await trained.fitBatch(near, [1, 1]);
    expect(trained.grid.prototypes.shape[0]).toBeLessThan(3);
    expect(Number.isFinite(await trained.fitBatch(near, [1, 1], { gradientStep: true }))).toBe(true);
  });
});

describe('the loss', () => {
  const loss = async (options: Settings): Promise<number> =>
    (await given(options).lossAndGradients([[1, 1]], [1])).loss;
  it('l2Reg adds l2Reg · Σ p²', async () => {
    expect((await loss({ l2Reg: 0.5 })) - (await loss({}))).toBeCloseTo(0.5 * 32, 4);
  });
  it('diversityReg adds diversityReg · Σ s(p_i, p_j)² over pairs i ≠ j', async () => {
    const pairs = 4 * (1 / 17) ** 2 + 2 * (1 / 33) ** 2;
    expect((await loss({ diversityReg: 2 })) - (await loss({}))).toBeCloseTo(2 * pairs, 6);
  });
  it('prototypeDropout changes steps, and not the loss', async () => {
    const step = async (prototypeDropout: number): Promise<[number, number[]]> => {
      const model = given({ softType: 'gaussian', prototypeDropout });
      const { loss: plain } = await model.lossAndGradients(
        X.map((x) => x.slice(0, 2)),
        y,
      );
      await model.fitBatch(
        X.map((x) => x.slice(0, 2)),
        y,
        { gradientStep: true },
      );
      return [plain, list(model.grid.targets)];
    };
    const [[none, a], [some, b]] = [await step(0), await step(0.6)];
    expect(some).toBe(none);
    expect(b).not.toEqual(a);
  });
  it('learningRate is the size of the first step of Adam', async () => {
    for (const learningRate of [0.01, 0.1]) {
      const model = given({ learningRate, topK: -1 });
      await model.fitBatch([[1, 1]], [5], { gradientStep: true });
      list(model.grid.targets).forEach((t, k) => {
        expect(t - k).toBeCloseTo(learningRate, 4);
      });
    }
  });
});

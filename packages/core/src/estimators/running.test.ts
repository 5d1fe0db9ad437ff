// Long calls: what they report, how they stop, and which state they keep.

import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { stepsOver } from '../fitting/finetune.js';
import { Random } from '../random.js';
import type { Picked } from '../state/batch.js';
import type { Progress } from '../training/progress.js';
import { FastKMeansClassifier } from './classifier.js';
import { originalDefaults } from './original.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, given, rows, small } from './testing.js';

const { X, y } = rows(120);
const held = rows(60, 3, 9);
const evalSet = { X: held.X, y: held.y };
const mse = async (model: FastKMeansRegressor): Promise<number> => {
  const { data } = await model.predict(held.X);
  return (
    Array.from(data).reduce((sum, value, i) => sum + (value - (held.y[i] as number)) ** 2, 0) / data.length
  );
};

describe('fit', () => {
  it('shuffle changes the order of the rows', async () => {
    const [one, other] = [small({ batchSize: 30 }), small({ batchSize: 30 })];
    await one.fit(X, y, { maxIters: 1 });
    await other.fit(X, y, { maxIters: 1, shuffle: false });
    expect(one.grid.prototypes.data).not.toEqual(other.grid.prototypes.data);
  });

  it('keeps the pass of the lowest loss on the evaluation rows', async () => {
    // A half-life of one row forgets: passes are noisy, and the last one is not the best. Without 'gaussian' and scaling the
    // loss is in the units of y.
    const strata = {
      softType: 'scaled',
      scaling: 'none',
      nPrototypes: undefined,
      heads: undefined,
      kTargets: 3,
      kFeatures: 2,
    } as const;
    const model = small({ ...strata, halfLife: 1, batchSize: 7 });
    const { history } = await model.fit(X, y, { evalSet, maxIters: 8, tol: 0 });
    const losses = history.map(({ evalLoss }) => evalLoss as number);
    expect(losses.indexOf(Math.min(...losses))).not.toBe(losses.length - 1);
    expect(await mse(model)).toBeCloseTo(Math.min(...losses), 4);
  });

  it('evalFraction holds rows out, and only the others train', async () => {
    const model = small();
    const { history } = await model.fit(X, y, { evalFraction: 0.5, maxIters: 1 });
    expect(history[0]?.evalLoss).toBeGreaterThan(0);
    const { ages } = model.grid;
    // Every prototype starts at age 1.
    expect(Array.from(ages.data).reduce((a, b) => a + b, 0)).toBeCloseTo(60 + 6, 3);
  });

  it('moves idle prototypes to the rows of highest loss', async () => {
    const initMode = {
      prototypes: [
        [0, 0],
        [500, 500],
      ],
      targets: [0, 0],
    };
    const model = given({ initMode });
    const near = [
      [0, 0],
      [0.1, 0],
      [0, 0.1],
      [9, 9],
    ];
    // The first pass finds it idle, the second one gives it the row it was put on.
    await model.fit(near, [0, 0, 0, 5], { maxIters: 2, shuffle: false });
    expect(Array.from(model.grid.prototypes.data).slice(2)).toEqual([9, 9]);
    expect(model.grid.targets?.data[1]).toBe(5);
    expect(model.grid.ages.data[1]).toBe(2);
    const short = given({ initMode });
    await short.fit(near, [0, 0, 0, 5], { maxIters: 1, shuffle: false });
    expect(Array.from(short.grid.prototypes.data).slice(2)).toEqual([500, 500]);
    const still = given({ initMode });
    still.freezePrototypes([false, true]);
    await still.fit(near, [0, 0, 0, 5], { maxIters: 2, shuffle: false });
    expect(Array.from(still.grid.prototypes.data).slice(2)).toEqual([500, 500]);
  });
});

describe('finetune', () => {
  const start = async (): Promise<FastKMeansRegressor> => {
    const model = small();
    await model.fit(X, y);
    return model;
  };

  it('lowers the loss and the error', async () => {
    const model = await start();
    const before = await mse(model);
    const history = await model.finetune(X, y, { epochs: 20 });
    expect(history[19]?.loss as number).toBeLessThan(0.7 * (history[0]?.loss as number));
    expect(await mse(model)).toBeLessThan(0.8 * before);
  });

  it('keeps the best evaluated state, and stops early if it does not improve', async () => {
    const model = await start();
    const history = await model.finetune(X, y, {
      evalSet,
      epochs: 40,
      lr: 1,
      schedule: 'constant',
      earlyStoppingRounds: 3,
    });
    const losses = history.map(({ evalLoss }) => evalLoss as number);
    const bestEpoch = history.filter(({ best }) => best).at(-1)?.done ?? 0;
    expect(history.length).toBeLessThan(40);
    expect(history.length).toBe(bestEpoch + 3);
    const deviation = Math.sqrt(
      y.reduce((s, v) => s + (v - y.reduce((a, b) => a + b) / y.length) ** 2, 0) / y.length,
    );
    if (bestEpoch > 0) {
      expect(losses[bestEpoch - 1]).toBe(Math.min(...losses));
      expect(await mse(model)).toBeCloseTo(Math.min(...losses) * deviation ** 2, 3);
    }
  });

  it('follows its schedule', async () => {
    const rates = async (schedule: 'oneCycle' | 'cosine' | 'constant'): Promise<number[]> => {
      const history = await (await start()).finetune(X, y, { epochs: 10, lr: 0.01, schedule });
      return history.map(({ learningRate }) => learningRate as number);
    };
    expect(new Set(await rates('constant'))).toEqual(new Set([0.01]));
    const [cosine, cycle] = [await rates('cosine'), await rates('oneCycle')];
    expect(cosine[0]).toBe(0.01);
    expect(cycle[0]).toBeCloseTo(0.0004, 6);
    expect(Math.max(...cycle)).toBeGreaterThan(0.0095);
    expect(cycle[9]).toBeLessThan(1e-5);
    expect(cosine[9]).toBeLessThan(1e-5);
  });

  describe('early stopping by a tenth of waiting rows', () => {
    const waiting = 10;
    /** R² on rows that were not seen, and the run. */
    const learn = async (
      noise: number,
      evalFraction?: number,
      lr?: number,
    ): Promise<{ epochs: Progress[]; score: number }> => {
      const [train, test] = [rows(600, 3, 1), rows(300, 3, 2)];
      const random = new Random(5);
      const targets = ({ y }: typeof train): number[] =>
        y.map((value) => (1 - noise) * value + noise * Math.sqrt(-2 * Math.log(1 - random.uniform())));
      const model = small({ nPrototypes: 60, batchSize: 32 });
      const y = targets(train);
      await model.fit(train.X, y);
      const epochs = await model.finetune(train.X, y, { epochs: 25, evalFraction, lr });
      return { epochs: [...epochs], score: await model.score(test.X, targets(test)) };
    };

    it('keeps the best average of the epochs if the target is noise', async () => {
      const [{ epochs, score }, all] = [await learn(1), await learn(1, 0)];
      // They never join: every epoch is judged.
      expect(epochs.every(({ evalLoss }) => (evalLoss as number) > 0)).toBe(true);
      expect(epochs.some(({ best }) => !best)).toBe(true);
      expect(all.epochs.length).toBe(25);
      // 60 prototypes of 540 rows of noise cost 60 / 540 of the variance by chance; .05 is two standard errors of R² over 300 rows.
      expect(score).toBeGreaterThan(-60 / 540 - 0.05);
      expect(all.score).toBeLessThan(score - 0.05);
    });

    it('stops once the loss has risen significantly', async () => {
      const { epochs, score } = await learn(0.9, undefined, 0.1);
      expect(epochs.length).toBe(waiting);
      expect(epochs.at(-1)?.best).toBe(false);
      expect(score).toBeGreaterThan((await learn(0.9, 0, 0.1)).score + 0.1);
    });

    it('lets the waiting rows join if the run learns', async () => {
      const [{ epochs, score }, all] = [await learn(0), await learn(0, 0)];
      expect(epochs.length).toBe(25);
      expect(epochs.filter(({ evalLoss }) => evalLoss !== undefined).length).toBe(waiting);
      expect(score).toBeGreaterThan(all.score - 0.01);
    });

    it('decides the same in any unit of weights', async () => {
      const { X: many, y: targets } = rows(600, 3, 1);
      const run = async (weight: number): Promise<(number | undefined)[]> => {
        const model = small({ nPrototypes: 30, batchSize: 64 });
        const sampleWeight = targets.map((_, i) => weight * (1 + (i % 2)));
        await model.fit(many, targets, { maxIters: 2 });
        const history = await model.finetune(many, targets, { epochs: 13, sampleWeight });
        return history.map(({ evalLoss }) => evalLoss);
      };
      // A power of two: the same bits.
      expect(await run(2 ** -20)).toEqual(await run(1));
    });

    it('works for a classifier', async () => {
      const { X: many, y: targets } = rows(600, 3, 1);
      const random = new Random(3);
      const noise = targets.map(() => (random.uniform() < 0.5 ? 'b' : 'a'));
      const joins = async (classes: string[]): Promise<boolean> => {
        const model = new FastKMeansClassifier({
          backend,
          nPrototypes: 60,
          heads: 1,
          metric: 'none',
          batchSize: 32,
        });
        await model.fit(many, classes);
        const history = await model.finetune(many, classes, { epochs: 25 });
        return history.some(({ evalLoss }) => evalLoss === undefined);
      };
      expect(await joins(targets.map((value) => (value > 0 ? 'b' : 'a')))).toBe(true);
      expect(await joins(noise)).toBe(false);
    });

    it('rows that have joined take part in all batches', () => {
      const batch = {
        x: toRows(rows(100).X, { call: 'test', argument: 'X' }),
        y: { data: new Float32Array(0), rows: 100, columns: 0 },
        sampleWeight: new Float32Array(100).fill(1),
      };
      const others = Uint32Array.from({ length: 90 }, (_, i) => i + 10);
      const steps = stepsOver(batch, 10, others);
      const placesOf = (waits: boolean): number[] =>
        [...(steps.batches(new Random(1), waits) as Iterable<Picked>)].flatMap(({ order }) => [...order]);
      expect([steps.perEpoch(true), steps.perEpoch(false)]).toEqual([9, 10]);
      expect(placesOf(true).sort((a, b) => a - b)).toEqual([...others]);
      expect(new Set(placesOf(false)).size).toBe(100);
    });
  });

  describe("with lr 'auto'", () => {
    it('trains at the rate of findLearningRate, and reports it in the history', async () => {
      const model = await start();
      const { learningRate } = await model.findLearningRate(X, y);
      const phases: string[] = [];
      const history = await model.finetune(X, y, {
        epochs: 3,
        lr: 'auto',
        schedule: 'constant',
        onProgress: ({ phase }) => phases.push(phase),
      });
      expect(history.map((epoch) => epoch.peakLearningRate)).toEqual([
        learningRate,
        learningRate,
        learningRate,
      ]);
      expect(history[0]?.learningRate).toBe(learningRate);
      expect(new Set(phases)).toEqual(new Set(['findLearningRate', 'finetune']));
      const said = await start();
      expect(
        (await said.finetune(X, y, { epochs: 3, lr: learningRate, schedule: 'constant' }))[2]?.loss,
      ).toBe(history[2]?.loss);
    });

    it('is the default only with originalDefaults', async () => {
      const { learningRate: rate } = originalDefaults;
      expect(rate).toBe('auto');
      expect((await (await start()).finetune(X, y, { epochs: 1 }))[0]?.peakLearningRate).toBe(0.02);
      const original = new FastKMeansRegressor({ backend, ...originalDefaults });
      await original.fit(X, y, { maxIters: 2 });
      const { learningRate } = await original.findLearningRate(X, y);
      const [first] = await original.finetune(X, y, { epochs: 1 });
      expect(first?.peakLearningRate).toBe(learningRate);
      expect((await original.finetune(X, y, { epochs: 1, lr: 0.5 }))[0]?.peakLearningRate).toBe(0.5);
      const own = new FastKMeansRegressor({ backend, ...originalDefaults, learningRate: 0.01 });
      await own.fit(X, y, { maxIters: 2 });
      expect((await own.finetune(X, y, { epochs: 1 }))[0]?.peakLearningRate).toBe(0.01);
    });

    it('takes the default rate in single gradient steps', async () => {
      const losses = async (learningRate?: 'auto'): Promise<number[]> => {
        const model = small({ learningRate });
        await model.fit(X, y);
        return [0, 1].reduce<Promise<number[]>>(
          async (before) => [...(await before), await model.fitBatch(X, y, { gradientStep: true })],
          Promise.resolve([]),
        );
      };
      expect(await losses('auto')).toEqual(await losses());
    });

    it('is kept by save and load', async () => {
      const model = small({ learningRate: 'auto' });
      await model.fit(X, y);
      const again = await FastKMeansRegressor.load(await model.save(), { backend });
      const [a] = await model.finetune(X, y, { epochs: 1 });
      expect((await again.finetune(X, y, { epochs: 1 }))[0]).toEqual(a);
      expect(a?.peakLearningRate).not.toBe(0.02);
    });
  });

  it('trains on all rows if they are few, and on nine tenths with earlyStoppingRounds', async () => {
    const all = await (await start()).finetune(X, y, { epochs: 2 });
    expect(all.map(({ evalLoss }) => evalLoss)).toEqual([undefined, undefined]);
    const stopping = await (await start()).finetune(X, y, { epochs: 1, earlyStoppingRounds: 1 });
    expect(stopping[0]?.evalLoss).toBeGreaterThan(0);
    const drawn = await (await start()).finetune(X, y, { epochs: 1, evalFraction: 0.1 });
    expect(stopping).toEqual(drawn);
  });
});

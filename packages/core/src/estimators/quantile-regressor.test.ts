// Quantiles of numbers: they cover the share that they say, rise, and follow a spread that differs from row to row.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { FastKMeansQuantileRegressor } from './quantile-regressor.js';
import { backend, estimators, expectError } from './testing.js';

const random = new Random(5);
/** y = 4a + (0.2 + 2b)·noise */
const drawn = (count: number): { X: number[][]; y: number[] } => {
  const X = Array.from({ length: count }, () => [random.uniform(), random.uniform()]);
  const noise = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  return { X, y: X.map(([a = 0, b = 0]) => 4 * a + (0.2 + 2 * b) * noise()) };
};
const [training, held] = [drawn(1200), drawn(2000)];
const options = { backend, nPrototypes: 40, heads: 2, metric: 'none' } as const;

const rowsOf = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): number[][] =>
  Array.from({ length: shape[0] as number }, (_, i) =>
    Array.from(data).slice(i * (shape[1] as number), (i + 1) * (shape[1] as number)),
  );
const coverage = (answers: readonly number[][], y: readonly number[]): number =>
  answers.filter(([low = 0, , high = 0], i) => low <= (y[i] as number) && (y[i] as number) <= high).length /
  y.length;

describe('quantiles', () => {
  it('cover what they say after fit and after finetune, rise, and widen with the noise', async () => {
    const model = new FastKMeansQuantileRegressor(options);
    const judge = async (low: number, high: number): Promise<number> => {
      const answers = rowsOf(await model.predict(held.X));
      expect(answers[0]).toHaveLength(3);
      for (const [a = 0, b = 0, c = 0] of answers) expect(a <= b && b <= c && a < c).toBe(true);
      const share = coverage(answers, held.y);
      expect(share).toBeGreaterThan(low);
      expect(share).toBeLessThan(high);
      const width = (of: (b: number) => boolean): number => {
        const some = answers.filter((_, i) => of(held.X[i]?.[1] as number));
        return some.reduce((sum, [a = 0, , c = 0]) => sum + c - a, 0) / some.length;
      };
      expect(width((b) => b > 0.8)).toBeGreaterThan(1.5 * width((b) => b < 0.2));
      return model.score(held.X, held.y);
    };
    await model.fit(training.X, training.y);
    const before = await judge(0.7, 0.93);
    await model.finetune(training.X, training.y, { epochs: 20 });
    expect(await judge(0.74, 0.86)).toBeGreaterThan(before);
  }, 120_000);

  it('of a stream of single rows are no means', async () => {
    const model = new FastKMeansQuantileRegressor({ ...options, nPrototypes: 2, heads: 1 });
    await model.fitBatch(training.X.slice(0, 8), training.y.slice(0, 8));
    for (let i = 8; i < 200; i++)
      await model.fitBatch([training.X[i] as number[]], [training.y[i] as number]);
    const answers = rowsOf(await model.predict(held.X));
    expect(coverage(answers, held.y)).toBeGreaterThan(0.6);
  }, 60_000);

  it('of one quantile are answered [N, 1]', async () => {
    const model = new FastKMeansQuantileRegressor({ ...options, quantiles: [0.75] });
    await model.fit(training.X, training.y);
    await model.finetune(training.X, training.y, { epochs: 5 });
    const { data, shape } = await model.predict(held.X);
    expect(shape).toEqual([2000, 1]);
    expect(held.y.filter((y, i) => y < (data[i] as number)).length / 2000).toBeCloseTo(0.75, 1);
  }, 60_000);

  it('of targets far from 0 come in float64, and learn on after a load', async () => {
    const far = training.y.map((y) => y + 1e8);
    const model = new FastKMeansQuantileRegressor({ ...options, nPrototypes: 8 });
    await model.fit(training.X, far);
    const again = await FastKMeansQuantileRegressor.load(await model.save(), { backend });
    for (const one of [model, again]) await one.fitBatch(training.X, far);
    expect(await again.save()).toEqual(await model.save());
    const { data } = await model.predict(held.X);
    expect(data).toBeInstanceOf(Float64Array);
    expect(
      coverage(
        rowsOf(await model.predict(held.X)),
        held.y.map((y) => y + 1e8),
      ),
    ).toBeGreaterThan(0.65);
  }, 60_000);

  it.each([[[]], [[0]], [[1]], [[0.9, 0.1]], [[0.5, 0.5]], [[Number.NaN]]])(
    '%j are refused',
    async (quantiles) => {
      await expectError(() => new FastKMeansQuantileRegressor({ backend, quantiles }), {
        kind: 'option',
        says: ['FastKMeansQuantileRegressor:', 'quantiles', 'between 0 and 1'],
      });
    },
  );

  it('of several targets are refused, and so is a grid of other quantiles', async () => {
    await expectError(
      () =>
        new FastKMeansQuantileRegressor(options).fit(
          training.X,
          training.y.map((y) => [y, y]),
        ),
      {
        kind: 'shape',
        says: ['fit:', 'y has 2 columns', '1'],
      },
    );
    const initMode = {
      prototypes: [
        [0, 0],
        [1, 1],
      ],
      targets: [
        [1, 2],
        [3, 4],
      ],
    };
    await expectError(() => estimators.quantileRegressor.make({ initMode }), {
      kind: 'option',
      says: ['initMode.targets has 2 columns', '3'],
    });
  });
});

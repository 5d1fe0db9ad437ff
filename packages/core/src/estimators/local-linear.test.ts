// prototypeModel 'linear': prototypes that answer lines, in a stream as in fit, within the range of the targets.

import { describe, expect, it } from 'vitest';
import type { Csr } from '../data/matrix.js';
import type { InitialGrid } from '../state/options.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, expectError, given, rows, type Settings, small, withoutDigests } from './testing.js';

const { X, y } = rows(240);
const line = ([a, b, c]: readonly number[]): number =>
  3 * (a as number) - 2 * (b as number) + (c as number) + 5;
const straight = X.map(line);
const linear = (options: Settings = {}): FastKMeansRegressor =>
  small({ prototypeModel: 'linear', ...options });
const rowsOfNoise = rows(800, 1, 6).X;
const list = (values: ArrayLike<number> | undefined): number[] => Array.from(values ?? []);

/** Two prototypes on the branches of |x|, which hold it there. */
const vee: InitialGrid = {
  prototypes: [
    [-1, 0],
    [1, 0],
  ],
  targets: [1, 1],
};
const branches = (options: Settings = {}): FastKMeansRegressor =>
  given({ softType: 'hard', prototypeModel: 'linear', initMode: vee, ...options });
const V = rows(400, 2, 3).X.map(([a, b]) => [2 * (a as number), b as number]);
const bend = V.map(([a]) => Math.abs(a as number));

describe('answers', () => {
  it.each<[string, Settings, number[] | number[][]]>([
    ['one prototype', { nPrototypes: 1 }, straight],
    ['several', {}, straight],
    ['heads that share it', { heads: 3 }, straight],
    ['two columns', { nPrototypes: 2 }, X.map((x) => [line(x), -10 * (x[2] as number)])],
    [
      'other soft types',
      {
        softType: 'softmax_scaled',
        kTargets: 3,
        kFeatures: 2,
        nPrototypes: undefined,
        heads: undefined,
        metric: undefined,
      },
      straight,
    ],
  ])('meet a line: %s', async (_name, options, target) => {
    const model = linear({ scaling: 'standard', ...options });
    await model.fit(X, target);
    expect(await model.score(X, target)).toBeGreaterThan(0.999);
  });

  it('fit a piecewise linear target', async () => {
    const model = branches();
    await model.fit(V, bend, { maxIters: 1 });
    const { data } = await model.predict(V);
    // The ridge is one row beside two hundred.
    data.forEach((value, i) => {
      expect(Math.abs(value - (bend[i] as number))).toBeLessThan(0.01);
    });
    expect(list(model.grid.slopes?.data).map((slope) => Math.round(slope * 10) / 10 + 0)).toEqual([
      -1, 0, 1, 0,
    ]);
  });

  it('stay between the lowest and the highest target that were seen', async () => {
    const model = linear({ nPrototypes: 1, scaling: 'none' });
    await model.fit(X, straight);
    const [low, high] = [Math.fround(Math.min(...straight)), Math.fround(Math.max(...straight))];
    const higher = Math.fround(high + 8);
    const far = [
      [99, -99, 99],
      [-99, 99, -99],
    ];
    expect(list((await model.predict(far)).data)).toEqual([high, low]);
    // Rows that fine-tune are seen; those of weight 0 are not.
    const sampleWeight = [1, 1, 0];
    await model.fitBatch([...far, [0, 0, 0]], [higher, low, low - 9], { sampleWeight, gradientStep: true });
    expect(list((await model.predict(far)).data)).toEqual([higher, low]);
  });

  it('of a constant model are as they were', async () => {
    const [one, other] = [small(), small({ prototypeModel: 'constant' })];
    await one.fit(X, y, { maxIters: 2 });
    await other.fit(X, y, { maxIters: 2 });
    expect(await other.save()).toEqual(await one.save());
    expect(one.grid.slopes).toBeUndefined();
  });
});

describe('a stream', () => {
  it('gives what fit gives, and one large batch nearly that', async () => {
    const [fitted, streamed] = [linear({ batchSize: 60 }), linear()];
    await fitted.fit(X, y, { shuffle: false, maxIters: 1 });
    for (let begin = 0; begin < 240; begin += 60)
      await streamed.fitBatch(X.slice(begin, begin + 60), y.slice(begin, begin + 60));
    expect(streamed.grid).toEqual(fitted.grid);
    expect(await streamed.predict(X)).toEqual(await fitted.predict(X));
  });

  it('does not grow what is kept', async () => {
    const model = linear();
    await model.fitBatch(X, y);
    const { length } = await model.save();
    for (let i = 0; i < 3; i++) await model.fitBatch(X, y);
    expect((await model.save()).length).toBe(length);
  });

  it('forgets with halfLife', async () => {
    const model = branches({ halfLife: 40 });
    await model.fitBatch(V, bend);
    const before = list(model.grid.slopes?.data);
    await model.fitBatch(
      V,
      bend.map((v) => -v),
    );
    const after = list(model.grid.slopes?.data);
    expect(after[0]).toBeCloseTo(-(before[0] as number), 1);
    expect(after[2]).toBeCloseTo(-(before[2] as number), 1);
  });

  it('counts weights as rows, and 0 as none', async () => {
    const sampleWeight = V.map((_, i) => i % 3);
    const at = V.flatMap((_, i) => new Array<number>(i % 3).fill(i));
    const [weighted, repeated] = [branches(), branches()];
    await weighted.fitBatch(V, bend, { sampleWeight });
    await repeated.fitBatch(
      at.map((i) => V[i] as number[]),
      at.map((i) => bend[i] as number),
    );
    list(repeated.grid.slopes?.data).forEach((slope, i) => {
      expect(weighted.grid.slopes?.data[i]).toBeCloseTo(slope, 5);
    });
  });

  it('takes sparse rows for dense ones', async () => {
    const [dense, sparse] = [branches(), branches()];
    const flat = V.flat();
    const csr: Csr = {
      indptr: V.map((_, i) => 2 * i).concat(flat.length),
      indices: flat.map((_, i) => i % 2),
      values: flat,
      shape: [V.length, 2],
    };
    await dense.fitBatch(V, bend);
    await sparse.fitBatch(csr, bend);
    expect(sparse.grid.slopes).toEqual(dense.grid.slopes);
    expect(list((await sparse.predict(csr)).data)).toEqual(list((await dense.predict(V)).data));
  });
});

describe('masks', () => {
  // Far from 0, where a hidden feature would stand out if it were taken for one.
  const high = V.map(([a, b]) => [a as number, 10 + (b as number)]);
  const holes = high.map((_, i) => [1, i % 2]);
  const holed = high.map(([a, b], i) => [a as number, i % 2 ? (b as number) : Number.NaN]);

  it('hide what they mask, and what is masked has no part in an answer', async () => {
    const tilted = high.map(([a, b]) => Math.abs(a as number) + (b as number));
    const prototypes = [
      [-1, 10],
      [1, 10],
    ];
    const model = branches({ initMode: { prototypes, targets: [11, 11] } });
    await model.fit(holed, tilted, { featureMask: holes, maxIters: 1 });
    const slopes = list(model.grid.slopes?.data);
    [-1, 1, 1, 1].forEach((slope, i) => {
      expect(Math.abs((slopes[i] as number) - slope)).toBeLessThan(0.2);
    });
    const masked = await model.predict(holed, { featureMask: holes });
    const other = holed.map(([a, b]) => [a as number, Number.isNaN(b) ? 77 : (b as number)]);
    expect(await model.predict(other, { featureMask: holes })).toEqual(masked);
    // With every feature hidden the target alone is left.
    const { data } = await model.predict([[9, 9]], { featureMask: [0, 0] });
    expect(list(model.grid.targets?.data).map((t) => t.toFixed(4))).toContain((data[0] as number).toFixed(4));
  });

  it('that show all change nothing but rounding', async () => {
    const [one, other] = [branches(), branches()];
    await one.fitBatch(V, bend);
    await other.fitBatch(V, bend, { featureMask: [1, 1] });
    list(one.grid.slopes?.data).forEach((slope, i) => {
      expect(other.grid.slopes?.data[i]).toBeCloseTo(slope, 5);
    });
    const [plain, masked] = [await one.predict(V), await one.predict(V, { featureMask: [1, 1] })];
    plain.data.forEach((value, i) => {
      expect(masked.data[i]).toBeCloseTo(value, 5);
    });
  });

  it('of a whole column leave no slope along it', async () => {
    const model = branches();
    await model.fitBatch(
      V,
      V.map(([, b]) => b as number),
      { featureMask: [1, 0] },
    );
    const [, up, , down] = list(model.grid.slopes?.data);
    expect([up, down]).toEqual([0, 0]);
  });
});

describe('slopes', () => {
  it('are those of the rows themselves, in units of y', async () => {
    // The standard deviation of a column scales its slope, that of y does not.
    const model = linear({ nPrototypes: 1, scaling: 'standard' });
    // Ten times, for the ridge is one row.
    const often = <T>(values: readonly T[]): T[] => Array.from({ length: 10 }, () => values).flat() as T[];
    await model.fit(often(X), often(straight), { maxIters: 1 });
    const deviation = (j: number): number => {
      const column = X.map((x) => x[j] as number);
      const mean = column.reduce((a, b) => a + b, 0) / column.length;
      return Math.sqrt(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / column.length);
    };
    expect(model.grid.slopes?.shape).toEqual([1, 1, 3]);
    [3, -2, 1].forEach((slope, j) => {
      expect(model.grid.slopes?.data[j]).toBeCloseTo(slope * deviation(j), 2);
    });
  });

  it('are fitted to the rows nearest by features, also after a joint start', async () => {
    // Rows of one prototype that were chosen by y hardly differ in it: most of the slope would be lost.
    const { X: one } = rows(800, 1, 5);
    const noisy = one.map(([a], i) => (a as number) + (rowsOfNoise[i]?.[0] as number));
    const model = linear({ nPrototypes: 4, scaling: 'none' });
    await model.fit(one, noisy, { maxIters: 3 });
    const slopes = list(model.grid.slopes?.data);
    expect(slopes.reduce((sum, slope) => sum + slope / 4, 0)).toBeGreaterThan(0.75);
  });

  it('are not moved by gradients, but count in the loss', async () => {
    const model = linear({ heads: 2 });
    await model.fit(X, y);
    const { slopes } = model.grid;
    const { loss, gradients } = await model.lossAndGradients(X, y);
    expect(Object.keys(gradients)).not.toContain('slopes');
    const constant = small({ heads: 2 });
    await constant.fit(X, y);
    expect(loss).toBeLessThan((await constant.lossAndGradients(X, y)).loss);
    await model.finetune(X, y, { epochs: 2 });
    expect(model.grid.slopes).toEqual(slopes);
  });

  it('of frozen prototypes stay', async () => {
    const model = branches();
    await model.fitBatch(V, bend);
    const [a, b] = list(model.grid.slopes?.data);
    model.freezePrototypes([true, false]);
    await model.fitBatch(
      V,
      bend.map((v) => -2 * v),
    );
    const after = list(model.grid.slopes?.data);
    expect(after.slice(0, 2)).toEqual([a, b]);
    expect(after[2]).toBeLessThan(0.5);
  });

  it('leave with prototypes that are pruned, and begin anew with those that start again', async () => {
    const third = { prototypes: [...(vee.prototypes as number[][]), [50, 50]], targets: [1, 1, 0] };
    const pruned = branches({ initMode: third, minWeight: 2 });
    await pruned.fit(V, bend, { maxIters: 1 });
    expect(pruned.grid.slopes?.shape).toEqual([2, 1, 2]);
    const whole = branches();
    await whole.fit(V, bend, { maxIters: 1 });
    expect(pruned.grid.slopes).toEqual(whole.grid.slopes);
    await pruned.fitBatch(V, bend);

    // Two rows near the third prototype, then none: in the next pass it takes the place of another row.
    const lone = branches({ initMode: third });
    const far = [
      [49, 49],
      [51, 50],
    ];
    await lone.fitBatch(far, [0, 8]);
    expect(lone.grid.slopes?.data[4]).toBeGreaterThan(1);
    lone.freezePrototypes([true, false, false]);
    await lone.fit(
      V,
      V.map(([v]) => v as number),
      { maxIters: 2, tol: 0 },
    );
    const [a, , c] = [0, 1, 2].map((k) => list(lone.grid.prototypes.data)[2 * k] as number);
    expect(Math.abs(c as number)).toBeLessThan(3);
    expect(Math.abs(a as number)).toBe(1);
    expect(lone.grid.slopes?.data[4]).toBeCloseTo(1, 1);
  });
});

describe('a checkpoint', () => {
  it('predicts the same bits, goes on to the bit, in phase 1 and in phase 2', async () => {
    const model = linear({ heads: 2 });
    await model.fit(X, y, { maxIters: 2 });
    await model.fitBatch(X, y, { gradientStep: true });
    const again = await FastKMeansRegressor.load(await model.save(), { backend });
    expect(await again.save()).toEqual(await model.save());
    expect(await again.predict(X)).toEqual(await model.predict(X));
    for (const each of [model, again]) {
      await each.fitBatch(
        X,
        y.map((v) => -v),
      );
      await each.finetune(X, y, { epochs: 1 });
    }
    expect(await again.save()).toEqual(await model.save());
  });

  it('is refused where moments or slopes do not fit', async () => {
    const model = linear();
    await model.fitBatch(X, y);
    const bytes = withoutDigests(await model.save());
    const text = new TextDecoder('latin1').decode(bytes);
    // Without the option prototypes are constant.
    const constant = text.replace(/\\"prototypeModel\\":\\"linear\\",/, (option) =>
      ' '.repeat(option.length),
    );
    expect(constant).not.toBe(text);
    const damaged = Uint8Array.from(constant, (c) => c.charCodeAt(0));
    await expectError(() => FastKMeansRegressor.load(damaged, { backend }), {
      kind: 'format',
      says: ['slopes'],
    });
  });
});

describe('the option', () => {
  it('refuses more columns than it can hold moments of, and leaves the model as it was', async () => {
    const wide = Array.from({ length: 20 }, (_, i) =>
      Array.from({ length: 257 }, (_column, j) => (i * j) % 7),
    );
    const model = linear({ scaling: 'none' });
    const bytes = await model.save();
    for (const call of [() => model.fit(wide, y.slice(0, 20)), () => model.fitBatch(wide, y.slice(0, 20))])
      await expectError(call, { kind: 'option', says: ["prototypeModel 'linear'", '256', '257'] });
    expect(await model.save()).toEqual(bytes);
    await linear({ scaling: 'none' }).fitBatch(
      wide.map((row) => row.slice(1)),
      y.slice(0, 20),
    );
  });

  it('refuses cosine, whose prototypes are not where their targets are', async () => {
    await expectError(() => linear({ distance: 'cosine' }), {
      kind: 'option',
      says: ["prototypeModel 'linear'", "'euclidean' or 'l1'"],
    });
  });

  it('works with halves', async () => {
    const model = linear({ dtype: 'float16', nPrototypes: 1, scaling: 'standard' });
    await model.fit(X, straight);
    expect(await model.score(X, straight)).toBeGreaterThan(0.999);
  });
});

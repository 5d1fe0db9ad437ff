// Probabilities are shares of rows: on data whose shares are known, after phase 1 and after phase 2, on every path to them.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { originalDefaults } from './original.js';
import { backend, withoutDigests } from './testing.js';

const count = 2000;
const random = new Random(5);
/** One of `parts` places a row, a little apart, and so many rows of each. */
const placesOf = (parts: number): { X: number[][]; place: number[] } => {
  const place = Array.from({ length: count }, (_, i) => i % parts);
  const X = place.map((p) => [p + 0.2 * random.uniform(), random.uniform()]);
  return { X, place };
};
/** Four standard errors of a share among these rows, and what a model of six prototypes is off by. */
const error = (share: number, rows: number): number => 4 * Math.sqrt((share * (1 - share)) / rows) + 0.015;

const few = { backend, nPrototypes: 6, heads: 1, metric: 'none', prototypeDropout: 0 } as const;
const run = { epochs: 12 } as const;

/** The mean probability of each column among the rows of each place. */
function meansOf(data: ArrayLike<number>, place: readonly number[], columns: number): number[][] {
  const parts = Math.max(...place) + 1;
  const sums = Array.from({ length: parts }, () => new Array<number>(columns).fill(0));
  place.forEach((p, i) => {
    const own = sums[p] as number[];
    for (let c = 0; c < columns; c++) own[c] = (own[c] as number) + (data[i * columns + c] as number);
  });
  return sums.map((own, p) => own.map((sum) => sum / place.filter((q) => q === p).length));
}

describe.each([2, 3])('of %i classes, a fifth of whose rows has another one', (classes) => {
  const { X, place } = placesOf(classes);
  const y = place.map((p) => (random.uniform() < 0.2 ? (p + 1 + random.below(classes - 1)) % classes : p));
  const share = (p: number, c: number): number =>
    y.filter((label, i) => place[i] === p && label === c).length / place.filter((q) => q === p).length;
  const expectShares = (means: number[][], off = 0): void => {
    means.forEach((row, p) => {
      row.forEach((mean, c) => {
        expect(Math.abs(mean - share(p, c)), `${c} at ${p}`).toBeLessThan(
          error(share(p, c), count / classes) + off,
        );
      });
    });
  };
  const fitted = async (options: object = {}): Promise<FastKMeansClassifier> => {
    const model = new FastKMeansClassifier({ ...few, ...options });
    await model.fit(X, y);
    return model;
  };
  const means = async (model: FastKMeansClassifier): Promise<number[][]> =>
    meansOf((await model.predictProba(X)).data, place, classes);

  it.each([0, 0.1, 0.4])(
    'are four fifths with label smoothing %f, after finetune',
    async (labelSmoothing) => {
      const model = await fitted({ labelSmoothing });
      await model.finetune(X, y, run);
      expectShares(await means(model));
    },
  );

  it('are four fifths on evaluation rows too, many or few', async () => {
    for (const evalFraction of [0.3, 0.01]) {
      const model = await fitted();
      await model.finetune(X, y, { ...run, evalFraction });
      expectShares(await means(model));
    }
  });

  it('are four fifths after gradient steps of a stream, and after save and load', async () => {
    const model = await fitted();
    for (let i = 0; i < 60; i++) {
      const order = Array.from({ length: 256 }, () => random.below(count));
      const batch = order.map((row) => X[row] as number[]);
      await model.fitBatch(
        batch,
        order.map((row) => y[row] as number),
        { gradientStep: true },
      );
    }
    expectShares(await means(model), 0.02);
    const again = await FastKMeansClassifier.load(await model.save(), { backend });
    expect((await again.predictProba(X)).data).toEqual((await model.predictProba(X)).data);
  });

  it('after phase 1 do not depend on the loss, and are sharper than the stored targets', async () => {
    const answers = await Promise.all(
      [0, 0.1, 0.4].map(async (labelSmoothing) => {
        const model = new FastKMeansClassifier({ ...few, labelSmoothing, learningRate: 1e-12 });
        await model.fit(X, y, { shuffle: false });
        return { model, data: (await model.predictProba(X)).data };
      }),
    );
    const [{ model, data }] = answers as [(typeof answers)[0], ...typeof answers];
    for (const other of answers) expect(other.data).toEqual(data);
    // One step of length 0 makes the stored logits those of a loss that spreads nothing.
    await model.fitBatch(X, y, { gradientStep: true });
    const stored = (await model.predictProba(X)).data;
    const top = (p: ArrayLike<number>, row: number): number =>
      Math.max(...Array.from(p).slice(row * classes, (row + 1) * classes));
    for (let row = 0; row < 20; row++) {
      expect(top(data, row)).toBeCloseTo((top(stored, row) - 0.1 / classes) / 0.9, 4);
    }
  });

  it('are calibrated on the rows of a shuffled fit, unless prototypes have few of them', async () => {
    const cost = async (options: object, run: object): Promise<number> => {
      const model = new FastKMeansClassifier({ ...few, ...options });
      await model.fit(X, y, run);
      const { data } = await model.predictProba(X);
      const sharp = (model as unknown as { state: { arrays: object } }).state.arrays;
      expect('sharpness' in sharp).toBe(!('shuffle' in run) && !('nPrototypes' in options));
      return y.reduce(
        (sum, c, i) => sum - Math.log(data[i * classes + model.classes.indexOf(c)] as number),
        0,
      );
    };
    // Wide bandwidths blend what lies apart.
    const apart = { nPrototypes: 126 };
    await cost(apart, {});
    expect(await cost({}, {})).toBeLessThan(await cost({}, { shuffle: false }));
  });

  it('calibration does not change the predicted class, the score and the loss', async () => {
    const model = await fitted();
    await model.finetune(X, y, { ...run, evalFraction: 0.2 });
    const { data } = await model.predictProba(X);
    const best = Array.from({ length: count }, (_, i) => {
      const row = Array.from(data).slice(i * classes, (i + 1) * classes);
      return model.classes[row.indexOf(Math.max(...row))];
    });
    expect([...(await model.predict(X)).data]).toEqual(best);
    const { loss, gradients } = await model.lossAndGradients(X, y);
    const inside = model as unknown as { state: { arrays: Record<string, unknown> } };
    const { sharpness, ...arrays } = inside.state.arrays;
    expect(sharpness).toBeDefined();
    inside.state = { ...inside.state, arrays };
    expect(await model.lossAndGradients(X, y)).toEqual({ loss, gradients });
    expect((await model.predictProba(X)).data).not.toEqual(data);
  });
});

describe('of one prototype a class, phase 1', () => {
  it('answers the shares of its rows', async () => {
    const X = Array.from({ length: 100 }, (_, i) => [i % 2 === 0 ? 0 : 1000]);
    const y = X.map(([x], i) => (i % 10 < 2 ? 'b' : x === 0 ? 'a' : 'b'));
    const model = new FastKMeansClassifier({ ...few, nPrototypes: 2, scaling: 'none' });
    await model.fit(X, y);
    const [zero] = [(await model.predictProba([[0]])).data];
    const share = y.filter((label, i) => i % 2 === 0 && label === 'a').length / 50;
    expect(zero[0]).toBeCloseTo(share, 2);
  });
});

describe('of a grid that was given', () => {
  const targets = [
    [2, 0, -1],
    [0, 1, 0.5],
  ];
  const prototypes = [
    [0, 0],
    [1, 1],
  ];
  it('are the softmax of its logits until rows move it', async () => {
    const powers = (targets[0] as number[]).map(Math.exp);
    const total = powers.reduce((a, b) => a + b, 0);
    const X = [[0, 0]];
    const fresh = new FastKMeansClassifier({ backend, initMode: { prototypes, targets }, topK: 1 });
    const bytes = await fresh.save();
    const loaded = await FastKMeansClassifier.load(bytes, { backend });
    for (const one of [fresh, loaded]) {
      (await one.predictProba(X)).data.forEach((p, c) => {
        expect(p).toBeCloseTo((powers[c] as number) / total, 5);
      });
    }
  });
  it('are the sigmoid of those of labels, cut at a half', async () => {
    const model = new FastMultiLabelKMeansClassifier({ backend, initMode: { prototypes, targets }, topK: 1 });
    const { data } = await model.predictProba([[0, 0]]);
    data.forEach((p, c) => {
      expect(p).toBeCloseTo(1 / (1 + Math.exp(-(targets[0]?.[c] as number))), 5);
    });
    expect(Array.from((await model.predict([[0, 0]])).data)).toEqual([1, 0, 0]);
  });
});

describe('of labels with known shares', () => {
  const { X, place } = placesOf(3);
  const rates = [
    [0.8, 0.3, 0.05],
    [0.2, 0.6, 0.5],
    [0.5, 0.1, 0.95],
  ];
  const Y = place.map((p) => (rates[p] as number[]).map((rate) => Number(random.uniform() < rate)));
  const share = (p: number, c: number): number =>
    Y.filter((row, i) => place[i] === p && row[c] === 1).length / place.filter((q) => q === p).length;
  const fitted = async (options: object = {}): Promise<FastMultiLabelKMeansClassifier> => {
    const model = new FastMultiLabelKMeansClassifier({ ...few, ...options });
    await model.fit(X, Y);
    return model;
  };
  const losses = [
    {},
    { aslGammaNeg: 0, aslClip: 0 },
    { aslGammaNeg: 1, aslGammaPos: 1, aslClip: 0.1 },
    { aslVariant: 'original', aslClip: 0.05, aslGammaNeg: 2, aslGammaPos: 1 },
  ];

  it.each(losses)('with %j are these', async (options) => {
    const model = await fitted(options);
    await model.finetune(X, Y, { epochs: 20 });
    const { data } = await model.predictProba(X);
    const all = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
    expect(Math.abs(all(data) / data.length - all(Y.flat()) / data.length)).toBeLessThan(0.015);
    meansOf(data, place, 3).forEach((row, p) => {
      row.forEach((mean, c) => {
        expect(Math.abs(mean - share(p, c)), `label ${c} at ${p}`).toBeLessThan(
          error(share(p, c), count / 3),
        );
      });
    });
  });

  it('are cut by adaptive at .312, where the loss answers a half, and by tuned at its thresholds', async () => {
    const model = await fitted();
    await model.finetune(X, Y, { epochs: 4, evalFraction: 0.2 });
    const { data } = await model.predictProba(X);
    const cut = async (strategy: 'adaptive' | 'tuned'): Promise<number[]> =>
      Array.from((await model.predict(X, { strategy })).data);
    expect(await cut('adaptive')).toEqual(Array.from(data, (p) => Number(p > 0.31182444)));
    const thresholds = model.grid.thresholds?.data as Float32Array;
    expect(await cut('tuned')).toEqual(Array.from(data, (p, i) => Number(p > (thresholds[i % 3] as number))));
  });

  it('keep the decisions of thresholds in older files', async () => {
    const model = await fitted();
    await model.finetune(X, Y, { epochs: 4, evalFraction: 0.2 });
    const bytes = await model.save();
    // The thresholds of a file of version 1.0 cut what the loss sees: of .5 that is .3118.
    const state = (model as unknown as { state: { arrays: Record<string, { data: Float32Array }> } }).state;
    const old = new Float32Array([0.5, 0.2, 0.9]);
    const swapped = {
      ...state,
      arrays: { ...state.arrays, thresholds: { ...state.arrays.thresholds, data: old } },
    };
    (model as unknown as { state: unknown }).state = swapped;
    const again = await FastMultiLabelKMeansClassifier.load(withoutDigests(await model.save()), { backend });
    const read = again.grid.thresholds?.data as Float32Array;
    expect(read[0]).toBeCloseTo(0.3118, 4);
    expect(read[1]).toBeLessThan(0.05);
    expect(read[2]).toBeGreaterThan(0.85);
    const same = await FastMultiLabelKMeansClassifier.load(bytes, { backend });
    expect(Array.from(same.grid.thresholds?.data ?? [])).toEqual(
      Array.from(state.arrays.thresholds?.data ?? []),
    );
  });
});

describe('of originalDefaults', () => {
  const { X, place } = placesOf(2);
  it('are not calibrated: shares of the owners, and similarities of labels', async () => {
    const model = new FastMultiLabelKMeansClassifier({ backend, ...originalDefaults });
    const Y = place.map((p) => [p, 1 - p]);
    await model.fit(X, Y, { maxIters: 1 });
    await model.finetune(X, Y, { epochs: 1 });
    const [probabilities, similarities] = [await model.predictProba(X, {}), await model.transform(X)];
    const { owners } = model.grid;
    const k = owners?.data.length as number;
    for (let row = 0; row < 20; row++) {
      const own = Array.from(similarities.data.slice(row * k, (row + 1) * k));
      const order = [...own.keys()].sort((a, b) => (own[b] as number) - (own[a] as number)).slice(0, 5);
      for (let c = 0; c < 2; c++) {
        const best = Math.max(
          0,
          ...order.filter((i) => owners?.data[i] === c).map((i) => ((own[i] as number) + 1) / 2),
        );
        expect(probabilities.data[row * 2 + c]).toBeCloseTo(best, 5);
      }
    }
  });
});

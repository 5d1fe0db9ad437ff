// Strategy 'tuned' of the multi-label classifier: where its thresholds come from, what they do, and that they are kept.

import { describe, expect, it } from 'vitest';
import { f1Score } from '../formulas/metrics.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { backend, expectError, rows } from './testing.js';

const { X } = rows(160);
/** Two labels, one of them rare. */
const labelsOf = (rowsX: number[][]): number[][] =>
  rowsX.map(([a, b]) => [Number((a as number) > 0.1), Number((b as number) > 0.8)]);
const Y = labelsOf(X);
const held = rows(120, 3, 9).X;
const truth = labelsOf(held);

const small = (options: object = {}): FastMultiLabelKMeansClassifier =>
  new FastMultiLabelKMeansClassifier({ backend, nPrototypes: 6, heads: 1, metric: 'none', ...options });
async function fitted(options: object = {}): Promise<FastMultiLabelKMeansClassifier> {
  const model = small(options);
  await model.fit(X, Y, { maxIters: 2 });
  return model;
}

describe('tuneThresholds', () => {
  it('gives the thresholds of the metric, and reaches more than 0.5 on its rows', async () => {
    const model = await fitted();
    const before = await model.score(held, truth);
    const thresholds = await model.tuneThresholds(held, truth);
    expect(thresholds).toHaveLength(2);
    expect(Array.from(model.grid.thresholds?.data ?? [])).toEqual(Array.from(thresholds));
    expect(await model.score(held, truth, { strategy: 'tuned' })).toBeGreaterThan(before);
    const { data } = await model.predictProba(held);
    const predicted = (await model.predict(held, { strategy: 'tuned' })).data;
    data.forEach((p, i) => {
      expect(predicted[i]).toBe(Number(p > (thresholds[i % 2] as number)));
    });
  });

  it.each(['macroF1', 'microF1', 'accuracy'] as const)(
    'by %s, named here or by the model',
    async (metric) => {
      const [one, other] = [await fitted({ thresholdMetric: metric }), await fitted()];
      expect(await other.tuneThresholds(held, truth, { metric })).toEqual(
        await one.tuneThresholds(held, truth),
      );
    },
  );

  it('by another metric gives other thresholds', async () => {
    const model = await fitted();
    const macro = await model.tuneThresholds(held, truth, { metric: 'macroF1' });
    expect(await model.tuneThresholds(held, truth, { metric: 'accuracy' })).not.toEqual(macro);
    expect(await model.tuneThresholds(held, truth, { smoothing: 20 })).not.toEqual(macro);
  });

  it('takes weights and masks', async () => {
    const model = await fitted();
    const sampleWeight = held.map((_, i) => i % 3);
    const kept = held.flatMap((_, i) => new Array<number>(i % 3).fill(i));
    const weighted = await model.tuneThresholds(held, truth, { sampleWeight });
    expect(
      await model.tuneThresholds(
        kept.map((i) => held[i] as number[]),
        kept.map((i) => truth[i] as number[]),
      ),
    ).toEqual(weighted);
    const featureMask = [1, 1, 0];
    const masked = await model.tuneThresholds(held, truth, { featureMask });
    const holed = held.map(([a, b]) => [a as number, b as number, Number.NaN]);
    expect(await model.tuneThresholds(holed, truth, { featureMask })).toEqual(masked);
    expect(masked).not.toEqual(await model.tuneThresholds(held, truth));
  });

  it('takes names of labels', async () => {
    const model = small();
    const named = (flags: number[][]): string[][] => flags.map((row) => ['a', 'b'].filter((_, c) => row[c]));
    await model.fit(X, named(Y), { maxIters: 2 });
    const thresholds = await model.tuneThresholds(held, named(truth));
    expect(thresholds).toEqual(await (await fitted()).tuneThresholds(held, truth));
  });

  it('refuses what it cannot use, and leaves the model as it was', async () => {
    const model = await fitted();
    const bytes = await model.save();
    const cases: readonly [object, string][] = [
      [{ metric: 'f1' }, "metric is 'f1'; allowed is 'macroF1', 'microF1', 'accuracy'"],
      [{ smoothing: -1 }, 'smoothing is -1'],
      [{ strategy: 'tuned' }, 'there is no option strategy'],
    ];
    for (const [options, says] of cases)
      await expectError(() => model.tuneThresholds(held, truth, options), { kind: 'option', says: [says] });
    await expectError(() => model.tuneThresholds(held, truth.slice(1)), {
      kind: 'shape',
      says: ['tuneThresholds: y has 119 rows, X has 120'],
    });
    await expectError(() => model.predict(held, { strategy: 'tuned' }), {
      kind: 'state',
      says: ['tuneThresholds'],
    });
    await expectError(() => small().tuneThresholds(held, truth), { kind: 'state', says: ['tuneThresholds'] });
    expect(await model.save()).toEqual(bytes);
  });
});

describe('training with evaluation rows', () => {
  const evalSet = { X: held, y: truth };

  it.each<[string, (m: FastMultiLabelKMeansClassifier) => Promise<unknown>]>([
    ['fit', (m) => m.fit(X, Y, { maxIters: 2, evalSet })],
    ['finetune', (m) => m.finetune(X, Y, { epochs: 1, evalSet })],
  ])('%s chooses the thresholds at its end, smoothed', async (_name, train) => {
    const model = await fitted();
    await train(model);
    const chosen = Array.from(model.grid.thresholds?.data ?? []);
    expect(chosen).toEqual(Array.from(await model.tuneThresholds(held, truth, { smoothing: 20 })));
    expect(chosen).not.toEqual(Array.from(await model.tuneThresholds(held, truth)));
  });

  it('finetune does so by itself, and without evaluation rows it does not', async () => {
    const model = await fitted();
    expect(model.grid.thresholds).toBeUndefined();
    await model.finetune(X, Y, { epochs: 1 });
    expect(model.grid.thresholds).toBeUndefined();
    await model.finetune(X, Y, { epochs: 1, evalFraction: 0.1 });
    expect(model.grid.thresholds?.shape).toEqual([2]);
  });
});

describe('thresholds that there are', () => {
  it('are the default of predict and score', async () => {
    const model = await fitted();
    const adaptive = (await model.predict(held)).data;
    expect(adaptive).toEqual((await model.predict(held, { strategy: 'adaptive' })).data);
    await model.tuneThresholds(held, truth);
    const tuned = (await model.predict(held)).data;
    expect(tuned).toEqual((await model.predict(held, { strategy: 'tuned' })).data);
    expect(tuned).not.toEqual(adaptive);
    expect(await model.score(held, truth)).toBe(f1Score(truth.flat(), tuned, 2));
  });

  it('are saved, and go on', async () => {
    const model = await fitted();
    await model.tuneThresholds(held, truth);
    const again = await FastMultiLabelKMeansClassifier.load(await model.save(), { backend });
    expect(again.grid).toEqual(model.grid);
    expect(await again.predict(held)).toEqual(await model.predict(held));
    expect(await again.save()).toEqual(await model.save());
  });

  it('are joined by what adaptive cuts at for a label that a stream brings', async () => {
    const model = await fitted();
    const thresholds = Array.from(await model.tuneThresholds(held, truth));
    await model.fitBatch(
      X,
      Y.map((row, i) => [...row, i % 2]),
    );
    const all = Array.from(model.grid.thresholds?.data ?? []);
    expect(all.slice(0, 2)).toEqual(thresholds);
    expect(all[2]).toBeCloseTo(0.3118, 4);
  });

  it('leave with a fit from the start', async () => {
    const model = await fitted();
    await model.tuneThresholds(held, truth);
    await model.fit(X, Y, { maxIters: 1 });
    expect(model.grid.thresholds).toBeUndefined();
  });
});

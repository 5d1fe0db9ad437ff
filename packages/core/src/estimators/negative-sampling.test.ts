// Gradient steps that look at a sample of the classes, through the public calls.

import { describe, expect, it, vi } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { distanceNames, distances } from '../formulas/distances.js';
import { Random } from '../random.js';
import type { ClassifierOptions, MultiLabelOptions } from '../state/options.js';
import { Rivals, sampleClasses } from '../training/sampling.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { backend, expectError } from './testing.js';

const [classes, columns, perClass] = [40, 3, 2];

const uniform = (rows: number, width: number, random: Random): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: width }, () => 2 * random.uniform() - 1));

const initMode = {
  prototypes: uniform(classes * perClass, columns, new Random(5)),
  // Owners in no order: the sample has to find them.
  owners: Array.from({ length: classes * perClass }, (_, k) => (k * 7) % classes),
};

const X = uniform(24, columns, new Random(9));
const own = [3, 8, 8, 21];
const y = X.map((_, i) => own[i % own.length] as number);
const Y = X.map((_, i) => Array.from({ length: classes }, (_, c) => (c === y[i] || c === own[0] ? 1 : 0)));

const classifier = (options: Partial<ClassifierOptions> = {}): FastKMeansClassifier =>
  new FastKMeansClassifier({
    backend,
    initMode,
    prototypeTargets: 'owners',
    prototypeDropout: 0,
    ...options,
  });
const labels = (options: Partial<MultiLabelOptions> = {}): FastMultiLabelKMeansClassifier =>
  new FastMultiLabelKMeansClassifier({ backend, initMode, softType: 'scaled', topK: -1, ...options });

const moved = (before: NdArray, after: NdArray): number[] => {
  const width = before.data.length / (before.shape[0] as number);
  const rows = new Set<number>();
  before.data.forEach((value, i) => {
    if (value !== after.data[i]) rows.add(Math.floor(i / width));
  });
  return [...rows];
};
const ownersOf = (rows: readonly number[]): number[] => [
  ...new Set(rows.map((k) => initMode.owners[k] as number)),
];

interface Inside {
  arrays: Record<string, NdArray>;
  random: number[];
  spread: Float64Array;
}
const inside = (model: object): Inside => (model as { state: Inside }).state;

/** The classes that the next step will look at. */
const sampleOf = (model: object, n: number): Set<number> =>
  new Set(sampleClasses(new Set(own), classes, n, Random.from(inside(model).random)).classes);

const taken = ({ data, shape }: NdArray, rows: readonly number[]): NdArray => {
  const width = data.length / (shape[0] as number);
  const values = rows.flatMap((k) => Array.from(data.slice(k * width, (k + 1) * width)));
  return ndarray(values, [rows.length, ...shape.slice(1)]);
};

const expectClose = (a: NdArray, b: NdArray): void => {
  expect(a.shape).toEqual(b.shape);
  const size = Math.max(...Array.from(b.data, Math.abs));
  expect(size).toBeGreaterThan(0);
  a.data.forEach((value, i) => {
    expect(Math.abs(value - (b.data[i] as number))).toBeLessThan(1e-5 * size);
  });
};

/** The grid of some classes alone, which keep their numbers' order. */
const restricted = (kept: ReadonlySet<number>) => {
  const rows = initMode.owners.flatMap((owner, k) => (kept.has(owner) ? [k] : []));
  return {
    rows,
    initMode: {
      prototypes: rows.map((k) => initMode.prototypes[k] as number[]),
      owners: rows.map((k) => initMode.owners[k] as number),
    },
  };
};

describe('negative sampling', () => {
  it('moves only prototypes of the classes in the batch and of n others', async () => {
    const model = classifier({ negativeSampling: 6 });
    const before = model.grid;
    await model.fitBatch(X, y, { gradientStep: true });
    const touched = ownersOf(moved(before.prototypes, model.grid.prototypes));
    for (const c of own) expect(touched).toContain(c);
    expect(touched.length).toBe(3 + 6);
    expect(moved(before.bias as NdArray, model.grid.bias as NdArray).length).toBe(9 * perClass);
    expect(model.grid.featureWeights?.data).not.toEqual(before.featureWeights?.data);
  });

  it('draws other classes every step, the same ones for the same seed', async () => {
    const run = async (randomState: number) => {
      const model = classifier({ negativeSampling: 6, randomState });
      for (let step = 0; step < 3; step++) await model.fitBatch(X, y, { gradientStep: true });
      return model.grid.prototypes.data;
    };
    const first = await run(0);
    expect(await run(0)).toEqual(first);
    expect(await run(1)).not.toEqual(first);
  });

  it('does not change arrays that other calls have read', async () => {
    const model = classifier({ negativeSampling: 6 });
    const bytes = await model.save();
    const { prototypes } = inside(model).arrays;
    const copy = prototypes?.data.slice();
    await model.finetune(X, y, { epochs: 2, evalFraction: 0.25 });
    await model.fitBatch(X, y, { gradientStep: true });
    expect(prototypes?.data).toEqual(copy);
    expect((await FastKMeansClassifier.load(bytes, { backend })).grid.prototypes.data).toEqual(copy);
  });

  it('writes to arrays in place where nobody reads them', async () => {
    const model = classifier({ negativeSampling: 6 });
    const { prototypes } = inside(model).arrays;
    const first = prototypes?.data.slice();
    const step = () => model.fitBatch(X, y, { gradientStep: true });
    await step();
    expect(prototypes?.data).toEqual(first);
    const own = inside(model).arrays.prototypes as NdArray;
    await step();
    expect(inside(model).arrays.prototypes?.data).toBe(own.data);
    // A call that reads may still be reading: what it began with stays.
    for (const read of [() => model.predict(X), () => model.findLearningRate(X, y)]) {
      const seen = inside(model).arrays.prototypes as NdArray;
      const copy = seen.data.slice();
      await read();
      await step();
      expect(seen.data).toEqual(copy);
    }
    const twin = classifier({ negativeSampling: 6 });
    for (let i = 0; i < 4; i++) await twin.fitBatch(X, y, { gradientStep: true });
    for (const one of [model, twin]) await one.finetune(X, y, { epochs: 2, evalFraction: 0.25 });
    expect(model.grid).toEqual(twin.grid);
  });

  // (3 + 14) · 2 prototypes are padded to 36.
  const n = 14;
  const settings: Partial<ClassifierOptions>[] = [
    {},
    { topK: 12 },
    { l2Reg: 0.01, diversityReg: 0.02 },
    { distance: 'cosine', diversityReg: 0.02 },
  ];
  it.each(settings)('takes the gradients of the grid of the sampled classes: %o', async (options) => {
    const sampled = classifier({ ...options, negativeSampling: n });
    const drawn = sampleOf(sampled, n);
    const loss = await sampled.fitBatch(X, y, { gradientStep: true });
    const { rows, initMode: grid } = restricted(drawn);
    const small = classifier({ ...options, initMode: grid });
    const other = Math.log((classes - 3) / n);
    inside(small).arrays.bias = ndarray(
      grid.owners.map((owner) => (own.includes(owner) ? 0 : other)),
      [rows.length],
    );
    expect(await small.fitBatch(X, y, { gradientStep: true })).toBeCloseTo(loss, 5);
    for (const name of ['prototypes', 'logBandwidth', 'bias', 'featureWeights']) {
      const [all, some] = [sampled, small].map((model) => inside(model).arrays[`adam.m.${name}`] as NdArray);
      const picked = name === 'featureWeights' ? all : taken(all as NdArray, rows);
      expectClose(picked as NdArray, some as NdArray);
    }
  });

  it('counts no padding among the nearest prototypes of a label', async () => {
    // A clip of 1 forgives every negative: what is left are the positives among the nearest of the sample.
    const options = { aslClip: 1, topK: 10 } as const;
    const sampled = labels({ ...options, negativeSampling: n });
    const { rows, initMode: grid } = restricted(sampleOf(sampled, n));
    const central = X.map((x) => x.map((value) => value / 20));
    const loss = await sampled.fitBatch(central, Y, { gradientStep: true });
    const small = labels({ ...options, initMode: grid });
    const known = Y.map((set) => set.slice(0, small.classes.length));
    expect(await small.fitBatch(central, known, { gradientStep: true })).toBeCloseTo(loss, 5);
    expect(rows.length).toBe(17 * perClass);
  });

  const sizes = [
    ['all absent classes', classes - 3],
    ['more than are absent', classes - 1],
    ['more than there are, which need no sample', classes + 5],
  ] as const;
  it.each(sizes)('of %s is the full softmax', async (_, negativeSampling) => {
    for (const options of [
      { prototypeDropout: 0.2, l2Reg: 0.01 },
      { softType: 'scaled' as const, topK: 3, diversityReg: 0.01 },
      { softType: 'softmax_scaled' as const },
    ]) {
      const [sampled, full] = [classifier({ ...options, negativeSampling }), classifier(options)];
      for (const model of [sampled, full]) {
        for (let step = 0; step < 3; step++) await model.fitBatch(X, y, { gradientStep: true });
        await model.finetune(X, y, { epochs: 2 });
      }
      expect(sampled.grid).toEqual(full.grid);
    }
  });

  it('of all absent labels is the whole asymmetric loss', async () => {
    const [sampled, full] = [labels({ negativeSampling: classes - 3 }), labels()];
    const losses = [];
    for (const model of [sampled, full]) {
      losses.push(await model.fitBatch(X, Y, { gradientStep: true }));
      await model.finetune(X, Y, { epochs: 2 });
    }
    expect(losses[0]).toBe(losses[1]);
    expect(sampled.grid).toEqual(full.grid);
  });

  it("moves only prototypes of the batch's labels and of sampled ones", async () => {
    // Without a clip every negative has a slope.
    const model = labels({ negativeSampling: 5, aslClip: 0 });
    const before = model.grid;
    await model.fitBatch(X, Y, { gradientStep: true });
    const touched = ownersOf(moved(before.prototypes, model.grid.prototypes));
    for (const c of own) expect(touched).toContain(c);
    expect(touched.length).toBe(3 + 5);
  });

  it('has the loss of all labels as its expectation, and nearly that of all classes', async () => {
    // A rate that moves nothing: every step draws anew for the same grid.
    const still = { negativeSampling: 8, learningRate: 1e-12 };
    const mean = async (step: () => Promise<number>, runs: number): Promise<number> => {
      let total = 0;
      for (let run = 0; run < runs; run++) total += await step();
      return total / runs;
    };
    const fullLabels = await labels().fitBatch(X, Y, { gradientStep: true });
    const sampledLabels = labels(still);
    const ofLabels = await mean(() => sampledLabels.fitBatch(X, Y, { gradientStep: true }), 300);
    expect(Math.abs(ofLabels / fullLabels - 1)).toBeLessThan(0.02);
    // The sum inside of the logarithm is what is expected right: the logarithm of it is a little lower.
    const fullClasses = await classifier().fitBatch(X, y, { gradientStep: true });
    const sampledClasses = classifier(still);
    const ofClasses = await mean(() => sampledClasses.fitBatch(X, y, { gradientStep: true }), 300);
    expect(Math.abs(ofClasses / fullClasses - 1)).toBeLessThan(0.02);
  });

  it('samples hard negatives in finetune', async () => {
    // 200 classes on a ring, each taken for its neighbours: of 8 random ones few are near.
    const ring = Array.from({ length: 200 }, (_, c) => {
      const angle = (2 * Math.PI * c) / 200;
      return [Math.cos(angle), Math.sin(angle)];
    });
    const random = new Random(4);
    const c = Array.from({ length: 1200 }, () => random.below(200));
    const near = c.map((k) => (ring[k] as number[]).map((v) => v + 0.03 * (random.uniform() - 0.5)));
    const seen = new Set<string>();
    const watch = vi.spyOn(Rivals.prototype, 'note').mockImplementation(function (this: Rivals, of, rival) {
      seen.add(`${Math.min((of - rival + 200) % 200, (rival - of + 200) % 200)}`);
    });
    const owners = ring.map((_, k) => k);
    const options = { negativeSampling: 8, batchSize: 32, initMode: { prototypes: ring, owners } } as const;
    const lossAfter = async (): Promise<number> => {
      const model = classifier(options);
      await model.fitBatch(near, c);
      const history = await model.finetune(near, c, { epochs: 3, evalFraction: 0.2 });
      return history.at(-1)?.evalLoss as number;
    };
    const without = await lossAfter();
    watch.mockRestore();
    expect(seen).toContain('1');
    // What was noted is trained on: which of the two ends lower on 240 rows is chance, by less than a thousandth.
    expect(await lossAfter()).not.toBe(without);
  });

  it('goes on to the bit after a save and load', async () => {
    const model = classifier({ negativeSampling: 6, prototypeDropout: 0.1 });
    for (let step = 0; step < 2; step++) await model.fitBatch(X, y, { gradientStep: true });
    const again = await FastKMeansClassifier.load(await model.save(), { backend });
    const losses = [];
    for (const one of [model, again]) losses.push(await one.fitBatch(X, y, { gradientStep: true }));
    expect(losses[0]).toBe(losses[1]);
    expect(again.grid).toEqual(model.grid);
    expect(await again.save()).toEqual(await model.save());
  });

  it('keeps frozen prototypes, masks features and finds a rate', async () => {
    const model = classifier({ negativeSampling: 6 });
    const frozen = initMode.owners.map((owner) => owner === 3);
    model.freezePrototypes(frozen);
    const before = model.grid;
    const featureMask = X.map((_, i) => [1, i % 2, 1]);
    await model.fitBatch(X, y, { gradientStep: true, featureMask });
    const touched = moved(before.prototypes, model.grid.prototypes);
    expect(ownersOf(touched)).not.toContain(3);
    expect(ownersOf(touched)).toContain(8);
    const still = model.grid;
    const { curve } = await model.findLearningRate(X, y);
    expect(curve.length).toBeGreaterThan(20);
    expect(model.grid).toEqual(still);
  });

  it('leaves the model alone where a step fails', async () => {
    const model = classifier({ negativeSampling: 6, learningRate: 1e38 });
    let before = await model.save();
    await expectError(
      async () => {
        for (let step = 0; step < 9; step++) {
          await model.fitBatch(X, y, { gradientStep: true });
          before = await model.save();
        }
      },
      { kind: 'data', says: ['fitBatch: the loss became'] },
    );
    expect(await model.save()).toEqual(before);
  });
});

describe('prototypes of owners', () => {
  it.each(distanceNames)('step in units of how far rows are from their own: %s', async (distance) => {
    for (const negativeSampling of [undefined, 6]) {
      const model = classifier({
        distance,
        learningRate: 0.01,
        ...(negativeSampling ? { negativeSampling } : {}),
      });
      const near = { prototypes: initMode.prototypes, owners: initMode.owners };
      const close = near.prototypes.map((p) => p.map((value) => value + 0.2));
      await model.fitBatch(close, near.owners);
      const { spread } = inside(model);
      const delta = (spread[0] as number) / (spread[1] as number);
      const length = distances[distance].squared ? Math.sqrt(delta) : delta;
      expect(length).toBeLessThan(0.7);
      const before = model.grid;
      await model.fitBatch(X, y, { gradientStep: true });
      const largest = (name: 'prototypes' | 'logBandwidth'): number => {
        const after = model.grid[name] as NdArray;
        return Math.max(
          ...Array.from((before[name] as NdArray).data, (v, i) => Math.abs(v - (after.data[i] as number))),
        );
      };
      // The first step of Adam is as long as its rate.
      expect(largest('prototypes')).toBeCloseTo(0.01 * length, 5);
      expect(largest('logBandwidth')).toBeCloseTo(0.01, 4);
    }
  });
});

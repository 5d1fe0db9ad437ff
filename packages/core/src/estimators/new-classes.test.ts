// Classes and labels that first appear in the middle of a stream: they get prototypes and columns, and what was learned stays.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import type { FastKMeansClassifier } from './classifier.js';
import type { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { estimators, type Model } from './testing.js';

type Labelled = FastKMeansClassifier | FastMultiLabelKMeansClassifier;

/** Clouds that do not touch: class c around (4c, 0) for even, (4c, 4) for odd c. */
function clouds(classes: readonly number[], each = 20, seed = 1): { X: number[][]; c: number[] } {
  const random = new Random(seed);
  const c = classes.flatMap((label) => new Array<number>(each).fill(label));
  const X = c.map((label) => [4 * label + random.uniform(), 4 * (label % 2) + random.uniform()]);
  return { X, c };
}
const first = clouds([0, 2]);
const second = clouds([2, 1, 3], 20, 2);
const all = clouds([0, 1, 2, 3], 12, 3);

/** How a row of class c is labelled, and what the model calls it. */
interface Naming {
  readonly task: 'classifier' | 'multiLabel';
  readonly labels: (c: readonly number[], known: number) => unknown;
  /** In the order of the columns after both batches. */
  readonly classes: readonly (string | number)[];
  readonly column: (c: number) => number;
}
/** New classes come behind the old ones, in their own order. */
const appended = (c: number): number => [0, 2, 1, 3][c] as number;
const namings: Readonly<Record<string, Naming>> = {
  numbers: { task: 'classifier', labels: (c) => c, classes: [0, 2, 1, 3], column: appended },
  strings: {
    task: 'classifier',
    labels: (c) => c.map((v) => 'abcd'[v]),
    classes: ['a', 'c', 'b', 'd'],
    column: appended,
  },
  names: {
    task: 'multiLabel',
    labels: (c) => c.map((v) => ['abcd'[v], ...(v % 2 ? ['odd'] : [])]),
    classes: ['a', 'c', 'b', 'd', 'odd'],
    column: appended,
  },
  columns: {
    task: 'multiLabel',
    labels: (c, known) => c.map((v) => Array.from({ length: known }, (_, j) => Number(j === v))),
    classes: [0, 1, 2, 3],
    column: (c) => c,
  },
};

/** Starts of each kind; without metric, so that few rows are enough. */
const settings: Readonly<Record<string, object>> = {
  'kmeans++': { softType: 'scaled', initMode: 'kmeans++', kInit: 2 },
  random: { initMode: 'random', kInit: 2 },
  'joint vectors': { nPrototypes: 8, heads: 1, metric: 'none', prototypeDropout: 0 },
  'joint vectors of two heads': { nPrototypes: 8, heads: 2, metric: 'none', prototypeDropout: 0 },
  'joint owners': {
    nPrototypes: 8,
    heads: 1,
    metric: 'none',
    prototypeTargets: 'owners',
    prototypeDropout: 0,
  },
};

const cases = Object.entries(namings).flatMap(([name, naming]) =>
  Object.entries(settings)
    .filter(([, options]) => naming.task === 'classifier' || !('prototypeTargets' in options))
    .map(([start, options]) => [name, start, naming, options] as const),
);

const right = async (model: Labelled, naming: Naming, classes: readonly number[]): Promise<number> => {
  const { X, c } = clouds(classes, 12, 3);
  const { data, shape } = await model.predictProba(X);
  const width = shape[1] as number;
  const hits = c.filter((label, i) => {
    const row = Array.from(data.slice(i * width, i * width + Math.min(width, 4)));
    return row.indexOf(Math.max(...row)) === naming.column(label);
  });
  return hits.length / c.length;
};

describe.each(cases)('%s, %s', (name, start, naming, options) => {
  const begin = async (extra: object = {}): Promise<Labelled> => {
    const model = estimators[naming.task].make({ ...options, scaling: 'none', ...extra });
    await model.fitBatch(first.X, naming.labels(first.c, 3));
    return model as unknown as Labelled;
  };
  const go = (model: Labelled, gradientStep = false): Promise<number> =>
    (model as unknown as Model).fitBatch(second.X, naming.labels(second.c, 4), { gradientStep });

  it('get prototypes, and a column after the others', async () => {
    const model = await begin();
    const before = model.grid;
    await go(model);
    expect(model.classes).toEqual(naming.classes);
    const { owners, prototypes, targets, ages } = model.grid;
    // A prototype of two labels stands for the first of them.
    for (const c of [0, 1, 2, 3]) expect(owners?.data).toContain(c);
    expect(prototypes.shape[0]).toBe(owners?.data.length);
    expect(ages.data).toHaveLength(prototypes.shape[0] as number);
    if (targets) expect(targets.shape).toEqual([prototypes.shape[0], naming.classes.length]);
    expect(prototypes.shape[0]).toBeGreaterThan(before.prototypes.shape[0] as number);
    const { shape } = await model.predictProba(all.X);
    expect(shape).toEqual([all.X.length, naming.classes.length]);
  });

  it('are predicted soon, and the old classes still are', async () => {
    const model = await begin();
    const early = {
      ...naming,
      column: (c: number) => (naming.task === 'classifier' || name === 'names' ? c / 2 : c),
    };
    expect(await right(model, early, [0, 2])).toBe(1);
    for (let i = 0; i < 3; i++) await go(model);
    expect(await right(model, naming, [0, 1, 2, 3])).toBe(1);
    await (model as unknown as Model).finetune(all.X, naming.labels(all.c, 4), { epochs: 3 });
    expect(await right(model, naming, [0, 1, 2, 3])).toBe(1);
  });

  it('join in the middle of gradient steps, with moments of their own', async () => {
    const model = await begin();
    const step = (): Promise<number> =>
      (model as unknown as Model).fitBatch(first.X, naming.labels(first.c, 3), { gradientStep: true });
    for (let i = 0; i < 3; i++) await step();
    const losses = [];
    for (let i = 0; i < 12; i++) losses.push(await go(model, true));
    expect(losses.every(Number.isFinite)).toBe(true);
    // Classes this far apart can be right to the rounding from the first step on.
    expect(losses.at(-1)).toBeLessThan(Math.max(losses[0] as number, 1e-7));
    const again = await estimators[naming.task].load(await model.save());
    expect(await go(again as unknown as Labelled, true)).toBe(await go(model, true));
    expect(await again.save()).toEqual(await model.save());
  });

  it('do the same to the bit after save and load', async () => {
    const model = await begin();
    const again = (await estimators[naming.task].load(await model.save())) as unknown as Labelled;
    for (const each of [model, again]) {
      await go(each);
      await go(each, true);
      await go(each);
    }
    expect(again.classes).toEqual(model.classes);
    expect(await again.save()).toEqual(await model.save());
  });

  it('come with masks, weights of 0 and frozen prototypes', async () => {
    const model = await begin();
    model.freezePrototypes();
    const { prototypes } = model.grid;
    const labels = naming.labels(second.c, 4);
    const sampleWeight = second.c.map((label) => (label === 3 ? 0 : 1));
    const featureMask = second.X.map((_, i) => [1, i % 2]);
    const masked = second.X.map(([a, b], i) => [a as number, i % 2 ? (b as number) : Number.NaN]);
    await (model as unknown as Model).fitBatch(masked, labels, { sampleWeight, featureMask });
    // A class whose rows do not count has a column and nothing in it.
    expect(model.classes).toEqual(naming.classes);
    const owners = Array.from(model.grid.owners?.data ?? []);
    expect(owners).toContain(naming.column(1));
    if (!start.startsWith('joint vectors')) expect(owners).not.toContain(naming.column(3));
    const columns = prototypes.shape[1] as number;
    const rows = Array.from({ length: owners.length }, (_, k) =>
      Array.from(model.grid.prototypes.data.slice(k * columns, (k + 1) * columns)),
    );
    for (let k = 0; k < (prototypes.shape[0] as number); k++) {
      expect(rows).toContainEqual(Array.from(prototypes.data.slice(k * columns, (k + 1) * columns)));
    }
    expect(model.grid.ages.shape).toEqual([owners.length, columns]);
    expect(model.grid.prototypes.data.every(Number.isFinite)).toBe(true);
  });
});

describe('a fit from the start', () => {
  it('learns its classes anew', async () => {
    const model = estimators.classifier.make({ heads: 1 }) as unknown as FastKMeansClassifier;
    await model.fit(first.X, first.c);
    await model.fit(
      second.X,
      second.c.map((c) => 'abcd'[c] as string),
    );
    expect(model.classes).toEqual(['b', 'c', 'd']);
    const labels = estimators.multiLabel.make({ heads: 1 }) as unknown as FastMultiLabelKMeansClassifier;
    for (const count of [3, 4, 3]) {
      await labels.fit(
        first.X,
        first.c.map((c) => Array.from({ length: count }, (_, j) => Number(j === c))),
      );
      expect(labels.classes).toHaveLength(count);
    }
    await labels.fit(
      first.X,
      first.c.map((c) => ['abcd'[c] as string]),
    );
    expect(labels.classes).toEqual(['a', 'c']);
  });

  it('gives prototypes to classes that do not occur in the rows of initialisation', async () => {
    const { X, c } = clouds([0, 1, 2, 3]);
    for (const options of [
      { softType: 'scaled' },
      { nPrototypes: 12, heads: 1, metric: 'none' },
      { prototypeTargets: 'owners' },
    ]) {
      const model = estimators.classifier.make({
        ...options,
        // The first rows are of one class, and say nothing of the scale of the others.
        scaling: 'none',
        batchSize: 20,
      }) as unknown as FastKMeansClassifier;
      await model.fit(X, c, { shuffle: false, maxIters: 3 });
      expect(model.classes).toEqual([0, 1, 2, 3]);
      expect(await model.score(X, c), JSON.stringify(options)).toBeGreaterThan(0.95);
    }
  });

  it('goes on with its classes where prototypes are frozen', async () => {
    const model = estimators.classifier.make({ softType: 'scaled' }) as unknown as FastKMeansClassifier;
    await model.fit(first.X, first.c);
    model.freezePrototypes();
    await model.fit(second.X, second.c);
    expect(model.classes).toEqual([0, 2, 1, 3]);
    expect(await model.score(all.X, all.c)).toBe(1);
  });
});

describe('a given grid', () => {
  it('takes new classes too', async () => {
    const initMode = {
      prototypes: [
        [0.5, 0.5],
        [8.5, 0.5],
      ],
      owners: [0, 2],
    };
    for (const softType of ['gaussian', 'scaled'] as const) {
      const model = estimators.classifier.make({ softType, initMode }) as unknown as FastKMeansClassifier;
      expect(model.classes).toEqual([0, 2]);
      await model.fitBatch(all.X, all.c);
      expect(model.classes).toEqual([0, 2, 1, 3]);
      for (let i = 0; i < 4; i++) await model.fitBatch(all.X, all.c);
      expect(await model.score(all.X, all.c)).toBe(1);
    }
  });

  it('with columns as labels keeps those without a prototype', async () => {
    const initMode = {
      prototypes: [
        [0.5, 0.5],
        [8.5, 0.5],
      ],
      owners: [0, 2],
    };
    const model = estimators.multiLabel.make({ softType: 'scaled', initMode });
    const proba = await (model as unknown as FastMultiLabelKMeansClassifier).predictProba(all.X);
    expect(proba.shape[1]).toBe(3);
    // A label without prototypes has the probability 0.
    expect(proba.data.filter((_, i) => i % 3 === 1).every((p) => p === 0)).toBe(true);
    await model.fitBatch(
      all.X,
      all.c.map((c) => [0, 1, 2, 3].map((j) => Number(j === c))),
    );
    expect(new Set(model.grid.owners?.data)).toEqual(new Set([0, 1, 2, 3]));
  });
});

// Records and columns in the calls of every estimator: what became of each column, and what the encoded rows teach.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import type { AnySource, TableBatch } from '../state/source.js';
import type { LevelStatistics, TableEncoding } from '../state/table-encoding.js';
import { sumsOfText } from '../tables/statistics.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend } from './testing.js';

const options = { backend, heads: 1, nPrototypes: 12, metric: 'none' } as const;

interface Person {
  age: number | null;
  city: string | null;
  member: boolean;
  born: Date;
  grade: string;
  name: string;
  income: string;
}

const cities = ['Rome', 'Paris', 'Oslo'];
const grades = ['low', 'mid', 'high'];
/** Income follows city and grade. */
const people: Person[] = Array.from({ length: 120 }, (_, i) => ({
  age: i % 10 === 3 ? null : 20 + ((i * 7) % 40),
  city: i % 12 === 5 ? null : (cities[i % 3] as string),
  member: i % 4 < 2,
  born: new Date(Date.UTC(1980 + (i % 30), i % 12, 1 + (i % 28))),
  grade: grades[i % 5 === 0 ? 2 : i % 2] as string,
  name: `person ${i}`,
  income: (i % 3 === 1) !== (i % 5 === 0) ? 'much' : 'little',
}));
const columnsOf = <R extends object>(records: readonly R[]): { [C in keyof R & string]: R[C][] } =>
  Object.fromEntries(
    Object.keys(records[0] as R).map((name) => [name, records.map((r) => r[name as keyof R])]),
  ) as { [C in keyof R & string]: R[C][] };

const classifier = (more: object = {}): FastKMeansClassifier =>
  new FastKMeansClassifier({ ...options, columns: { grade: { order: grades } }, ...more });

describe('a table', () => {
  it('says what became of each column, and why', async () => {
    const model = classifier();
    const { warnings } = await model.fit(people, 'income');
    const shown = Object.fromEntries(model.columns.map(({ column, ...rest }) => [column, rest]));
    expect(shown).toMatchObject({
      age: { kind: 'number', missing: 0.1, reason: 'all values are numbers' },
      city: { kind: 'category', coding: 'oneHot', levels: ['Oslo', 'Paris', 'Rome'], reason: '3 levels' },
      member: { kind: 'boolean', missing: 0 },
      born: { kind: 'date', parts: ['year', 'month', 'day', 'weekday', 'days'] },
      grade: { kind: 'ordered', levels: grades, reason: 'the columns option says so' },
      name: { kind: 'ignore', reason: 'nearly one text a row: 120 in 120 rows' },
    });
    expect(shown.income).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining("column 'name' is left out")]);
  });

  it('gives the same model as records, as columns, and with the target apart', async () => {
    const rest = people.map(({ income: _, ...row }) => row);
    const y = people.map(({ income }) => income);
    const want = classifier();
    await want.fit(people, 'income');
    const answers = await want.predictProba(people);
    for (const learn of [
      (m: FastKMeansClassifier) => m.fit(columnsOf(people), 'income'),
      (m: FastKMeansClassifier) => m.fit(rest, y),
      (m: FastKMeansClassifier) => m.fit(columnsOf(rest), y),
    ]) {
      const model = classifier();
      await learn(model);
      expect((await model.predictProba(rest)).data).toEqual(answers.data);
      expect(await model.score(rest, y)).toBe(await want.score(people, 'income'));
    }
  });

  it('is learned by fit and finetune, kept by save, and gone on with to the bit', async () => {
    const model = classifier();
    await model.fit(people, 'income');
    await model.finetune(people, 'income', { epochs: 15 });
    expect(await model.score(people, 'income')).toBeGreaterThan(0.85);
    const loaded = await FastKMeansClassifier.load(await model.save(), { backend });
    expect(loaded.columns).toEqual(model.columns);
    expect(loaded.encoding).toEqual(model.encoding);
    await model.finetune(people, 'income', { epochs: 3 });
    await loaded.finetune(people, 'income', { epochs: 3 });
    expect((await loaded.predictProba(people)).data).toEqual((await model.predictProba(people)).data);
    const [first] = people as [Person];
    expect(await loaded.predictOne(first)).toBe((await model.predict([first])).toArray()[0]);
  });

  it('teaches every estimator', async () => {
    const rows = people.map(({ name: _, ...row }) => row);
    const regressor = new FastKMeansRegressor(options);
    const numbers = rows.map(({ city, grade }, i) => ({ city, grade, y: (i % 3) + (i % 5 === 0 ? 2 : 0) }));
    await regressor.fit(numbers, 'y');
    await regressor.finetune(numbers, 'y', { epochs: 15 });
    expect(await regressor.score(numbers, 'y')).toBeGreaterThan(0.5);
    expect(await regressor.predictOne(numbers[4] as object)).toBe((await regressor.predict(numbers)).data[4]);
    const clusterer = new FastKMeansClusterer({ backend, kInit: 3 });
    await clusterer.fit(rows);
    expect(clusterer.labels.length).toBe(120);
    expect(await clusterer.predictOne(rows[0] as object)).toBe(clusterer.labels[0]);
    const labels = new FastMultiLabelKMeansClassifier(options);
    await labels.fit(
      rows,
      rows.map(({ income, member }) => [income, ...(member ? ['member'] : [])]),
    );
    expect(await labels.predictOne(rows[0] as object)).toContain('member');
  });
});

/** A source of tables of `size` rows. */
function sourceOf(rows: readonly object[], y: readonly string[], size: number): AnySource {
  return {
    columns: Object.keys(rows[0] as object),
    rowCount: rows.length,
    tables: true,
    async *[Symbol.asyncIterator](): AsyncGenerator<TableBatch> {
      for (let at = 0; at < rows.length; at += size)
        yield { X: columnsOf(rows.slice(at, at + size)) as TableBatch['X'], y: y.slice(at, at + size) };
    },
  };
}

describe('a source of tables', () => {
  const rows = people.map(({ income: _, ...row }) => row);
  const y = people.map(({ income }) => income);

  it('is encoded as the same rows in an array', async () => {
    const source = sourceOf(rows, y, 17);
    const [over, from] = [classifier(), classifier()];
    await over.fit(rows, y, { shuffle: false });
    await from.fit(source);
    expect(from.encoding).toEqual({ ...over.encoding, columns: expect.anything() });
    expect(from.columns.map(({ column, kind }) => [column, kind])).toEqual(
      over.columns.map(({ column, kind }) => [column, kind]),
    );
    await from.finetune(source, { epochs: 5 });
    expect(await from.score(source)).toBe(await from.score(rows, y));
    for await (const part of from.predict(source)) expect(part.toArray().length).toBeGreaterThan(0);
  });

  it('is learned as a stream', async () => {
    const model = classifier();
    await model.fitStream(sourceOf(rows, y, 30), { startRows: 60, maxIters: 2 });
    expect(await model.score(rows, y)).toBeGreaterThan(0.52);
  });
});

describe('bad tables', () => {
  const fitted = async (): Promise<FastKMeansClassifier> => {
    const model = classifier();
    await model.fit(people, 'income');
    return model;
  };
  const [first] = people as [Person];

  it.each<[string, (model: FastKMeansClassifier) => Promise<unknown>, RegExp]>([
    ['a misspelt key', (m) => m.predictOne({ ...first, agee: 3 }), /no column 'agee'.*Did you mean 'age'/],
    ['a misspelt target', (m) => m.fit(people, 'incom'), /no column of that name.*Did you mean 'income'/],
    ['a text where numbers were', (m) => m.predictOne({ ...first, age: 'old' }), /'age' is 'old' in row 0/],
    [
      'a number where truth values were',
      (m) => m.predictOne({ ...first, member: 1 }),
      /'member' is 1 in row 0/,
    ],
    ['no date', (m) => m.predictOne({ ...first, born: 'long ago' }), /'born' is 'long ago' in row 0/],
    ['a text outside of an order', (m) => m.predictOne({ ...first, grade: 'top' }), /its order has 'low'/],
    ['a list in a cell', (m) => m.predictOne({ ...first, city: ['Rome'] }), /a cell is a number, a text/],
    [
      'a row without a target',
      (m) => m.fit([...people, { ...first, income: null }], 'income'),
      /'income' has no value in row 120/,
    ],
    ['a row that is no record', (m) => m.predict([first, 3] as object[]), /row 1 of X is 3/],
    [
      'columns of other lengths',
      (m) => m.predict({ ...columnsOf(people), age: [1] }),
      /'age' of X has 1 rows|has 120 rows/,
    ],
    [
      'columns without one of the model',
      (m) => {
        const { age: _, ...rest } = columnsOf(people);
        return m.predict(rest);
      },
      /lacks the column 'age'/,
    ],
    ['a mask', (m) => m.predict(people, { featureMask: [1] }), /featureMask is of a matrix/],
    [
      'a column of the option that is not there',
      () => classifier({ columns: { x: 'number' } }).fit(people, 'income'),
      /columns option has 'x'/,
    ],
    [
      'missing values where they are an error',
      () => classifier({ missing: 'error' }).fit(people, 'income'),
      /'age' has no value in row 3/,
    ],
  ])('with %s are refused, and the model stays', async (_, call, says) => {
    const model = await fitted();
    const before = await model.save();
    await expect(call(model)).rejects.toThrow(says);
    expect(await model.save()).toEqual(before);
  });

  it('are refused by a model of matrices', async () => {
    const model = new FastKMeansRegressor(options);
    await model.fit(
      Array.from({ length: 40 }, (_, i) => [i, i % 3]),
      Array.from({ length: 40 }, (_, i) => i),
    );
    await expect(model.predict([{ a: 1, b: 2 }])).rejects.toThrow(/fitted on a matrix/);
    expect(model.columns).toEqual([]);
  });
});

describe('missing values', () => {
  it('are what is absent, null, undefined, NaN and blank', async () => {
    const model = classifier();
    await model.fit(people, 'income');
    const { age: _, ...absent } = people[0] as Person;
    const want = (await model.predictProba([absent])).data;
    for (const age of [null, undefined, Number.NaN])
      expect((await model.predictProba([{ ...absent, age }])).data).toEqual(want);
    const [row] = people as [Person];
    const blank = (await model.predictProba([{ ...row, city: ' ' }])).data;
    expect((await model.predictProba([{ ...row, city: null }])).data).toEqual(blank);
  });

  it('get an indicator where they foretell the target', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({
      told: i % 4 === 0 ? null : i % 7,
      chance: i % 5 === 0 ? null : i % 3,
      y: i % 4 === 0 ? 5 : 0,
    }));
    const model = new FastKMeansRegressor(options);
    await model.fit(rows, 'y');
    expect(model.columns.map(({ column, indicator }) => [column, indicator])).toEqual([
      ['told', true],
      ['chance', false],
    ]);
    expect(await model.score(rows, 'y')).toBeGreaterThan(0.95);
  });
});

describe('a category of many levels', () => {
  // Each level has a mean of its own, from 0 to 9.
  const rows = Array.from({ length: 3000 }, (_, i) => ({
    level: `level ${(i * 17) % 100}`,
    noise: Math.sin(i * 1.7),
    y: ((i * 17) % 100) / 10 + Math.sin(i * 12.9898),
  }));

  it('is told by the means of its targets', async () => {
    const model = new FastKMeansRegressor({ ...options, nPrototypes: 40 });
    await model.fit(rows.slice(0, 2400), 'y');
    await model.finetune(rows.slice(0, 2400), 'y', { epochs: 10 });
    expect(model.columns[0]).toMatchObject({ kind: 'category', coding: 'statistics' });
    // The noise is a twelfth of the variance.
    expect(await model.score(rows.slice(2400), 'y')).toBeGreaterThan(0.85);
  });

  it('tells nothing of targets that are chance', async () => {
    const random = rows.map((row, i) => ({
      ...row,
      level: `level ${i % 1000}`,
      y: Math.sin(i * i * 78.233),
    }));
    const model = new FastKMeansRegressor({ ...options, nPrototypes: 40 });
    await model.fit(random.slice(0, 2400), 'y');
    await model.finetune(random.slice(0, 2400), 'y', { epochs: 10 });
    // Without cross-fitting the rows that train would tell their own targets, and R² of the others would be far below 0.
    expect(await model.score(random.slice(2400), 'y')).toBeGreaterThan(-0.1);
  });

  it('counts weights as repeated rows', () => {
    const some = rows.slice(0, 400);
    const weights = some.map((_, i) => 1 + (i % 3));
    const repeated = some.flatMap((row, i) => new Array<object>(weights[i] as number).fill(row));
    const sumsBy = async (data: readonly object[], sampleWeight?: number[]): Promise<number[]> => {
      const model = new FastKMeansRegressor(options);
      await model.fit(data, 'y', { sampleWeight });
      const { levels, sums } = (model.encoding as TableEncoding).columns[0] as unknown as LevelStatistics;
      const { data: all } = sumsOfText(sums, 1);
      // Over the folds: a row of weight 2 is in one, its repetitions in several.
      return levels.flatMap((_, level) =>
        [0, 1].map((part) =>
          [0, 1, 2, 3, 4].reduce((sum, f) => sum + (all[(level * 5 + f) * 2 + part] as number), 0),
        ),
      );
    };
    return Promise.all([sumsBy(some, weights), sumsBy(repeated)]).then(([a, b]) =>
      a.forEach((sum, i) => {
        // y is less the mean of the targets, which is rounded in another order.
        expect(sum).toBeCloseTo(b[i] as number, 4);
      }),
    );
  });
});

describe('a number whose values come again and again', () => {
  const random = new Random(1);
  const noise = Float64Array.from({ length: 4000 }, () => Math.sqrt(12) * (random.uniform() - 0.5));
  const value = (i: number): number => (i * 37) % 100;
  // What each value tells has nothing to do with its size.
  const rows = Array.from(noise, (e, i) => ({
    value: value(i),
    y: 3 * Math.sin(value(i) ** 2 * 12.9898) + e,
  }));
  const smooth = Array.from(noise, (e, i) => ({ value: value(i), y: value(i) / 20 + e }));
  const chance = Array.from(noise, (e, i) => ({ value: value(i), y: e }));

  it('has statistics of its values where they tell more than a curve does', async () => {
    const model = new FastKMeansRegressor({ ...options, nPrototypes: 40 });
    await model.fit(rows.slice(0, 3000), 'y');
    await model.finetune(rows.slice(0, 3000), 'y', { epochs: 15 });
    expect(model.columns[0]).toMatchObject({ kind: 'number', coding: 'statistics' });
    // The noise is a fifth of the variance.
    expect(await model.score(rows.slice(3000), 'y')).toBeGreaterThan(0.7);
    const loaded = await FastKMeansRegressor.load(await model.save(), { backend });
    expect((await loaded.predict(rows.slice(0, 9))).data).toEqual(
      (await model.predict(rows.slice(0, 9))).data,
    );
  });

  it('has none where a curve tells as much, or chance', async () => {
    for (const some of [smooth, chance]) {
      const model = new FastKMeansRegressor({ ...options, nPrototypes: 40 });
      await model.fit(some, 'y', { maxIters: 1 });
      expect(model.columns[0]?.coding).toBeUndefined();
    }
  });
});

describe('laws of tables', () => {
  it('the order of the rows of a call does not matter to their answers', async () => {
    const model = classifier();
    await model.fit(people, 'income');
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(people, { minLength: 1, maxLength: 12 }), async (some) => {
        const all = (await model.predictProba(some)).toArray();
        // A batch with a missing value runs another graph, whose sums are rounded otherwise.
        for (const [i, row] of some.entries())
          for (const [c, p] of ((await model.predictProba([row])).toArray()[0] as number[]).entries())
            expect(p).toBeCloseTo(all[i]?.[c] as number, 5);
      }),
      { numRuns: 5 },
    );
  });
});

describe('columns of any name and any milliseconds', () => {
  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('may be called %s', async (name) => {
    const rows = people.map(({ city, income }) =>
      Object.fromEntries(Object.entries({ [name]: city, income })),
    );
    const model = new FastKMeansClassifier(options);
    await model.fitBatch(rows, 'income');
    expect(model.columns).toMatchObject([{ column: name, kind: 'category', reason: '3 levels' }]);
  });

  it('dates of a part of a millisecond are whole ones, as in Date, and the model loads', async () => {
    const rows = people.map((_, i) => ({ at: i * 1e9 + 1.75 }));
    const model = new FastKMeansRegressor({ ...options, columns: { at: 'date' } });
    await model.fitBatch(
      rows,
      rows.map((_, i) => i),
    );
    const again = await FastKMeansRegressor.load(await model.save(), { backend });
    expect(again.columns).toMatchObject([{ column: 'at', kind: 'date' }]);
    expect((await again.predict(rows)).data).toEqual(
      (await model.predict(rows.map(({ at }) => ({ at: new Date(at) })))).data,
    );
  });
});

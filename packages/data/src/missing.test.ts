// Missing is never 0: in sources and in encodeRows a value that is not there is an error, or masked with NaN in its place, so
// that whoever loses the mask meets an error and no other answer.

import {
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  jsBackend,
  type Source,
  type SourceBatch,
} from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { csv, type Encoding, encodeRows, fromIterable } from './index.js';
import { batchesOf, everything, expectError } from './testing.js';

const encoding: Encoding = {
  version: 1,
  features: [
    { column: 'age', kind: 'number' },
    { column: 'job', kind: 'oneHot', categories: ['1', 'clerk', 'cook'] },
    { column: 'size', kind: 'ordinal', categories: ['L', 'S'] },
  ],
};
const NaN4 = [Number.NaN, Number.NaN, Number.NaN];

describe('encodeRows', () => {
  const row = { age: 30, job: 'cook', size: 'S' };
  const encoded = (more: object) => {
    const { X, featureMask } = encodeRows(encoding, [{ ...row, ...more }], {
      missing: 'mask',
      unknown: 'mask',
    });
    return { X: [...X.data], mask: [...(featureMask?.data ?? [])] };
  };
  const own = { X: [30, 0, 0, 1, 1], mask: [1, 1, 1, 1, 1] };

  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['an empty text', ''],
    ['a blank', ' '],
    ['a tab and a line break', '\t\n'],
    ['the word nan', 'NaN'],
  ])('takes %s for a number that is missing', async (_, age) => {
    expect(encoded({ age })).toEqual({ X: [Number.NaN, 0, 0, 1, 1], mask: [0, 1, 1, 1, 1] });
    await expectError(
      () => encodeRows(encoding, [row, { ...row, age }]),
      'data',
      "column 'age' is missing in row 1",
    );
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['NaN', Number.NaN],
    ['an empty text', ''],
    ['a blank', '  '],
  ])('takes %s for a text that is missing', async (_, job) => {
    expect(encoded({ job })).toEqual({ X: [30, ...NaN4, 1], mask: [1, 0, 0, 0, 1] });
    await expectError(
      () => encodeRows(encoding, [{ ...row, job }]),
      'data',
      "column 'job' is missing in row 0",
    );
  });

  it('masks what is unknown, with NaN in its place', () => {
    expect(encoded({ job: 'king', size: 'XL' })).toEqual({
      X: [30, ...NaN4, Number.NaN],
      mask: [1, 0, 0, 0, 0],
    });
  });

  it.each<[string, unknown, number]>([
    ['a number', 1.5, 1.5],
    ['0', 0, 0],
    ['a text of a number', ' 1.5e1 ', 15],
    ['a bigint', 12n, 12],
    ['true', true, 1],
    ['the word false', 'FALSE', 0],
  ])('takes %s as a number', (_, age, number) => {
    expect(encoded({ age })).toEqual({ ...own, X: [number, ...own.X.slice(1)] });
  });

  it('reads texts of numbers as numbers', () => {
    expect(encoded({ job: 1 })).toEqual({ ...own, X: [30, 1, 0, 0, 1] });
  });

  it.each<[string, object, string]>([
    ['a list', { age: [] }, "column 'age' is an array"],
    ['a list of a number', { age: [5] }, "column 'age' is"],
    ['an object', { age: {} }, "column 'age' is"],
    [
      'a date',
      { age: new Date(0) },
      "column 'age' is a date in row 0, and should be a number: a source takes no dates",
    ],
    [
      'a date as text',
      { age: '2024-01-01' },
      "column 'age' is '2024-01-01' in row 0, and should be a number",
    ],
    ['hexadecimal digits', { age: '0x10' }, "'0x10' in row 0, and should be a number"],
    ['a word', { age: 'old' }, "'old' in row 0, and should be a number"],
    ['a function', { age: () => 1 }, "column 'age' is"],
    ['a number beyond float32', { age: 1e300 }, "column 'age' is 1e+300 in row 0, and float32 ends at"],
    ['a negative one', { age: -3.5e38 }, 'float32 ends at'],
    ['infinity', { age: Number.POSITIVE_INFINITY }, 'float32 ends at'],
    ['infinity as text', { age: '-inf' }, 'float32 ends at'],
    ['a bigint beyond float32', { age: 10n ** 40n }, 'float32 ends at'],
    ['an object for a text', { job: {} }, "column 'job' is"],
    ['a date for a text', { job: new Date(0) }, "column 'job' is a date"],
    ['a list for a text', { job: ['cook'] }, "column 'job' is"],
  ])('refuses %s, whatever is masked', async (_, more, says) => {
    for (const options of [{}, { missing: 'mask', unknown: 'mask' } as const])
      await expectError(() => encodeRows(encoding, [{ ...row, ...more }], options), 'data', says);
  });

  it.each<[string, object[], string]>([
    ['a letter', [row, { age: 3, job: 'cook', sice: 'S' }], "row 1 has no 'size', and has 'sice'"],
    ['the case', [{ Age: 3, job: 'cook', size: 'S' }], "did you mean 'age'?"],
    [
      'two of several',
      [{ id: 7, agee: 3, jobb: 'cook', size: 'S' }],
      "has 'agee', which is none of the columns; did you mean 'age'",
    ],
    ['another word', [{ years: 3, job: 'cook', size: 'S' }], "row 0 has no 'age', and has 'years'"],
  ])('names the nearest column of a misspelt key: %s', async (_, rows, says) => {
    for (const options of [{}, { missing: 'mask' } as const])
      await expectError(() => encodeRows(encoding, rows as never, options), 'data', says);
  });

  it('allows other keys if no column is absent, and masks absent columns if no key is unknown', () => {
    expect(encoded({ id: 7, target: 1 })).toEqual(own);
    const { X, featureMask } = encodeRows(encoding, [{ job: 'cook', size: 'S' }], { missing: 'mask' });
    expect([...X.data]).toEqual([Number.NaN, 0, 0, 1, 1]);
    expect([...(featureMask?.data ?? [])]).toEqual([0, 1, 1, 1, 1]);
  });

  it.each<[string, unknown, string]>([
    ['one object', row, 'rows should be an array of objects'],
    ['nothing', undefined, 'rows should be an array of objects'],
    ['a row that is none', [row, null], 'row 1 should be an object { age, job, size }'],
    ['a row of numbers', [[1, 2, 3]], 'row 0 should be an object'],
  ])('refuses %s', async (_, rows, says) => {
    await expectError(() => encodeRows(encoding, rows as never), 'shape', says);
  });

  it('refuses an option that it would ignore', async () => {
    await expectError(
      () => encodeRows(encoding, [row], { mising: 'mask' } as never),
      'option',
      'no option mising',
    );
  });
});

interface Learner {
  fit(source: Source, options: object): Promise<unknown>;
  finetune(source: Source, options: object): Promise<unknown>;
  fitStream(source: Source): Promise<unknown>;
  save(): Promise<Uint8Array>;
  predict(X: SourceBatch['X'], options?: object): Promise<unknown>;
}

describe('sources', () => {
  const people = [
    { age: 30, job: 'cook' },
    { age: null, job: 'clerk' },
    { age: 50, job: null },
  ];

  it.each([
    ['objects', () => fromIterable(people, { missing: 'mask' })],
    ['csv', () => csv(new Blob(['age,job\n30,cook\n,clerk\n50,\n']), { missing: 'mask' })],
  ])('hold NaN where they mask, %s', async (_, open) => {
    const { X, mask } = await everything(await open());
    expect(mask).toEqual([
      [1, 1, 1],
      [0, 1, 1],
      [1, 0, 0],
    ]);
    expect(X).toEqual([
      [30, 0, 1],
      [Number.NaN, 1, 0],
      [50, Number.NaN, Number.NaN],
    ]);
  });

  it.each([' ', '0x10', '1e300', 'inf'])(
    'take no 0 and no infinity out of %j late in a CSV',
    async (cell) => {
      const open = () => csv(new Blob([`a,b\n${'1,2\n'.repeat(1500)}${cell},2\n`]), { features: ['a'] });
      if (cell === ' ')
        await expectError(async () => everything(await open()), 'data', "column 'a' is missing in row 1500");
      else if (cell === '0x10')
        await expectError(
          async () => everything(await open()),
          'data',
          "'0x10' in row 1500, and should be a number",
        );
      else await expectError(async () => everything(await open()), 'data', 'float32 ends at');
    },
  );

  it.each<[string, object[], string]>([
    [
      'a number beyond float32',
      [{ a: 1 }, { a: 1e300 }],
      "column 'a' is Infinity in row 1, and float32 ends at",
    ],
    ['a date where numbers were', [...Array(1000).fill({ a: 1 }), { a: new Date(0) }], "column 'a' is"],
    [
      'a date where texts were',
      [...Array(1000).fill({ a: 'x' }), { a: new Date(0) }],
      "column 'a' has a date in row 1000",
    ],
    [
      'a number where texts were',
      [...Array(1000).fill({ a: '1' }), { a: 1 }],
      "column 'a' has a number in row 1000, where texts are",
    ],
  ])('refuse %s', async (_, rows, says) => {
    await expectError(async () => everything(await fromIterable(rows as never)), 'data', says);
  });

  it('a forgotten mask is an error, and a kept one answers as before', async () => {
    const backend = jsBackend();
    const rows = Array.from({ length: 300 }, (_, i) => ({
      a: i % 7 === 0 ? null : Math.sin(i),
      b: i % 11 === 0 ? null : ['x', 'y', 'z'][i % 3],
      y: (i % 3) + Math.sin(i),
      label: i % 3 === 0 ? 'even' : 'odd',
    }));
    const zeroed = ({ X, ...rest }: SourceBatch): SourceBatch => ({
      ...rest,
      X: { ...X, data: X.data.map((value) => (Number.isNaN(value) ? 0 : value)) },
    });
    const options = { backend, nPrototypes: 12, heads: 1, metric: 'none' } as const;
    const models = [
      ['y', () => new FastKMeansRegressor(options)],
      ['label', () => new FastKMeansClassifier(options)],
      [undefined, () => new FastKMeansClusterer({ backend, kInit: 4 })],
    ] as const;
    for (const [target, make] of models) {
      const source = await fromIterable(rows, {
        features: ['a', 'b'],
        target,
        missing: 'mask',
        batchRows: 50,
      });
      const batches = await batchesOf(source);
      const plain: Source = {
        ...source,
        [Symbol.asyncIterator]: () => from(batches.map(zeroed)),
      };
      const [own, other] = [make(), make()] as unknown as [Learner, Learner];
      for (const [model, given] of [
        [own, source],
        [other, plain],
      ] as const) {
        await model.fit(given, { maxIters: 2 });
        await model.finetune(given, { epochs: 2 });
        await model.fitStream(given);
      }
      expect(await own.save()).toEqual(await other.save());
      const [{ X, featureMask }] = batches as [SourceBatch];
      await expect(own.predict(X)).rejects.toThrow('NaN');
      expect(await own.predict(X, { featureMask: featureMask as never })).toEqual(
        await own.predict(zeroed({ X }).X, { featureMask: featureMask as never }),
      );
    }
  });
});

async function* from(batches: readonly SourceBatch[]): AsyncGenerator<SourceBatch> {
  yield* batches;
}

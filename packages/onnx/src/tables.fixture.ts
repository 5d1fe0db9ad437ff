// Tables for the tests of files with columns as inputs: every kind of column, with holes and texts that no row of training had, and the
// cells as a file takes them.

import {
  type Cell,
  type ClassifierOptions,
  type ColumnSpecs,
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansQuantileRegressor,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  type TableEncoding,
} from '@fkm/core';
import type { Estimator } from '@fkm/core/deploy';
import { numberOfText } from '@fkm/core/internal';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { arrayOf, type Feed, type Feeds } from './column-feeds.fixture.js';
import { type Answer, backend, expectClose, expectLabels, seeded } from './testing.js';

export type Row = Readonly<Record<string, Cell>>;

const isHole = (cell: Cell): boolean =>
  cell === null ||
  cell === undefined ||
  Number.isNaN(cell) ||
  (typeof cell === 'string' && cell.trim() === '');

/** Blanks stay what they are. */
const textOf = (cell: Cell): string =>
  typeof cell === 'string'
    ? cell
    : isHole(cell)
      ? ''
      : cell instanceof Date
        ? cell.toISOString()
        : String(cell);
const msOf = (cell: Cell): string =>
  isHole(cell)
    ? String(-(2n ** 63n))
    : String(cell instanceof Date ? cell.getTime() : new Date(cell as string | number).getTime());

/** Rows as the inputs of a file. */
export function feedsOf(encoding: TableEncoding, rows: readonly Row[]): Feeds {
  return Object.fromEntries(
    encoding.columns.flatMap((column): [string, Feed][] => {
      const cells = rows.map((row) => row[column.column]);
      switch (column.kind) {
        case 'ignore':
          return [];
        case 'number': {
          const number = (cell: Cell): number | null =>
            isHole(cell)
              ? null
              : typeof cell === 'string'
                ? numberOfText(cell, column.decimal)
                : Number(cell);
          return [[column.column, { type: 'float32', data: cells.map(number) }]];
        }
        case 'boolean':
          return [
            [column.column, { type: 'float32', data: cells.map((c) => (isHole(c) ? null : Number(c))) }],
          ];
        case 'date':
          return [[column.column, { type: 'int64', data: cells.map(msOf) }]];
        default:
          return [[column.column, { type: 'string', data: cells.map(textOf) }]];
      }
    }),
  );
}

const plain = (value: number | string | bigint): number | string =>
  typeof value === 'bigint' ? Number(value) : value;

/** What a file answers in onnxruntime-node. */
export async function answersOf(bytes: Uint8Array, feeds: Feeds): Promise<Record<string, Answer>> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  const tensors = Object.entries(feeds).map(([name, feed]) => [
    name,
    new Tensor(feed.type, arrayOf(feed) as never, [feed.data.length, 1]),
  ]);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { type, dims, data: Array.from(data as ArrayLike<number | string | bigint>, plain) },
    ]),
  );
}

const cities = Array.from({ length: 24 }, (_, i) => `città ${i}`);
const colours = ['blue', 'grün, "hell"', 'red', "l'or"];
const grades = ['low', 'mid', 'high'];
const start = Date.UTC(2019, 10, 3, 4);

/** Rows of every kind of column, a tenth of the cells missing. */
export function mixedRows(count: number, seed = 1): readonly Row[] {
  const random = seeded(seed);
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] as string;
  const hole = (cell: Cell): Cell =>
    random() < 0.1 ? [null, undefined, Number.NaN, ''][Math.floor(random() * 4)] : cell;
  return Array.from({ length: count }, (_, i) => ({
    size: hole(4 * random() - 2),
    count: hole(BigInt(Math.floor(random() * 9))),
    price: hole(`${Math.floor(random() * 900) / 10}`.replace('.', ',')),
    colour: hole(pick(colours)),
    city: hole(pick(cities)),
    grade: hole(pick(grades)),
    zip: hole(Math.floor(random() * 5) + 8000),
    'is new?': random() < 0.1 ? null : random() < 0.5,
    when: hole(new Date(start + random() * 7e10)),
    day: hole(new Date(start + Math.floor(random() * 300) * 86_400_000).toISOString().slice(0, 10)),
    id: `row ${i}`,
  }));
}

/** Rows that files are judged by: holes, texts that no row of training had, blanks, and the ends of the range of dates. */
export const judgedRecords: readonly Row[] = [
  ...mixedRows(40, 9),
  {},
  { colour: 'violet', city: 'nowhere', zip: 1, day: '1899-12-31', when: new Date(-1) },
  { colour: '  ', city: '                ', size: 30 },
  { when: new Date(8.64e15), day: new Date(-8.64e15), 'is new?': true },
];

export const mixedSpecs: ColumnSpecs = {
  price: { decimal: ',' },
  grade: { order: grades },
  zip: 'category',
};

const worthOf = (row: Row): number =>
  (Number(row.size) || 0) +
  cities.indexOf(row.city as string) / 8 +
  (row.colour === 'red' ? 1 : 0) +
  (isHole(row.when) ? 1 : 0);

type Options = Partial<ClassifierOptions> & { readonly columns?: ColumnSpecs };

/** A model of each estimator that has learned a batch of rows. */
export const learnedOf = {
  clusterer: async (rows: readonly Row[], options: Options = {}): Promise<FastKMeansClusterer> => {
    const model = new FastKMeansClusterer({ backend, kInit: 6, ...options } as never);
    await model.fitBatch(rows);
    return model;
  },
  classifier: async (rows: readonly Row[], options: Options = {}): Promise<FastKMeansClassifier> => {
    const model = new FastKMeansClassifier({ backend, nPrototypes: 12, heads: 2, ...options } as never);
    await model.fitBatch(
      rows,
      rows.map((row) => (worthOf(row) > 2 ? 'high' : worthOf(row) > 1 ? 'mid' : 'löw')),
    );
    return model;
  },
  multiLabel: async (
    rows: readonly Row[],
    options: Options = {},
  ): Promise<FastMultiLabelKMeansClassifier> => {
    const model = new FastMultiLabelKMeansClassifier({
      backend,
      nPrototypes: 12,
      heads: 2,
      ...options,
    } as never);
    await model.fitBatch(
      rows,
      rows.map((row) => [...(worthOf(row) > 2 ? ['a'] : []), ...(row.colour === 'red' ? ['b'] : [])]),
    );
    return model;
  },
  regressor: async (rows: readonly Row[], options: Options = {}): Promise<FastKMeansRegressor> => {
    const model = new FastKMeansRegressor({ backend, nPrototypes: 12, heads: 2, ...options } as never);
    await model.fit(rows, rows.map(worthOf));
    return model;
  },
} as const;

export const tableOf = (model: Estimator): TableEncoding => {
  const { encoding } = model;
  if (encoding?.version !== 2) throw new Error('the model has no table');
  return encoding;
};

/** What any runtime answered, held against what the model says of the same rows. */
export async function expectTableAnswers(
  answers: Readonly<Record<string, Answer>>,
  model: Estimator,
  rows: readonly Row[],
): Promise<void> {
  if (model instanceof FastKMeansRegressor || model instanceof FastKMeansQuantileRegressor) {
    const { data, shape } = await model.predict(rows);
    expectClose(answers.variable, data, [rows.length, shape[1] ?? 1]);
  } else if (model instanceof FastKMeansClusterer) {
    const similarities = await model.transform(rows);
    const { data } = await model.predict(rows);
    const back = answers.scores && {
      ...answers.scores,
      data: answers.scores.data.map((d) => 1 / (1 + (d as number) ** 2)),
    };
    expectClose(back, similarities.data, similarities.shape);
    expectLabels(answers.label, data, similarities.data, Number);
  } else {
    const { data, shape } = await model.predictProba(rows);
    expectClose(answers.probabilities, data, shape);
    if (model instanceof FastKMeansClassifier) {
      const names = model.classes;
      expectLabels(answers.label, (await model.predict(rows)).data, data, (name) => names.indexOf(name));
    } else expect(answers.label?.data).toEqual(Array.from((await model.predict(rows)).data));
  }
}

// Files whose inputs are the columns of a table: they answer what the model answers, on every kind of column.

import { type ColumnSpecs, FastKMeansClassifier, FastKMeansRegressor, isFkmError } from '@fkm/core';
import type { Estimator } from '@fkm/core/deploy';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import type { ExportOptions } from './export-options.js';
import { importOnnx } from './import-onnx.js';
import { printOnnx } from './print-onnx.js';
import { readOnnx } from './read-onnx.js';
import {
  answersOf,
  expectTableAnswers,
  feedsOf,
  judgedRecords as judged,
  learnedOf,
  mixedRows,
  mixedSpecs,
  type Row,
  tableOf,
} from './tables.fixture.js';
import { backend, learned } from './testing.js';

const training = mixedRows(120);
const tasks = Object.keys(learnedOf) as (keyof typeof learnedOf)[];

async function expectSame(
  model: Estimator,
  rows: readonly Row[],
  options: ExportOptions = {},
): Promise<void> {
  const answers = await answersOf(exportOnnx(model, options), feedsOf(tableOf(model), rows));
  await expectTableAnswers(answers, model, rows);
}

const optionError = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (isFkmError(error) && error.kind === 'option') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe.each(tasks)('a %s of a table', (task) => {
  it('answers as predict does, on every kind of column', async () => {
    const model = await learnedOf[task](training, { columns: mixedSpecs });
    const kinds = tableOf(model).columns.map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(['number', 'category', 'ordered', 'boolean', 'date', 'ignore']));
    await expectSame(model, judged);
    await expectSame(model, judged, { opset: 21, topK: 'argMax' });
    await expectSame(model, judged, { opset: 16 });
  });

  it('comes back from its file with its columns', async () => {
    const model = await learnedOf[task](training, { columns: mixedSpecs });
    const again = await importOnnx(exportOnnx(model), { backend });
    expect(again.encoding).toEqual(model.encoding);
    expect((await again.predict(judged)).data).toEqual((await model.predict(judged)).data);
    expect(exportOnnx(again)).toEqual(exportOnnx(model));
  });
});

describe('the inputs', () => {
  it('are the columns, by kind; ignored ones are none', async () => {
    const model = await learnedOf.regressor(training, { columns: mixedSpecs });
    const lines = printOnnx(readOnnx(exportOnnx(model))).split('\n');
    expect(lines[0]).toBe(
      'regressor(size: float[B,1], count: float[B,1], price: float[B,1], colour: string[B,1], city: string[B,1], ' +
        'grade: string[B,1], zip: string[B,1], is new?: float[B,1], when: int64[B,1], day: int64[B,1]) opset 17, ai.onnx.ml 2 {',
    );
    expect(lines.at(-2)).toBe('  return variable: float[B,1]');
  });

  it('say in words what they take', async () => {
    const model = await learnedOf.regressor(training, { columns: mixedSpecs });
    const { graph } = readOnnx(exportOnnx(model));
    const notes = new Map(graph?.input.map(({ name, docString }) => [name, docString]));
    expect(notes.get('size')).toBe('A number; NaN is missing.');
    expect(notes.get('is new?')).toBe('1 is true, 0 is false, NaN is missing.');
    expect(notes.get('when')).toBe('Milliseconds since 1970 in UTC; -2^63 is missing.');
    expect(notes.get('grade')).toBe("A text; '' is missing. 3 levels: 'low', 'mid', 'high'.");
    expect(graph?.output.map(({ docString }) => docString)).toEqual([
      'Predicted targets; NaN for a row without an answer.',
    ]);
    expect(graph?.node.find(({ name }) => name === 'grade level')?.docString).toBe(
      'The level of grade: 3 is missing, 4 is any other text.',
    );
  });

  it('need no ai.onnx.ml where no column is of texts', async () => {
    const rows = training.map(({ size, when, ...row }) => ({ size, when, new: row['is new?'] }));
    const model = await learnedOf.regressor(rows.map((row, i) => ({ ...row, size: i })));
    const { opsetImport, graph } = readOnnx(exportOnnx(model));
    expect(opsetImport.map(({ domain }) => domain)).toEqual(['']);
    expect(new Set(graph?.node.map(({ domain }) => domain))).toEqual(new Set(['']));
  });

  it('are the encoded matrix where that is asked for, in plain ONNX', async () => {
    const model = await learnedOf.classifier(training, { columns: mixedSpecs });
    const bytes = exportOnnx(model, { inputs: 'matrix', featureMask: true });
    const { opsetImport, graph } = readOnnx(bytes);
    expect(graph?.input.map(({ name }) => name)).toEqual(['X', 'feature_mask']);
    expect(opsetImport.map(({ domain }) => domain)).toEqual(['']);
    const again = await importOnnx(bytes, { backend });
    expect((await again.predict(judged)).data).toEqual((await model.predict(judged)).data);
  });

  it('may be called as the file calls its own arrays and outputs', async () => {
    const names = ['X', 'feature_mask', 'prototypes', 'targets', 'label', 'probabilities', 'X level', 'B'];
    const rename = (row: Row): Row =>
      Object.fromEntries(
        Object.values(row)
          .slice(0, names.length)
          .map((cell, i) => [names[i], cell]),
      );
    const columns: ColumnSpecs = { prototypes: { decimal: ',' }, 'X level': 'category' };
    const rows = training.map(rename);
    const model = new FastKMeansClassifier({ backend, nPrototypes: 12, columns });
    await model.fitBatch(
      rows,
      training.map(({ colour }) => String(colour)),
    );
    const bytes = exportOnnx(model);
    expect(readOnnx(bytes).graph?.output.map(({ name }) => name)).toEqual(['label.out', 'probabilities.out']);
    const { 'label.out': label, 'probabilities.out': probabilities } = await answersOf(
      bytes,
      feedsOf(tableOf(model), rows),
    );
    await expectTableAnswers({ label, probabilities } as never, model, rows);
    const again = await importOnnx(bytes, { backend });
    expect(await again.save()).toEqual(await model.save({ optimiser: false }));
  });

  it.each(['', 'fkm.X'])('cannot be called %j', async (name) => {
    const model = new FastKMeansRegressor({ backend, nPrototypes: 4 });
    await model.fitBatch(
      training.map((_, i) => ({ [name]: i })),
      training.map((_, i) => i),
    );
    expect(optionError(() => exportOnnx(model))).toContain("rename the column, or set inputs to 'matrix'");
  });
});

describe('rows that the model refuses have no answer, and others have theirs', () => {
  const bad: readonly (readonly [string, Row])[] = [
    ['a text that an order does not have', { grade: 'none' }],
    ['a number beyond float32', { size: 1e39 }],
    ['a truth value that is none', { 'is new?': 0.5 as never }],
    ['a date beyond the range of Date', { when: 8.64e15 + 1 }],
  ];

  it.each(bad)('%s', async (_, cells) => {
    const model = await learnedOf.classifier(training, { columns: mixedSpecs });
    const rows = [judged[0] as Row, { ...judged[1], ...cells }, judged[2] as Row];
    await expect(model.predict(rows)).rejects.toThrow(/row 1/);
    const feeds = feedsOf(tableOf(model), rows);
    const when = {
      ...feeds.when,
      data: rows.map((row, i) =>
        i === 1 && typeof row.when === 'number' ? String(row.when) : feeds.when?.data[i],
      ),
    };
    const { label, probabilities } = await answersOf(exportOnnx(model), { ...feeds, when } as typeof feeds);
    expect(label?.data[1]).toBe('');
    expect(probabilities?.data.slice(3, 6)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    const others = [rows[0], rows[2]] as Row[];
    expect([label?.data[0], label?.data[2]]).toEqual([...(await model.predict(others)).data]);
  });

  it("missing values, of a model with missing: 'error'", async () => {
    const whole = training.map((_, i) => ({
      n: i % 7,
      text: `${i % 3}a`,
      city: `c${i % 30}`,
      at: new Date(i * 1e9),
      yes: i % 2 === 0,
    }));
    const model = new FastKMeansRegressor({ backend, nPrototypes: 12, missing: 'error' });
    await model.fitBatch(
      whole,
      whole.map(({ n }) => n),
    );
    const one = whole[4] as Row;
    const rows = [one, ...Object.keys(one).map((name) => ({ ...one, [name]: null })), one];
    const { variable } = await answersOf(exportOnnx(model), feedsOf(tableOf(model), rows));
    const { data } = await model.predict([one]);
    expect(variable?.data.map(Number.isNaN)).toEqual(rows.map((_, i) => i > 0 && i < rows.length - 1));
    expect(Math.abs((variable?.data[0] as number) - (data[0] as number))).toBeLessThanOrEqual(1e-5);
  });
});

describe('options', () => {
  it("inputs: 'columns' of a model of matrices is an error", async () => {
    const model = await learned.regressor();
    expect(optionError(() => exportOnnx(model, { inputs: 'columns' }))).toContain("inputs is 'columns'");
    expect(exportOnnx(model, { inputs: 'matrix' })).toEqual(exportOnnx(model));
  });

  it('featureMask beside columns is an error', async () => {
    const model = await learnedOf.regressor(training, { columns: mixedSpecs });
    expect(optionError(() => exportOnnx(model, { featureMask: true }))).toContain('featureMask is true');
  });

  it("labels: 'index' gives places in the classes", async () => {
    const model = await learnedOf.classifier(training, { columns: mixedSpecs });
    const bytes = exportOnnx(model, { labels: 'index' });
    const { label } = await answersOf(bytes, feedsOf(tableOf(model), [...judged, { grade: 'none' }]));
    expect(label?.type).toBe('int64');
    const { data } = await model.predict(judged);
    expect(label?.data).toEqual([...[...data].map((name) => model.classes.indexOf(name)), -1]);
    const again = await importOnnx(bytes, { backend });
    expect(await again.save()).toEqual(await model.save({ optimiser: false }));
  });

  it("labels: 'index' is for models of matrices too, and not for regressors", async () => {
    const matrix = await learned.classifier();
    const { graph } = readOnnx(exportOnnx(matrix, { labels: 'index' }));
    expect(printOnnx(readOnnx(exportOnnx(matrix, { labels: 'index' })))).toContain('label: int64[B]');
    expect(graph?.initializer.some(({ stringData }) => stringData.length > 0)).toBe(false);
    expect(exportOnnx(matrix, { labels: 'names' })).toEqual(exportOnnx(matrix));
    const regressor = await learned.regressor();
    expect(optionError(() => exportOnnx(regressor, { labels: 'index' }))).toContain('a regressor has none');
  });
});

it('the metadata list columns and levels', async () => {
  const model = await learnedOf.classifier(training, { columns: mixedSpecs });
  const { metadataProps } = readOnnx(exportOnnx(model, { training: false }));
  const text = metadataProps.find(({ key }) => key === 'fkm.encoding')?.value as string;
  const { columns } = JSON.parse(text) as ReturnType<typeof tableOf>;
  expect(columns.find(({ column }) => column === 'colour')).toMatchObject({
    kind: 'category',
    coding: 'oneHot',
    levels: ['blue', 'grün, "hell"', "l'or", 'red'],
  });
});

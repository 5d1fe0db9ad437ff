// Files with columns as inputs in Python's onnxruntime: answers compared with `predict` on every kind of column, with missing values and
// texts that training did not have; and the example for Python.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FastKMeansClassifier, FastKMeansRegressor } from '@fkm/core';
import { exportOnnx } from '@fkm/onnx';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { seeded } from './random.ts';
import { formatTable, printResults } from './report.ts';
import { pythonWith } from './venv.ts';

type Row = Readonly<Record<string, number | string | boolean | Date | null>>;

/** Packages of PyPI that the Python side needs. */
const packages = ['onnxruntime', 'numpy'] as const;
/** Answers differ by rounding alone. */
const tolerance = 1e-5;

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Rows with every kind of column, a tenth of the cells missing; texts are of `levels` levels. */
function rowsOf(count: number, levels: number, random: () => number): readonly Row[] {
  const hole = <T>(cell: T): T | null => (random() < 0.1 ? null : cell);
  const upTo = (end: number): number => Math.floor(random() * end);
  return Array.from({ length: count }, () => ({
    size: hole(4 * random() - 2),
    colour: hole(['blue', 'grün', 'red'][upTo(3)] as string),
    city: hole(`città ${upTo(levels)}`),
    grade: hole(['low', 'mid', 'high'][upTo(3)] as string),
    new: hole(random() < 0.5),
    when: hole(new Date(Date.UTC(1960, upTo(1200), upTo(28), upTo(24)))),
  }));
}

const worthOf = (row: Row): number =>
  Number(row.size) + Number(`${row.city ?? 0}`.replace(/\D/g, '')) / 8 + (row.colour === 'red' ? 1 : 0);

/** Columns as JSON: null is missing, dates are ISO texts in UTC. */
function columnsOf(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] as Row);
  const cell = (value: Row[string] | undefined): unknown =>
    value instanceof Date ? value.toISOString().slice(0, -1) : value;
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, rows.map((row) => cell(row[name]))])));
}

interface Answered {
  readonly version: string;
  readonly answers: Readonly<Record<string, readonly (number | string)[]>>;
}

/** Errors: Failure if answers differ by more than rounding, or labels differ. */
export async function benchColumns(backendName: BackendName): Promise<void> {
  const backend = await openBackend(backendName);
  const python = pythonWith(packages);
  const folder = mkdtempSync(join(tmpdir(), 'fkm-columns-'));
  const run = (bytes: Uint8Array, rows: readonly Row[]): Answered => {
    const file = join(folder, 'model.onnx');
    writeFileSync(file, bytes);
    const input = columnsOf(rows);
    return JSON.parse(execFileSync(python, [here('python/columns.py'), file], { input, encoding: 'utf8' }));
  };
  try {
    const random = seeded(1);
    const train = rowsOf(2000, 24, random);
    const test = rowsOf(500, 30, random);
    const columns = { grade: { order: ['low', 'mid', 'high'] } };
    const regressor = new FastKMeansRegressor({ backend, columns });
    await regressor.fit(train, train.map(worthOf));
    const classifier = new FastKMeansClassifier({ backend, columns });
    await classifier.fit(
      train,
      train.map((row) => (worthOf(row) > 2 ? 'high' : 'low')),
    );

    const values = run(exportOnnx(regressor), test);
    const classes = run(exportOnnx(classifier), test);
    const difference = (own: ArrayLike<number>, other: Answered['answers'][string] | undefined): number =>
      Math.max(
        ...Array.from(own, (value, i) => Math.abs(value - Number(other?.[i])) / Math.max(1, Math.abs(value))),
      );
    const own = [...(await classifier.predict(test)).data];
    const others = own.filter((label, i) => label !== classes.answers.label?.[i]).length;
    const results = [
      ['regressor', 'difference', difference((await regressor.predict(test)).data, values.answers.variable)],
      [
        'classifier',
        'difference',
        difference((await classifier.predictProba(test)).data, classes.answers.probabilities),
      ],
      ['classifier', 'other labels', others],
    ] as const;
    console.log(`${test.length} rows, ${backendName} against ${values.version} in Python`);
    console.log(formatTable(['estimator', 'measure', 'largest'], results));
    example(python);
    printResults(
      results.map(([estimator, measure, value]) => ({
        bench: 'columns',
        estimator,
        measure,
        backend: backendName,
        against: values.version,
        value,
      })),
    );
    if (others > 0 || results.some(([, , value]) => !(value <= tolerance)))
      throw new Failure(
        `Python's onnxruntime answers otherwise than predict; allowed are ${tolerance} and no other label.`,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs examples/predict.py on the model of examples/train.mjs. Errors: Failure if they do not print the same. */
function example(python: string): void {
  const file = (name: string): string => here(`../../../examples/${name}`);
  const wanted = execFileSync(process.execPath, [file('train.mjs')], { encoding: 'utf8' });
  const found = execFileSync(python, [file('predict.py')], { encoding: 'utf8' });
  console.log(`examples/predict.py: ${found.trim()}`);
  if (found !== wanted) throw new Failure(`examples/predict.py prints ${found}, the model answers ${wanted}`);
}

// `bench stream --drift`: electricity in time order, each batch predicted before it is learned, against neighbours among the rows
// just before.

import { FastKMeansClassifier } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { nearestRows } from './nearest-neighbours.ts';
import { formatTable, printResults, rounded } from './report.ts';
import { openSet } from './stored.ts';

export interface DriftOptions {
  readonly backend: BackendName;
  readonly data: string;
}

/** Rows in a batch, rows for initialisation, and recent rows among which neighbours are searched. */
const [batchRows, startRows, recent] = [50, 500, 5000];

interface Sides {
  readonly name: string;
  readonly options: object;
  readonly gradients: boolean;
}

const sides: readonly Sides[] = [
  { name: 'phase 1', options: {}, gradients: false },
  { name: 'phase 1, halfLife 1000', options: { halfLife: 1000 }, gradients: false },
  { name: 'phase 1 and a gradient step', options: {}, gradients: true },
  { name: 'phase 1 and a gradient step, halfLife 1000', options: { halfLife: 1000 }, gradients: true },
];

export async function benchDrift({ backend: name, data: folder }: DriftOptions): Promise<void> {
  const { arrays } = await openSet('electricity', folder);
  const X = Float32Array.from(arrays.X?.data ?? []);
  const y = Int32Array.from(arrays.y?.data ?? []);
  const [rows, columns] = [y.length, X.length / y.length];
  const part = (begin: number, end: number) =>
    ({ data: X.subarray(begin * columns, end * columns), shape: [end - begin, columns] }) as const;
  const table: (string | number)[][] = [];
  const report = (side: string, right: number): void => {
    const value = rounded(right / (rows - startRows));
    table.push([side, value]);
    printResults([{ case: 'stream', set: 'electricity', side, metric: 'prequential accuracy', value }]);
  };

  // In favour of the neighbours: standardised by all rows, including future ones.
  const units = standardised(X, columns);
  const near = (begin: number, end: number) =>
    ({ data: units.subarray(begin * columns, end * columns), shape: [end - begin, columns] }) as const;
  let right = 0;
  for (let begin = startRows; begin < rows; begin += batchRows) {
    const end = Math.min(rows, begin + batchRows);
    const from = Math.max(0, begin - recent);
    const found = nearestRows(near(from, begin), near(begin, end), 5);
    for (let i = begin; i < end; i++) {
      let votes = 0;
      for (let k = 0; k < 5; k++) votes += y[from + (found[(i - begin) * 5 + k] as number)] as number;
      if (Number(votes > 2) === y[i]) right++;
    }
  }
  report('5 neighbours, last 5,000 rows', right);

  const backend = await openBackend(name);
  try {
    for (const { name: side, options, gradients } of sides) {
      const model = new FastKMeansClassifier({ backend, ...options });
      await model.fitBatch(part(0, startRows), y.subarray(0, startRows));
      let hits = 0;
      for (let begin = startRows; begin < rows; begin += batchRows) {
        const end = Math.min(rows, begin + batchRows);
        const [batch, labels] = [part(begin, end), y.subarray(begin, end)];
        const { data } = await model.predict(batch);
        labels.forEach((label, i) => {
          if (data[i] === label) hits++;
        });
        await model.fitBatch(batch, labels);
        if (gradients) await model.fitBatch(batch, labels, { gradientStep: true });
      }
      report(side, hits);
    }
  } finally {
    await backend.dispose();
  }
  console.log(formatTable(['electricity, in time order', 'prequential accuracy'], table));
}

function standardised(X: Float32Array, columns: number): Float32Array {
  const rows = X.length / columns;
  const out = new Float32Array(X.length);
  for (let j = 0; j < columns; j++) {
    let [sum, squares] = [0, 0];
    for (let i = j; i < X.length; i += columns) sum += X[i] as number;
    for (let i = j; i < X.length; i += columns) squares += ((X[i] as number) - sum / rows) ** 2;
    const deviation = Math.sqrt(squares / rows) || 1;
    for (let i = j; i < X.length; i += columns) out[i] = ((X[i] as number) - sum / rows) / deviation;
  }
  return out;
}

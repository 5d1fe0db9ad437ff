// `bench inertia`: inertia and time of clustering raw rows, against scikit-learn's KMeans with one start, and other npm packages if
// they finish.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, FastKMeansClusterer } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { inertiaOf, packages, toPoints } from './javascript.ts';
import { Python } from './python.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import type { Rows } from './rows.ts';
import { covertype } from './sets.ts';
import { flat, openSet, type Stored } from './stored.ts';

type Arrays = Readonly<Record<string, Stored>>;

const sets: Readonly<Record<string, (arrays: Arrays) => Rows>> = {
  letter: ({ X }) => flat(X as Stored),
  shuttle: ({ X }) => flat(X as Stored),
  covertype_93k: covertype,
  sift_5k: ({ X }) => flat(X as Stored),
};

export const clusteredSets: readonly string[] = Object.keys(sets);

export interface InertiaOptions {
  readonly backend: BackendName;
  readonly sets: readonly string[];
  readonly clusters: readonly number[];
  readonly seeds: readonly number[];
  /** Standardise the columns. */
  readonly standardised: boolean;
  readonly folder: string;
}

/** Largest allowed ratio of our inertia to scikit-learn's mean. */
const allowed = { lloyd: 1.01, ema: 1.03 } as const;
type Algorithm = keyof typeof allowed;

/** Largest N·K·D for npm packages, with one seed: a pass of theirs takes about a second. */
const mostProducts = 1e8;
/** Most passes of every side. */
const mostPasses = 300;

interface Run {
  readonly inertia: number;
  readonly seconds: number;
  readonly passes: number;
}

function standardise({ data, shape }: Rows): Rows {
  const [rows, columns] = shape;
  const out = new Float32Array(data.length);
  for (let j = 0; j < columns; j++) {
    let [sum, squares] = [0, 0];
    for (let i = 0; i < rows; i++) sum += data[i * columns + j] as number;
    const mean = sum / rows;
    for (let i = 0; i < rows; i++) squares += ((data[i * columns + j] as number) - mean) ** 2;
    const deviation = Math.sqrt(squares / rows) || 1;
    for (let i = 0; i < rows; i++) {
      out[i * columns + j] = ((data[i * columns + j] as number) - mean) / deviation;
    }
  }
  return { data: out, shape };
}

async function ours(
  backend: Backend,
  X: Rows,
  clusters: number,
  seed: number,
  algorithm: Algorithm,
): Promise<Run> {
  const begin = performance.now();
  const model = new FastKMeansClusterer({ backend, kInit: clusters, algorithm, randomState: seed });
  await model.fit(X);
  return { inertia: model.inertia, seconds: (performance.now() - begin) / 1000, passes: model.nIter };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const means = (runs: readonly Run[]): Run => ({
  inertia: mean(runs.map(({ inertia }) => inertia)),
  seconds: mean(runs.map(({ seconds }) => seconds)),
  passes: mean(runs.map((run) => run.passes)),
});

export async function benchInertia(options: InertiaOptions): Promise<void> {
  const { seeds, standardised } = options;
  const backend = await openBackend(options.backend);
  // If there are two, the one with the right kernels for the processor.
  const pythons = await Python.start('inertia.py', 'sklearn');
  const python = pythons[pythons.length - 1];
  const folder = await mkdtemp(join(tmpdir(), 'fkm-bench-'));
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  try {
    for (const name of options.sets) {
      const { arrays } = await openSet(name, options.folder);
      const raw = (sets[name] as (arrays: Arrays) => Rows)(arrays);
      const X = standardised ? standardise(raw) : raw;
      const [rows, columns] = X.shape;
      await writeFile(join(folder, 'rows'), X.data);
      await python?.ask({ rows: join(folder, 'rows'), columns });
      for (const clusters of options.clusters) {
        const runs: Record<string, Run[]> = {};
        const note = (side: string, run: Run): void => {
          runs[side] = [...(runs[side] ?? []), run];
        };
        for (const seed of seeds) {
          for (const algorithm of ['lloyd', 'ema'] as const) {
            note(algorithm, await ours(backend, X, clusters, seed, algorithm));
          }
          if (python) note(python.name, await python.ask<Run>({ clusters, seed }));
        }
        if (rows * columns * clusters <= mostProducts) {
          for (const [side, run] of Object.entries(npmRuns(X, clusters))) note(side, run);
        }
        const theirs = python && means(runs[python.name] as Run[]);
        console.log(
          `${name}, K = ${clusters}: ${Object.entries(runs)
            .map(([side, all]) => `${side} ${means(all).inertia.toPrecision(6)}`)
            .join(', ')}`,
        );
        for (const [side, all] of Object.entries(runs)) {
          const { inertia, seconds, passes } = means(all);
          const relative = theirs ? inertia / theirs.inertia : 1;
          const limit = allowed[side as Algorithm];
          table.push([
            name,
            clusters,
            side,
            inertia.toPrecision(6),
            theirs ? relative.toFixed(4) : '',
            limit && theirs ? (relative <= limit ? 'yes' : `no, ${limit}`) : '',
            seconds.toFixed(2),
            passes.toFixed(0),
          ]);
          results.push({
            ...{ case: 'inertia', backend: options.backend, set: name, standardised: String(standardised) },
            ...{ clusters, side, metric: 'inertia', value: rounded(inertia) },
            ...(theirs ? { against: python.name, relative: rounded(relative) } : {}),
            ...{ seconds: rounded(seconds), seeds: all.length },
          });
        }
      }
    }
  } finally {
    for (const child of pythons) child.close();
    await rm(folder, { recursive: true });
    await backend.dispose();
  }
  console.log(
    `mean inertia over seeds ${seeds.join(', ')}, ${standardised ? 'standardised' : 'raw'} columns, one start a seed`,
  );
  if (!python) {
    console.log('scikit-learn is not installed (python3-sklearn, or pip): there is nothing to compare with.');
  }
  const head = ['set', 'K', 'side', 'inertia', '/ scikit-learn', 'within', 'seconds', 'passes'];
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
}

/** Runs each npm package once. */
function npmRuns({ data, shape }: Rows, clusters: number): Record<string, Run> {
  const points = toPoints(data, shape[1]);
  return Object.fromEntries(
    Object.entries(packages).map(([name, kMeans]) => {
      const begin = performance.now();
      const clustering = kMeans(points, clusters, mostPasses);
      const seconds = (performance.now() - begin) / 1000;
      return [name, { inertia: inertiaOf(points, clustering), seconds, passes: Number.NaN }];
    }),
  );
}

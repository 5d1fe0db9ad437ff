// `bench speed --case lloyd`: k-means passes from given centers, exact and by batches, against scikit-learn's KMeans and
// MiniBatchKMeans, and one exact pass of other npm packages.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, FastKMeansClusterer } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { timesOf } from './interleave.ts';
import { inertiaOf, type Points, packages, toPoints } from './javascript.ts';
import { Python } from './python.ts';
import { seeded, uniformArray } from './random.ts';
import { formatTable, printResults, type Result } from './report.ts';
import { compare, measure, type Versus } from './versus.ts';

const [rows, columns] = [200_000, 64];
const clusterCounts = [256, 1024];
/** Passes in a fit; its whole time, including checks, is divided by them. */
const passes = 10;
/** Rows in a batch, on both sides. */
const batchRows = 10_240;

type Algorithm = 'lloyd' | 'ema';
const rivals = { lloyd: 'KMeans', ema: 'MiniBatchKMeans' } as const;

interface Answer {
  readonly milliseconds: number;
  readonly inertia: number;
  readonly passes: number;
}

async function timedFit(
  backend: Backend,
  X: Float32Array,
  centers: Float32Array,
  algorithm: Algorithm,
): Promise<Answer> {
  const start = performance.now();
  const model = new FastKMeansClusterer({
    backend,
    algorithm,
    batchSize: batchRows,
    initMode: { prototypes: { data: centers, shape: [centers.length / columns, columns] } },
  });
  await model.fit({ data: X, shape: [rows, columns] }, { maxIters: passes, tol: 0 });
  return {
    milliseconds: performance.now() - start,
    inertia: model.inertia,
    passes: model.nIter,
  };
}

export async function benchLloyd(backendName: BackendName, rounds: number): Promise<void> {
  const backend = await openBackend(backendName);
  const pythons = await Python.start('lloyd.py', 'sklearn');
  const folder = await mkdtemp(join(tmpdir(), 'fkm-bench-'));
  const [rowFile, centerFile] = ['rows', 'centers'].map((name) => join(folder, name)) as [string, string];
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  try {
    const X = uniformArray(rows * columns, seeded(7));
    await writeFile(rowFile, X);
    for (const python of pythons) await python.ask({ rows: rowFile, columns });
    for (const clusters of clusterCounts) {
      const centers = X.slice(0, clusters * columns);
      await writeFile(centerFile, centers);
      for (const python of pythons) await python.ask({ centers: centerFile });
      for (const algorithm of ['lloyd', 'ema'] as const) {
        let inertia = 0;
        const ours = async (): Promise<number> => {
          const answer = await timedFit(backend, X, centers, algorithm);
          inertia = answer.inertia;
          return answer.milliseconds;
        };
        const theirs: number[] = [];
        const opponents = pythons.map((python, i) => ({
          name: `${rivals[algorithm]}, ${python.name}`,
          side: async () => {
            const answer = await python.ask<Answer>({ algorithm, passes, batch: batchRows });
            theirs[i] = answer.inertia;
            return answer.milliseconds;
          },
        }));
        const versus = await measure(ours, opponents, rounds);
        const rest = algorithm === 'lloyd' ? onePass(toPoints(X, columns), clusters) : [];
        const labels = { case: 'lloyd', backend: backendName, rows, columns, clusters, algorithm };
        results.push(...compare(versus, { ...labels, passes }, passes));
        results.push(...rest.map(({ name, milliseconds }) => ratioTo(versus, name, milliseconds, labels)));
        const own = { name: `${backend.name}, ${algorithm}`, times: versus.ours };
        const sides = [own, ...versus.theirs].map(({ name, times }) => ({
          name,
          min: times.min / passes,
          median: times.median / passes,
        }));
        const others = rest.map(({ name, milliseconds }) => ({ name, ...timesOf([milliseconds]) }));
        [...sides, ...others].forEach(({ name, min, median }, i) => {
          table.push([
            clusters,
            name,
            min.toFixed(0),
            median.toFixed(0),
            i === 0 ? '' : (min / (sides[0] as { min: number }).min).toFixed(2),
            i === 0 ? '' : (median / (sides[0] as { median: number }).median).toFixed(2),
            // Also checks the results: a side that computed something else would have another inertia.
            i === 0 || i > theirs.length ? '' : ((theirs[i - 1] as number) / inertia).toFixed(6),
          ]);
        });
      }
    }
  } finally {
    for (const python of pythons) python.close();
    await rm(folder, { recursive: true });
    await backend.dispose();
  }
  console.log(
    `a pass over ${rows} rows, D = ${columns}, in fits of ${passes} passes from given centers, batches of ${batchRows} rows, ${rounds} rounds`,
  );
  if (pythons.length === 0) {
    console.log('scikit-learn is not installed (python3-sklearn, or pip): only our side was measured.');
  }
  const head = ['K', 'side', 'min ms', 'median ms', 'of minima', 'of medians', 'inertia / ours'];
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
}

/** One exact pass of each npm package, timed once: they take a hundred times as long. */
function onePass(points: Points, clusters: number): { name: string; milliseconds: number }[] {
  const start = points.slice(0, clusters);
  return Object.entries(packages).map(([name, kMeans]) => {
    const begin = performance.now();
    const clustering = kMeans(points, clusters, 1, start);
    const milliseconds = performance.now() - begin;
    if (!(inertiaOf(points, clustering) > 0)) throw new Error(`${name} clustered nothing`);
    return { name, milliseconds };
  });
}

function ratioTo(
  { ours }: Versus,
  against: string,
  milliseconds: number,
  labels: Readonly<Record<string, string | number>>,
): Result {
  const alone = timesOf([milliseconds * passes]);
  const [result] = compare({ ours, theirs: [{ name: against, times: alone }] }, labels, passes);
  return result as Result;
}

// `bench speed --case assign`: the nearest of K prototypes for N rows, against scikit-learn's KMeans.predict.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend, Value } from '@fkm/core';
import { BATCH, ndarray, nearest, simplify, trace } from '@fkm/core/graph';
import { type BackendName, openBackend } from './backends.ts';
import type { Side } from './interleave.ts';
import { Python } from './python.ts';
import { seeded, uniformArray } from './random.ts';
import { formatTable, printResults, type Result } from './report.ts';
import { compare, measure } from './versus.ts';

const [rows, columns] = [200_000, 64];
const prototypeCounts = [256, 1024];

/**
 * Rows in a run, the best of 256 to 8192 at both sizes: threads synchronise at every node, so fewer, larger blocks wait less.
 * Distances of a block take 32 MB at K = 1024; with less shared cache, smaller blocks may be faster.
 */
const blockRows = 8192;

/** Nearest prototypes of all rows, block by block into `into`. */
async function assigner(
  backend: Backend,
  prototypes: Float32Array,
): Promise<(X: Float32Array, into: Int32Array) => Promise<void>> {
  const count = prototypes.length / columns;
  const specs = {
    x: { shape: [BATCH, columns], dtype: 'float32' },
    prototypes: { shape: [count, columns], dtype: 'float32' },
  } as const;
  const graph = trace('assign', specs, ({ x, prototypes }) => ({
    index: nearest({ distance: 'euclidean', x, prototypes }).index,
  }));
  const executable = await backend.compile(simplify(graph));
  const grid = backend.upload(ndarray(prototypes, [count, columns]));
  return async (X, into) => {
    for (let begin = 0; begin < into.length; begin += blockRows) {
      const end = Math.min(into.length, begin + blockRows);
      const block = {
        data: X.subarray(begin * columns, end * columns),
        shape: [end - begin, columns],
        dtype: 'float32',
      } as const;
      const x = backend.upload(block);
      const [index] = (await executable.run([x, grid])) as [Value];
      into.set(await index.read(), begin);
      x.dispose();
      index.dispose();
    }
  };
}

export async function benchAssign(backendName: BackendName, rounds: number): Promise<void> {
  const backend = await openBackend(backendName);
  const pythons = await Python.start('assign.py', 'sklearn');
  const folder = await mkdtemp(join(tmpdir(), 'fkm-bench-'));
  const [rowFile, gridFile, labelFile] = ['rows', 'prototypes', 'labels'].map((name) =>
    join(folder, name),
  ) as Files;
  const uniform = seeded(7);
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  try {
    const X = uniformArray(rows * columns, uniform);
    await writeFile(rowFile, X);
    for (const python of pythons) await python.ask({ rows: rowFile, columns });
    for (const count of prototypeCounts) {
      const prototypes = uniformArray(count * columns, uniform);
      await writeFile(gridFile, prototypes);
      for (const python of pythons) await python.ask({ prototypes: gridFile });
      const assign = await assigner(backend, prototypes);
      const index = new Int32Array(rows);
      const ours: Side = async () => {
        const start = performance.now();
        await assign(X, index);
        return performance.now() - start;
      };
      const opponents = pythons.map((python) => ({
        name: python.name,
        side: async () => (await python.ask<{ milliseconds: number }>({})).milliseconds,
      }));
      const versus = await measure(ours, opponents, rounds);
      // Also checks the answers: a row that either side got wrong would show.
      let differing = 0;
      if (pythons[0]) {
        await pythons[0].ask({ labels: labelFile });
        differing = countDiffering(index, await readFile(labelFile));
      }
      const labels = { case: 'assign', backend: backendName, rows, columns, prototypes: count };
      results.push(...compare(versus, { ...labels, checksum: checksum(index), differing }));
      for (const { name, times } of [{ name: backend.name, times: versus.ours }, ...versus.theirs]) {
        const speed = (2 * rows * columns * count) / times.min / 1e6;
        const ratio = times === versus.ours ? '' : (times.median / versus.ours.median).toFixed(2);
        table.push([
          count,
          name,
          times.min.toFixed(0),
          times.median.toFixed(0),
          speed.toFixed(0),
          ratio,
          differing,
        ]);
      }
    }
  } finally {
    for (const python of pythons) python.close();
    await rm(folder, { recursive: true });
    await backend.dispose();
  }
  console.log(
    `nearest prototype of ${rows} rows, D = ${columns}, blocks of ${blockRows} rows, ${rounds} rounds`,
  );
  if (pythons.length === 0) {
    console.log('scikit-learn is not installed (python3-sklearn, or pip): only our side was measured.');
  }
  const head = ['K', 'side', 'min ms', 'median ms', 'GFLOP/s', 'ratio', 'rows that differ'];
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
}

type Files = [rows: string, prototypes: string, labels: string];

/** Number of rows that differ. Rows of nearly equal distances may; more than a few would mean a different computation. */
function countDiffering(ours: Int32Array, bytes: Buffer): number {
  return ours.reduce((sum, own, i) => sum + (own === bytes.readInt32LE(4 * i) ? 0 : 1), 0);
}

/** A number that depends on every answer. */
const checksum = (index: Int32Array): number => index.reduce((sum, own) => (Math.imul(sum, 31) + own) | 0, 0);

// `bench speed --case index`: the 5 nearest of K prototypes for rows near them, by an index and by exact search: queries a second,
// recall, seconds of a build, bytes. Also against usearch; and at equal recall against hnswlib-node and, in Chromium, hnswlib-wasm,
// if HNSWLIB_NODE and HNSWLIB_WASM name their folders.

import { createRequire } from 'node:module';
import type { Backend, Points, Value } from '@fkm/core';
import { BATCH, ndarray, simplify, topKSimilar, trace } from '@fkm/core/graph';
import { hnswIndex } from '@fkm/index-hnsw';
import { type BackendName, openBackend } from './backends.ts';
import { type Contender, leastEf, neighbours, type Outcome, recall } from './equal-recall.ts';
import { hnswlibWasm } from './index-browser.ts';
import { interleave, type Side, type Times } from './interleave.ts';
import { seeded } from './random.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';

export interface IndexOptions {
  readonly prototypes: readonly number[];
  readonly columns: readonly number[];
}

const rows = 1000;
/** Prototypes in a cluster, on average. */
const perCluster = 100;
/** Distances in a column: clusters are 1 apart, prototypes .5 in a cluster, rows .25 from a prototype. */
const [spread, away] = [0.5, 0.25];
/** Similarities of a block of the exact search, 64 MB. */
const blockCells = 1 << 24;
/** Entries of the exact search that is timed: its time a row does not depend on their number. */
const exactCells = 2e8;

export async function benchIndex(
  backendName: BackendName,
  rounds: number,
  { prototypes, columns }: IndexOptions,
): Promise<void> {
  const backend = await openBackend(backendName);
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  try {
    for (const width of columns) {
      for (const count of prototypes) {
        for (const side of await benchOne(backend, count, width, rounds)) {
          const { name, times, recall, build, note } = side;
          const perQuery = (milliseconds: number): number => (1000 * milliseconds) / side.rows;
          table.push([
            width,
            count,
            name,
            perQuery(times.min).toFixed(1),
            perQuery(times.median).toFixed(1),
            Math.round(1e6 / perQuery(times.min)),
            recall.toFixed(4),
            build === undefined ? '' : build.toFixed(1),
            note,
          ]);
          results.push({
            case: 'index',
            backend: backendName,
            columns: width,
            prototypes: count,
            side: name,
            metric: 'queries a second',
            value: rounded(1e6 / perQuery(times.median)),
            ofMinimum: rounded(1e6 / perQuery(times.min)),
            recall: rounded(recall),
            ...(build === undefined ? {} : { buildSeconds: rounded(build) }),
          });
        }
        console.log(`${formatTable(head, table)}\n`);
      }
    }
  } finally {
    await backend.dispose();
  }
  printResults(results);
}

const head = ['D', 'K', 'side', 'min µs', 'median µs', 'queries/s', 'recall@5', 'build s', ''];

async function benchOne(backend: Backend, count: number, width: number, rounds: number): Promise<Outcome[]> {
  const grid = prototypesOf(count, width);
  const queries = rowsNear(grid);
  const exact = await exactSearch(backend, grid);
  try {
    const truth = await exact.find(queries);
    const portable = await ours(grid);
    const recallOf = async ({ find }: Contender): Promise<number> => recall(await find(queries), truth);
    const timed = Math.max(8, Math.min(rows, Math.floor(exactCells / (count * Math.sqrt(width / 32)))));
    const rival = await hnswlib(grid, queries, truth);
    const equal = rival ? [await leastEf(portable, queries, truth), rival] : [];
    const others = [await usearch(grid), ...equal];
    const contenders: Contender[] = [
      portable,
      { name: backend.name, note: `exact, ${timed} rows`, build: undefined, find: exact.find, rows: timed },
      ...others.filter((other) => other !== null),
    ];
    const sides = contenders.map(({ find, rows: n }, i): [string, Side] => [
      String(i),
      async () => {
        const part = { data: queries.data.subarray(0, n * width), shape: [n, width] } as const;
        const start = performance.now();
        const found = await find(part);
        const milliseconds = performance.now() - start;
        if (found.length !== n * neighbours) throw new Error('a side found too little');
        return milliseconds;
      },
    ]);
    const times = await interleave(Object.fromEntries(sides), rounds);
    const outcomes: Outcome[] = [];
    for (const [i, contender] of contenders.entries()) {
      outcomes.push({ ...contender, times: times[i] as Times, recall: await recallOf(contender) });
    }
    return [...outcomes, ...(await hnswlibWasm(grid, queries, truth, rounds))];
  } finally {
    exact.dispose();
  }
}

/** Standard normal numbers, two at a time (Box–Muller). */
function normals(seed: number): () => number {
  const uniform = seeded(seed);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function prototypesOf(count: number, width: number): Points {
  const [uniform, normal] = [seeded(count + width), normals(7)];
  const clusters = Math.ceil(count / perCluster);
  const centers = Float32Array.from({ length: clusters * width }, normal);
  const data = new Float32Array(count * width);
  for (let k = 0; k < count; k++) {
    const cluster = Math.floor(uniform() * clusters);
    for (let j = 0; j < width; j++) {
      data[k * width + j] = (centers[cluster * width + j] as number) + spread * normal();
    }
  }
  return { data, shape: [count, width] };
}

function rowsNear({ data, shape: [count, width] }: Points): Points {
  const [uniform, normal] = [seeded(8), normals(9)];
  const out = new Float32Array(rows * width);
  for (let i = 0; i < rows; i++) {
    const near = Math.floor(uniform() * count) * width;
    for (let j = 0; j < width; j++) out[i * width + j] = (data[near + j] as number) + away * normal();
  }
  return { data: out, shape: [rows, width] };
}

/** What core does without an index: similarities to all prototypes, and the largest of them, in blocks. */
async function exactSearch(
  backend: Backend,
  { data, shape: [count, width] }: Points,
): Promise<{ find: Contender['find']; dispose: () => void }> {
  const specs = {
    x: { shape: [BATCH, width], dtype: 'float32' },
    prototypes: { shape: [count, width], dtype: 'float32' },
  } as const;
  const graph = trace('nearest', specs, ({ x, prototypes }) => ({
    index: topKSimilar({ distance: 'euclidean', x, prototypes }, neighbours).index,
  }));
  const executable = await backend.compile(simplify(graph));
  const grid = backend.upload(ndarray(data, [count, width]));
  const blockRows = Math.max(1, Math.min(8192, Math.floor(blockCells / count)));
  return {
    dispose: () => {
      grid.dispose();
      executable.dispose();
    },
    async find({ data: X, shape: [n] }) {
      const out = new Int32Array(n * neighbours);
      for (let begin = 0; begin < n; begin += blockRows) {
        const end = Math.min(n, begin + blockRows);
        const x = backend.upload(ndarray(X.subarray(begin * width, end * width), [end - begin, width]));
        const [index] = (await executable.run([x, grid])) as [Value];
        out.set(await index.read(), begin * neighbours);
        x.dispose();
        index.dispose();
      }
      return out;
    },
  };
}

/** Seconds of a build, announced by a line: a million prototypes take minutes. */
async function timed(
  name: string,
  { shape: [count, width] }: Points,
  work: () => Promise<void>,
): Promise<number> {
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  console.log(`${name} of ${count} × ${width} built in ${seconds.toFixed(1)} s`);
  return seconds;
}

async function ours(grid: Points): Promise<Contender> {
  const index = hnswIndex();
  const build = await timed('hnswIndex', grid, () => index.build(grid));
  const find = async (X: Points, ef?: number): Promise<Int32Array> =>
    (await index.search(X, neighbours, ef === undefined ? {} : { ef })).indices;
  return { name: 'hnswIndex', note: index.kernel, build, find, rows };
}

async function usearch(grid: Points): Promise<Contender | null> {
  const index = hnswIndex({ engine: 'usearch' });
  try {
    const build = await timed('usearch', grid, () => index.build(grid));
    const find = async (X: Points): Promise<Int32Array> => (await index.search(X, neighbours)).indices;
    return { name: 'usearch', note: '1 thread', build, find, rows };
  } catch (error) {
    console.log(`without usearch: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The part of hnswlib-node that is used. */
interface Hnswlib {
  readonly HierarchicalNSW: new (
    space: 'l2',
    width: number,
  ) => {
    initIndex(count: number, m: number, efConstruction: number, seed: number): void;
    addPoint(point: number[], place: number): void;
    setEf(ef: number): void;
    searchKnn(row: number[], count: number): { readonly neighbors: number[] };
  };
}

async function hnswlib(grid: Points, queries: Points, truth: ArrayLike<number>): Promise<Contender | null> {
  const folder = process.env.HNSWLIB_NODE;
  if (!folder) return null;
  const { HierarchicalNSW } = createRequire(import.meta.url)(folder) as Hnswlib;
  const [count, width] = grid.shape;
  const index = new HierarchicalNSW('l2', width);
  const row = ({ data }: Points, i: number): number[] =>
    Array.from(data.subarray(i * width, (i + 1) * width));
  const build = await timed('hnswlib-node', grid, async () => {
    index.initIndex(count, 16, 100, 1);
    for (let k = 0; k < count; k++) index.addPoint(row(grid, k), k);
  });
  const arrays = Array.from({ length: rows }, (_, i) => row(queries, i));
  // It takes rows as arrays of numbers; converting them is not timed.
  const find = async ({ shape: [n] }: Points, ef?: number): Promise<number[]> => {
    if (ef !== undefined) index.setEf(ef);
    return arrays
      .slice(0, n)
      .flatMap((query) => index.searchKnn(query, neighbours).neighbors.slice(0, neighbours));
  };
  const best = await leastEf({ name: 'hnswlib-node', note: '', build, find, rows }, queries, truth);
  return { ...best, build };
}

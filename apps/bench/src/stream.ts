// `bench stream`: reads files and a database in batches, and runs a pass of phase 1 on them. Each measure runs in its own process,
// whose peak memory is read at its end.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FastKMeansClusterer } from '@fkm/core';
import { csv, parquet, type TableSource } from '@fkm/data';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { again } from './process.ts';
import { formatTable, printResults, rounded } from './report.ts';

export const streamMeasures = ['empty', 'parquet', 'parquet-url', 'csv', 'postgres', 'pass'] as const;
type Measure = (typeof streamMeasures)[number];

export interface StreamOptions {
  readonly rows: number;
  readonly backend: BackendName;
  /** A single measure to run in this process; for child processes of the bench. */
  readonly alone?: Measure;
}

const columns = 16;
const folder = join(tmpdir(), 'fkm-bench-stream');
const fileOf = (rows: number, ending: string): string => join(folder, `${rows}.${ending}`);

/** Rows of sixteen floats around 64 centers, the same in every run. */
const queryOf = (rows: number): string =>
  `SELECT ${Array.from(
    { length: columns },
    (_, j) =>
      `((hash((i % 64) * 16 + ${j}) % 1000) / 250.0 + (hash(i * 16 + ${j}) % 100003) / 100003.0)::FLOAT AS f${j}`,
  ).join(', ')} FROM range(${rows}) t(i)`;

/** Written to another name first, so that an interrupted bench leaves no partial file. */
async function generate(rows: number, ending: 'parquet' | 'csv'): Promise<void> {
  const file = fileOf(rows, ending);
  if (existsSync(file)) return;
  mkdirSync(folder, { recursive: true });
  // Imported here, so that an empty process stays empty.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const db = await DuckDBInstance.create(':memory:');
  const connection = await db.connect();
  const format = ending === 'csv' ? '(FORMAT csv, HEADER)' : '(FORMAT parquet)';
  await connection.run(`COPY (${queryOf(rows)}) TO '${file}.part' ${format}`);
  connection.closeSync();
  db.closeSync();
  renameSync(`${file}.part`, file);
}

interface Measured {
  readonly rows: number;
  readonly seconds: number;
  readonly peak: number;
}

const peakMB = (): number => process.resourceUsage().maxRSS / 1024;

async function drain(source: TableSource): Promise<number> {
  let rows = 0;
  for await (const { X } of source) rows += X.shape[0];
  await source.close();
  return rows;
}

async function timed(run: () => Promise<number>): Promise<Omit<Measured, 'peak'>> {
  const begin = performance.now();
  const rows = await run();
  return { rows, seconds: (performance.now() - begin) / 1000 };
}

const measures: Readonly<Record<Measure, (options: StreamOptions) => Promise<Omit<Measured, 'peak'>>>> = {
  empty: async () => ({ rows: 0, seconds: 0 }),
  parquet: async ({ rows }) => timed(async () => drain(await parquet(fileOf(rows, 'parquet')))),
  'parquet-url': async ({ rows }) => {
    const { openAsBlob } = await import('node:fs');
    const blob = await openAsBlob(fileOf(rows, 'parquet'));
    return timed(async () => drain(await parquet(blob)));
  },
  csv: async ({ rows }) => timed(async () => drain(await csv(fileOf(rows, 'csv')))),
  postgres: async ({ rows }) => {
    const { startPostgres } = await import('../../../packages/data/src/postgres-server.ts');
    const { postgres } = await import('@fkm/data');
    const server = await startPostgres();
    try {
      const names = Array.from({ length: columns }, (_, j) => `(i % ${j + 7})::float4 AS f${j}`).join(', ');
      await server.query(`CREATE TABLE rows AS SELECT ${names} FROM generate_series(1, ${rows}) t(i)`);
      return await timed(async () => drain(await postgres(server.connection, 'rows')));
    } finally {
      await server.stop();
    }
  },
  pass: async ({ rows, backend: name }) => {
    const backend = await openBackend(name);
    try {
      const model = new FastKMeansClusterer({ backend, kInit: 256 });
      const source = await parquet(fileOf(rows, 'parquet'));
      const measured = await timed(async () => (await model.fitStream(source)).rows);
      await source.close();
      return measured;
    } finally {
      await backend.dispose();
    }
  },
};

/** Runs one measure in a new process. */
function inOwnProcess(measure: Measure, { backend }: StreamOptions, rows: number): Measured {
  const args = ['stream', '--alone', measure, '--rows', String(rows), '--backend', backend];
  return again<Measured>(args);
}

/** scikit-learn fed from the same file by pyarrow, the fastest of its runs; null if one of them is not installed. */
function scikitLearn(rows: number): (Measured & { version: string }) | null {
  const script = fileURLToPath(new URL('python/stream.py', import.meta.url));
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  // An OpenBLAS older than the processor uses kernels of 2004 unless told better ones.
  const better = flags.includes(' avx512f') ? 'SkylakeX' : flags.includes(' avx2') ? 'Haswell' : undefined;
  let best: (Measured & { version: string }) | null = null;
  for (const kernels of better ? ['', better] : ['']) {
    const env = { ...process.env, ...(kernels ? { OPENBLAS_CORETYPE: kernels } : {}) };
    for (const python of ['/usr/bin/python3', 'python3']) {
      const { status, stdout } = spawnSync(python, [script, fileOf(rows, 'parquet')], {
        encoding: 'utf8',
        env,
      });
      if (status !== 0) continue;
      const run = JSON.parse(stdout) as Measured & { version: string };
      const version = `${run.version}${kernels && ` as ${kernels}`}`;
      if (!best || run.seconds < best.seconds) best = { ...run, version };
      break;
    }
  }
  return best;
}

export async function benchStream(options: StreamOptions): Promise<void> {
  if (options.alone) {
    const measured = await measures[options.alone](options);
    console.log(JSON.stringify({ ...measured, peak: peakMB() }));
    return;
  }
  const { rows } = options;
  const less = Math.max(1, Math.round(rows / 10));
  for (const count of [rows, less]) await generate(count, 'parquet');
  await generate(less, 'csv');
  const empty = inOwnProcess('empty', options, 1);
  const table: (string | number)[][] = [['empty process', '', '', rounded(empty.peak), '']];
  const speeds = new Map<string, number>();
  const runs: readonly (readonly [Measure, number])[] = [
    ['parquet', less],
    ['parquet', rows],
    ['pass', less],
    ['pass', rows],
    ['parquet-url', less],
    ['csv', less],
    ['postgres', less],
  ];
  for (const [measure, count] of runs) {
    const { rows: read, seconds, peak } = inOwnProcess(measure, options, count);
    if (read !== count) throw new Failure(`${measure} gave ${read} rows of ${count}.`);
    const speed = read / seconds / 1e6;
    speeds.set(`${measure} ${count}`, speed);
    table.push([measure, count, rounded(speed), rounded(peak), rounded(peak - empty.peak)]);
    printResults([
      { case: 'stream', side: measure, rows: count, metric: 'million rows a second', value: rounded(speed) },
      {
        case: 'stream',
        side: measure,
        rows: count,
        metric: 'MB above an empty process',
        value: rounded(peak - empty.peak),
      },
    ]);
  }
  const other = scikitLearn(rows);
  if (other) {
    const speed = other.rows / other.seconds / 1e6;
    table.push([`pass, ${other.version}`, other.rows, rounded(speed), rounded(other.peak), '']);
    const ratio = rounded((speeds.get(`pass ${rows}`) as number) / speed);
    printResults([{ case: 'stream', side: 'pass', against: other.version, rows, ratio }]);
  } else console.log('scikit-learn with pyarrow is not installed: nothing to compare the pass with.');
  console.log(formatTable(['measure', 'rows', 'million rows/s', 'peak MB', 'above empty'], table));
}

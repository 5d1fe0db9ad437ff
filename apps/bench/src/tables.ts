// `bench tables`: models of tables straight from CSV files with no option but the target, next to HistGradientBoosting and LightGBM
// on the same rows.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Backend, type Cell, FastKMeansClassifier, FastKMeansRegressor } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { seeded } from './random.ts';
import { formatTable, meanOf, printResults, type Result, rounded } from './report.ts';
import { pythonWith } from './venv.ts';

type Row = Record<string, Cell>;

interface TableSet {
  readonly file: (folder: string) => string;
  readonly target: string;
  readonly classes: boolean;
  /** Columns that give the target away, or count rows. */
  readonly without: readonly string[];
  /** Each class has its share in both parts. */
  readonly stratified?: true;
  readonly seeds: number;
}

/** The quickstart has diamonds from npm. */
const published = createRequire(new URL('../../quickstart/package.json', import.meta.url));

const sets: Readonly<Record<string, TableSet>> = {
  adult: {
    file: (folder) => join(folder, 'adult/adult.csv.gz'),
    target: 'income',
    classes: true,
    without: [],
    seeds: 3,
  },
  titanic: {
    file: (folder) => join(folder, 'titanic/titanic.csv.gz'),
    target: 'survived',
    classes: true,
    without: ['boat', 'body'],
    stratified: true,
    seeds: 10,
  },
  bike_sharing_hour: {
    file: (folder) => join(folder, 'bike_sharing_hour/hour.csv.gz'),
    target: 'cnt',
    classes: false,
    without: ['casual', 'registered', 'instant'],
    seeds: 3,
  },
  diamonds: {
    file: () => published.resolve('@observablehq/sample-datasets/diamonds.csv'),
    target: 'price',
    classes: false,
    without: [],
    seeds: 3,
  },
};

export const tableSets: readonly string[] = Object.keys(sets);

export interface TablesOptions {
  readonly sets: readonly string[];
  readonly backend: BackendName;
  readonly folder: string;
}

/** Seconds, a score (accuracy or R²), and for classes the log loss. */
interface Side {
  readonly score: number;
  readonly logLoss: number;
  readonly seconds: number;
}

/** All rows, dates as texts; '?' and empty cells are missing. The line ends of hour.csv are mixed, which DuckDB's strict mode refuses. */
async function rowsOf({ file, without }: TableSet, folder: string): Promise<Row[]> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(
    `SELECT * FROM read_csv('${file(folder)}', delim = ',', quote = '"', header = true, strict_mode = false, nullstr = ['', '?'], auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR'])`,
  );
  const rows = reader.getRowObjectsJS() as Row[];
  connection.closeSync();
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !without.includes(name))),
  );
}

/** Places of the fifth of the rows that tests, of each class where the set is stratified. */
function testOf(rows: readonly Row[], { target, stratified }: TableSet, seed: number): Set<number> {
  const random = seeded(seed);
  const order = rows.map((_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  const groups = new Map<Cell, number[]>();
  for (const i of order) {
    const group = stratified ? (rows[i] as Row)[target] : undefined;
    const members = groups.get(group);
    if (members) members.push(i);
    else groups.set(group, [i]);
  }
  return new Set([...groups.values()].flatMap((places) => places.slice(0, Math.round(0.2 * places.length))));
}

async function ours(
  { target, classes }: TableSet,
  train: Row[],
  test: Row[],
  seed: number,
  backend: Backend,
): Promise<Side> {
  const begun = performance.now();
  if (!classes) {
    const model = new FastKMeansRegressor({ backend, randomState: seed });
    await model.fit(train, target);
    await model.finetune(train, target);
    const seconds = (performance.now() - begun) / 1000;
    return { score: await model.score(test, target), logLoss: Number.NaN, seconds };
  }
  const model = new FastKMeansClassifier({ backend, randomState: seed });
  await model.fit(train, target);
  await model.finetune(train, target);
  const seconds = (performance.now() - begun) / 1000;
  const { data } = await model.predictProba(test);
  const places = new Map(model.classes.map((name, c) => [String(name), c]));
  const losses = test.map((row, i) => {
    const p = data[i * places.size + (places.get(String(row[target])) ?? 0)] as number;
    return -Math.log(Math.max(p, 1e-15));
  });
  return { score: await model.score(test, target), logLoss: meanOf(losses), seconds };
}

interface Others {
  readonly versions: string;
  readonly sides: Readonly<Record<'boosted' | 'lightgbm', Side>>;
}

/** scikit-learn's and LightGBM's side, which read the same file. */
function others(python: string, set: TableSet, folder: string, test: ReadonlySet<number>): Others {
  const place = mkdtempSync(join(tmpdir(), 'fkm-tables-'));
  try {
    const indices = join(place, 'test.json');
    writeFileSync(indices, JSON.stringify([...test]));
    const { file, target, classes, without } = set;
    const request = { file: file(folder), target, classes, without, test: indices };
    const script = fileURLToPath(new URL('python/tables.py', import.meta.url));
    const { status, stdout } = spawnSync(python, [script], {
      input: `${JSON.stringify(request)}\n`,
      stdio: ['pipe', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Failure('the Python side failed; its error is above.');
    return JSON.parse(stdout) as Others;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export async function benchTables(run: TablesOptions): Promise<void> {
  const backend = await openBackend(run.backend);
  const python = pythonWith(['scikit-learn', 'pandas', 'lightgbm']);
  const [lines, results]: [(string | number)[][], Result[]] = [[], []];
  let against = '';
  for (const name of run.sets) {
    const set = sets[name] as TableSet;
    const rows = await rowsOf(set, run.folder);
    const all: Record<'ours' | 'boosted' | 'lightgbm', Side[]> = { ours: [], boosted: [], lightgbm: [] };
    for (let seed = 0; seed < set.seeds; seed++) {
      const test = testOf(rows, set, seed);
      const train = rows.filter((_, i) => !test.has(i));
      const own = await ours(
        set,
        train,
        rows.filter((_, i) => test.has(i)),
        seed,
        backend,
      );
      const { versions, sides } = others(python, set, run.folder, test);
      against = versions;
      all.ours.push(own);
      all.boosted.push(sides.boosted);
      all.lightgbm.push(sides.lightgbm);
      console.error(`${name}, seed ${seed}: ${JSON.stringify({ own, ...sides })}`);
    }
    const sides = ['ours', 'boosted', 'lightgbm'] as const;
    const mean = (side: (typeof sides)[number], figure: keyof Side): number =>
      meanOf(all[side].map((one) => one[figure]));
    lines.push([
      name,
      ...sides.map((side) => mean(side, 'score').toFixed(4)),
      ...sides.map((side) => (set.classes ? mean(side, 'logLoss').toFixed(4) : '')),
      ...sides.map((side) => mean(side, 'seconds').toFixed(1)),
    ]);
    results.push({
      bench: 'tables',
      set: name,
      metric: set.classes ? 'accuracy' : 'r2',
      value: rounded(mean('ours', 'score')),
      boosted: rounded(mean('boosted', 'score')),
      lightgbm: rounded(mean('lightgbm', 'score')),
      backend: run.backend,
      seeds: set.seeds,
    });
  }
  await backend.dispose();
  console.log(`${run.backend}; a fifth of the rows tests; means over seeds; ${against}`);
  const figures = ['score', 'log loss', 'seconds'].flatMap((name) => [name, 'boosted', 'LightGBM']);
  console.log(`${formatTable(['set', ...figures], lines)}\n`);
  printResults(results);
}

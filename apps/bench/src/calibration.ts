// `bench calibration`: calibration error of default models, next to HistGradientBoosting on the same rows.

import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { type Judgement, judgeClasses, judgeLabels } from './probabilities.ts';
import { formatTable, meanOf, printResults, type Result, rounded, seedsLabel } from './report.ts';
import type { Labelled, Parts, Rows } from './rows.ts';
import { describeSet, loadParts } from './sets.ts';
import { type Learner, taskOf } from './tasks.ts';
import { pythonWith } from './venv.ts';

export const calibrationSets = [
  'letter',
  'satimage',
  'adult',
  'ml_emotions',
  'ml_yeast',
  'ml_scene',
] as const;

export interface CalibrationOptions {
  readonly sets: readonly string[];
  readonly backend: BackendName;
  /** Seeds of the split and of both models; figures of several are averaged. */
  readonly seeds: readonly number[];
  readonly folder: string;
  /** Evaluate on a tenth of the training rows, and do not use the test rows. */
  readonly validation: boolean;
  /** Options of the estimators besides backend and seed. */
  readonly options: Readonly<Record<string, unknown>>;
}

type Sides = Readonly<Record<'ours' | 'boosted', Judgement>>;

/** From values to columns of `predictProba`: the classes of the training rows, ascending. */
function codesOf({ y }: Labelled, names: readonly number[]): number[] {
  const places = new Map(names.map((name, c) => [name, c]));
  return Array.from(y.data, (value) => places.get(value) ?? -1);
}

const namesOf = ({ y }: Labelled): number[] => [...new Set(y.data)].sort((a, b) => a - b);

/** Missing values are masked for us, and NaN for the other side. */
const withHoles = ({ X, mask }: Labelled): Rows =>
  mask ? { ...X, data: X.data.map((value, i) => (mask.data[i] === 0 ? Number.NaN : value)) } : X;

async function boosted(
  python: string,
  task: string,
  seed: number,
  { train, test }: Parts,
): Promise<{ probabilities: Float64Array; version: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fkm-calibration-'));
  try {
    const parts = { X: withHoles(train), y: train.y, asked: withHoles(test) };
    const request: Record<string, unknown> = { task, seed, answers: join(folder, 'answers') };
    for (const [part, { data, shape }] of Object.entries(parts)) {
      const file = join(folder, part);
      await writeFile(file, data);
      request[part] = { file, shape };
    }
    const script = fileURLToPath(new URL('python/calibration.py', import.meta.url));
    const { status, stdout } = spawnSync(python, [script], {
      input: `${JSON.stringify(request)}\n`,
      stdio: ['pipe', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Failure('the Python side failed; its error is above.');
    const { buffer } = Uint8Array.from(await readFile(request.answers as string));
    return { probabilities: new Float64Array(buffer), version: JSON.parse(stdout).version };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  set: string,
  seed: number,
  backend: Backend,
  python: string,
  run: CalibrationOptions,
): Promise<Sides & { version: string }> {
  const { task } = describeSet(set);
  const parts = await loadParts(set, run.folder, seed, run.validation);
  const model: Learner = taskOf(task).create({ backend, seed, options: run.options });
  await model.fit(parts.train);
  await model.finetune(parts.train);
  const own = await model.probabilities(parts.test);
  const other = await boosted(python, task, seed, parts);
  const names = task === 'classes' ? namesOf(parts.train) : [];
  const truth = codesOf(parts.test, names);
  const said = (await model.predict(parts.test)) as ArrayLike<number>;
  const judge = (probabilities: ArrayLike<number>, labels?: ArrayLike<number>): Judgement =>
    task === 'classes'
      ? judgeClasses(probabilities, truth, names.length)
      : judgeLabels(probabilities, parts.test.y, labels);
  const sides = { ours: judge(own, said), boosted: judge(other.probabilities) };
  console.error(`${set}, seed ${seed}: ${JSON.stringify(sides.ours)}`);
  return { ...sides, version: other.version };
}

const figures = ['ece', 'logLoss', 'excess', 'score'] as const;
const meanOfSides = (all: readonly Sides[], side: keyof Sides): Judgement =>
  Object.fromEntries(
    figures.map((figure) => [figure, meanOf(all.map((sides) => sides[side][figure]))]),
  ) as unknown as Judgement;

export async function benchCalibration(run: CalibrationOptions): Promise<void> {
  const backend = await openBackend(run.backend);
  const python = pythonWith(['scikit-learn']);
  const [lines, results]: [string[][], Result[]] = [[], []];
  let against = '';
  for (const set of run.sets) {
    const all: Sides[] = [];
    for (const seed of run.seeds) {
      const { version, ...sides } = await measure(set, seed, backend, python, run);
      against = version;
      all.push(sides);
    }
    const [ours, other] = [meanOfSides(all, 'ours'), meanOfSides(all, 'boosted')];
    lines.push([set, ...figures.flatMap((figure) => [ours, other].map((side) => side[figure].toFixed(4)))]);
    for (const figure of figures) {
      results.push({
        bench: 'calibration',
        set,
        metric: figure,
        value: rounded(ours[figure]),
        boosted: rounded(other[figure]),
        backend: run.backend,
        seed: seedsLabel(run.seeds),
      });
    }
  }
  await backend.dispose();
  const judges = run.validation ? 'a tenth of the training rows judges' : 'test rows judge';
  console.log(`${run.backend}, seeds ${run.seeds.join(', ')}; ${judges}; HistGradientBoosting of ${against}`);
  const head = ['ECE', 'log loss', 'mean p − rate', 'score'].flatMap((name) => [name, 'boosted']);
  console.log(`${formatTable(['set', ...head], lines)}\n`);
  printResults(results);
}

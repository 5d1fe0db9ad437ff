// `bench accuracy`: the held-out score of default options on raw features, next to nearest neighbours on all training rows.

import type { Backend, Progress } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { formatTable, meanOf, printResults, type Result, rounded, seedsLabel } from './report.ts';
import { describeSet, loadParts } from './sets.ts';
import { neighbourScore, taskOf, train } from './tasks.ts';

export interface AccuracyOptions {
  readonly sets: readonly string[];
  readonly backend: BackendName;
  /** Seeds of the split and of the model; scores of several are averaged. */
  readonly seeds: readonly number[];
  readonly folder: string;
  /** Evaluate on a tenth of the training rows, and do not use the test rows. */
  readonly validation: boolean;
  /** Total number of prototypes, in 16 heads, in place of the default; fewer with few rows. */
  readonly prototypes?: number;
  /** Options of the estimators besides backend and seed. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One set with one seed, or the means over seeds. */
interface Outcome {
  readonly score: number;
  readonly neighbours: number;
  readonly prototypes: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Lines on stderr, where a line can be written over. */
const progressOf = (set: string): { onProgress?: (progress: Progress) => void } =>
  process.stderr.isTTY
    ? {
        onProgress: ({ phase, done, of }) => {
          process.stderr.write(`\r\u001b[K${set}: ${phase} ${done}/${of}${done === of ? '\r\u001b[K' : ''}`);
        },
      }
    : {};

async function measure(set: string, seed: number, backend: Backend, run: AccuracyOptions): Promise<Outcome> {
  const taskName = describeSet(set).task;
  const task = taskOf(taskName);
  const parts = await loadParts(set, run.folder, seed, run.validation);
  // The default stops at a quarter of the rows too.
  const most = Math.floor(parts.train.X.shape[0] / 4);
  const size = run.prototypes ? { nPrototypes: Math.min(run.prototypes, most), heads: 16 } : {};
  const options = { ...size, ...run.options };
  const trained = await train(taskName, parts.train, { backend, seed, options, ...progressOf(set) });
  const score = task.score(parts.test.y, await trained.answer(parts.test));
  const { prototypes, bytes, seconds } = trained;
  console.error(`${set}, seed ${seed}: ${score.toFixed(4)} in ${seconds.toFixed(1)} s`);
  return { score, neighbours: neighbourScore(task, parts), prototypes, bytes, seconds };
}

const head = [
  'set',
  'metric',
  'score',
  'neighbours',
  'boosted',
  'target',
  'met',
  'above neighbours',
  'prototypes',
  'bytes',
  'seconds',
];

function line(set: string, { score, neighbours, prototypes, bytes, seconds }: Outcome): (string | number)[] {
  const { task, target, boosted } = describeSet(set);
  return [
    set,
    taskOf(task).metric,
    score.toFixed(4),
    neighbours.toFixed(4),
    boosted.toFixed(3),
    target.toFixed(3),
    score >= target ? 'yes' : 'NO',
    score > neighbours ? 'yes' : 'NO',
    prototypes.toFixed(0),
    bytes.toFixed(0),
    seconds.toFixed(1),
  ];
}

function result(set: string, outcome: Outcome, { backend, seeds }: AccuracyOptions): Result {
  const { task, target, boosted } = describeSet(set);
  return {
    set,
    metric: taskOf(task).metric,
    value: rounded(outcome.score),
    prototypes: Math.round(outcome.prototypes),
    seconds: rounded(outcome.seconds),
    backend,
    nearestNeighbours: rounded(outcome.neighbours),
    boosted,
    bytes: Math.round(outcome.bytes),
    target: rounded(target),
    seed: seedsLabel(seeds),
  };
}

export async function benchAccuracy(run: AccuracyOptions): Promise<void> {
  const { sets, seeds, validation } = run;
  const backend = await openBackend(run.backend);
  const outcomes: Outcome[] = [];
  for (const set of sets) {
    const bySeed: Outcome[] = [];
    for (const seed of seeds) bySeed.push(await measure(set, seed, backend, run));
    const mean = (key: keyof Outcome): number => meanOf(bySeed.map((outcome) => outcome[key]));
    outcomes.push({
      score: mean('score'),
      neighbours: mean('neighbours'),
      prototypes: mean('prototypes'),
      bytes: mean('bytes'),
      seconds: mean('seconds'),
    });
  }
  await backend.dispose();
  const judges = validation ? 'a tenth of the training rows judges' : 'test rows judge';
  const who = seeds.length > 1 ? `means of seeds ${seeds.join(', ')}` : `seed ${seeds[0]}`;
  console.log(`${backend.name}, ${who}; ${judges}; neighbours: on all training rows`);
  const rows = sets.map((set, i) => line(set, outcomes[i] as Outcome));
  console.log(`${formatTable(head, rows)}\n`);
  const results = sets.map((set, i) => result(set, outcomes[i] as Outcome, run));
  if (sets.length > 1) {
    const value = rounded(meanOf(outcomes.map(({ score }) => score)));
    const boosted = rounded(meanOf(sets.map((set) => describeSet(set).boosted)));
    console.log(`mean over ${sets.length} sets: score ${value}, boosted ${boosted}\n`);
    results.push({ set: 'mean', sets: sets.length, value, boosted });
  }
  printResults(results);
}

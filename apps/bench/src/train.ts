// `bench speed --case train`: raw rows to answers by `fit`, `finetune` and `predict` with no option, against scikit-learn, and how
// long a caller's event loop waits meanwhile.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { type Lateness, LateTimer } from './event-loop.ts';
import type { Side } from './interleave.ts';
import { Python } from './python.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import { type Parts, type Rows, split } from './rows.ts';
import { describeSet, loadRows } from './sets.ts';
import { taskOf } from './tasks.ts';
import { compare, measure } from './versus.ts';

interface Contest {
  /** The other side, with its defaults. */
  readonly rival: 'HistGradientBoostingRegressor' | 'KNeighborsClassifier';
  /** What of the other side counts; all of ours does. */
  readonly counts: 'fit and predict' | 'predict alone';
  /** Rows to learn from: a number, or a share; all others are asked for. */
  readonly learned: number;
}

const contests: Readonly<Record<string, Contest>> = {
  diamonds: { rival: 'HistGradientBoostingRegressor', counts: 'fit and predict', learned: 0.8 },
  covertype_93k: { rival: 'KNeighborsClassifier', counts: 'predict alone', learned: 50_000 },
};

export const contestNames: readonly string[] = Object.keys(contests);

export interface TrainOptions {
  readonly set?: string;
  readonly data: string;
  readonly epochs?: number;
  readonly options: Readonly<Record<string, unknown>>;
}

const jobs = ['fit', 'finetune', 'predict'] as const;
type Job = (typeof jobs)[number];

/** What a round of ours took, and what it did to the event loop. */
type Round = Readonly<Record<Job, { readonly milliseconds: number; readonly late: Lateness }>>;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function loadContest(name: string, folder: string): Promise<Parts> {
  const { learned } = contests[name] as Contest;
  const rows = await loadRows(name, folder);
  const n = rows.X.shape[0];
  return split(rows, 1 - (learned < 1 ? learned : learned / n), 0);
}

/** One whole round of ours, job by job. */
async function train(
  name: string,
  backend: Backend,
  { train: rows, test }: Parts,
  { options, epochs }: TrainOptions,
): Promise<{ round: Round; score: number }> {
  const task = taskOf(describeSet(name).task);
  const model = task.create({ backend, seed: 0, options });
  const taken: Partial<Record<Job, Round[Job]>> = {};
  const timed = async <T>(job: Job, work: () => Promise<T>): Promise<T> => {
    const timer = new LateTimer();
    const start = performance.now();
    const result = await work();
    taken[job] = { milliseconds: performance.now() - start, late: timer.stop() };
    return result;
  };
  await timed('fit', () => model.fit(rows));
  await timed('finetune', () => model.finetune(rows, epochs === undefined ? {} : { epochs }));
  const answers = await timed('predict', () => model.predict(test));
  return { round: taken as Round, score: task.score(test.y, answers) };
}

/** The arrays of a contest, where Python reads them. */
async function hand(pythons: readonly Python[], folder: string, { train: rows, test }: Parts): Promise<void> {
  const parts: Readonly<Record<string, Rows>> = { X: rows.X, y: rows.y, asked: test.X };
  for (const [part, { data, shape }] of Object.entries(parts)) {
    const file = join(folder, part);
    await writeFile(file, data);
    for (const python of pythons) await python.ask({ part, file, shape });
  }
}

export async function benchTrain(
  backendName: BackendName,
  rounds: number,
  options: TrainOptions,
): Promise<void> {
  const backend = await openBackend(backendName);
  const pythons = await Python.start('train.py', 'sklearn');
  const folder = await mkdtemp(join(tmpdir(), 'fkm-bench-'));
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  const loop: (string | number)[][] = [];
  try {
    for (const name of options.set ? [options.set] : contestNames) {
      const { rival, counts } = contests[name] as Contest;
      const parts = await loadContest(name, options.data);
      await hand(pythons, folder, parts);
      const all: Round[] = [];
      let score = Number.NaN;
      const ours: Side = async () => {
        const trained = await train(name, backend, parts, options);
        score = trained.score;
        all.push(trained.round);
        return jobs.reduce((sum, job) => sum + trained.round[job].milliseconds, 0);
      };
      const answers = join(folder, 'answers');
      const opponents = pythons.map((python) => ({
        name: `${rival}, ${counts}, ${python.name}`,
        side: async () => {
          const { fit, predict } = await python.ask<Record<'fit' | 'predict', number>>({
            model: rival,
            answers,
          });
          return counts === 'predict alone' ? predict : fit + predict;
        },
      }));
      const versus = await measure(ours, opponents, rounds);
      const { metric, score: judge } = taskOf(describeSet(name).task);
      const theirScore = pythons.length > 0 ? judge(parts.test.y, await readAnswers(answers)) : Number.NaN;
      // The first round warmed up.
      const counted = all.slice(1);
      const labels = {
        ...{ case: 'train', backend: backendName, set: name, rows: parts.train.X.shape[0] },
        ...{ asked: parts.test.X.shape[0], metric, score: rounded(score) },
        ...(pythons.length > 0 ? { theirScore: rounded(theirScore) } : {}),
      };
      const late: Record<string, number> = {};
      for (const job of jobs) {
        const took = median(counted.map((round) => round[job].milliseconds));
        const p99 = median(counted.map((round) => round[job].late.p99));
        const max = Math.max(...counted.map((round) => round[job].late.max));
        late[`${job}P99`] = rounded(p99);
        loop.push([name, job, took.toFixed(0), p99.toFixed(1), max.toFixed(1)]);
      }
      results.push(...compare(versus, { ...labels, ...late }));
      const sides = [
        { name: `${backend.name}: fit, finetune and predict`, times: versus.ours },
        ...versus.theirs,
      ];
      sides.forEach(({ name: side, times }, i) => {
        table.push([
          ...[name, side, times.min.toFixed(0), times.median.toFixed(0)],
          i === 0 ? '' : (times.median / versus.ours.median).toFixed(2),
          (i === 0 ? score : theirScore).toFixed(4),
        ]);
      });
    }
  } finally {
    for (const python of pythons) python.close();
    await rm(folder, { recursive: true });
    await backend.dispose();
  }
  console.log(`whole trainings with no option, raw rows in, ${rounds} rounds`);
  if (pythons.length === 0) {
    console.log('scikit-learn is not installed (python3-sklearn, or pip): only our side was measured.');
  }
  console.log(`${formatTable(['set', 'side', 'min ms', 'median ms', 'ratio', 'score'], table)}\n`);
  console.log('lateness of a 5 ms timer in the thread that calls: medians of rounds, and the latest of all');
  console.log(`${formatTable(['set', 'job', 'median ms', 'p99 ms', 'max ms'], loop)}\n`);
  printResults(results);
}

async function readAnswers(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

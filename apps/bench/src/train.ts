// `bench speed --case train`: raw rows to predictions by `fit`, `finetune` and `predict`, with default options and with a short
// training, against scikit-learn; and how long a caller's event loop waits meanwhile.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Backend } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { type Lateness, LateTimer } from './event-loop.ts';
import { interleave, type Side, type Times } from './interleave.ts';
import { Python } from './python.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import { type Parts, type Rows, split } from './rows.ts';
import { describeSet, loadRows } from './sets.ts';
import { taskOf } from './tasks.ts';
import { compare } from './versus.ts';

interface Contest {
  /** The other side, with its defaults. */
  readonly rival: 'HistGradientBoostingRegressor' | 'KNeighborsClassifier';
  /** Which part of the other side is timed; of ours, everything. */
  readonly counts: 'fit and predict' | 'predict alone';
  /** Number or share of training rows; all others are predicted. */
  readonly learned: number;
  /** The shortest training, chosen on validation rows. */
  readonly short: Run;
}

/** How a model is created and trained; empty for defaults. */
interface Run {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly fit?: { readonly maxIters?: number };
  readonly finetune?: { readonly epochs?: number; readonly lr?: number };
}

const contests: Readonly<Record<string, Contest>> = {
  diamonds: {
    rival: 'HistGradientBoostingRegressor',
    counts: 'fit and predict',
    learned: 0.8,
    short: {
      options: {
        prototypeModel: 'linear',
        nPrototypes: 128,
        heads: 1,
        scaling: 'standard',
        metric: 'slopes',
        batchSize: 2048,
      },
      fit: { maxIters: 1 },
      finetune: { epochs: 2, lr: 0.03 },
    },
  },
  covertype_93k: {
    rival: 'KNeighborsClassifier',
    counts: 'predict alone',
    learned: 50_000,
    short: {
      options: { heads: 1, metric: 'slopes', batchSize: 512 },
      fit: { maxIters: 1 },
      finetune: { epochs: 5, lr: 0.05 },
    },
  },
};

export const contestNames: readonly string[] = Object.keys(contests);

export interface TrainOptions {
  readonly set?: string;
  readonly data: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const jobs = ['fit', 'finetune', 'predict'] as const;
type Job = (typeof jobs)[number];

/** Time and event-loop lateness of a round of ours. */
type Round = Readonly<Record<Job, { readonly milliseconds: number; readonly late: Lateness }>>;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function loadContest(name: string, folder: string): Promise<Parts> {
  const { learned } = contests[name] as Contest;
  const rows = await loadRows(name, folder);
  const n = rows.X.shape[0];
  return split(rows, 1 - (learned < 1 ? learned : learned / n), 0);
}

/** One of our sides: its rounds so far, and the score of the last one. */
class Ours {
  readonly name: string;
  readonly rounds: Round[] = [];
  score: number = Number.NaN;
  private readonly work: () => Promise<{ round: Round; score: number }>;

  constructor(name: string, work: () => Promise<{ round: Round; score: number }>) {
    this.name = name;
    this.work = work;
  }

  readonly side: Side = async () => {
    const { round, score } = await this.work();
    this.rounds.push(round);
    this.score = score;
    const seconds = jobs.map((job) => `${job} ${(round[job].milliseconds / 1e3).toFixed(2)} s`);
    console.error(`${this.name}: ${seconds.join(', ')}, score ${score.toFixed(4)}`);
    return jobs.reduce((sum, job) => sum + round[job].milliseconds, 0);
  };
}

/** A whole round of ours, job by job. */
async function train(
  name: string,
  backend: Backend,
  { train: rows, test }: Parts,
  { options = {}, fit = {}, finetune = {} }: Run,
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
  await timed('fit', () => model.fit(rows, fit));
  await timed('finetune', () => model.finetune(rows, finetune));
  const answers = await timed('predict', () => model.predict(test));
  return { round: taken as Round, score: task.score(test.y, answers) };
}

/** Writes the arrays of a contest to files for Python. */
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
      const { rival, counts, short } = contests[name] as Contest;
      const parts = await loadContest(name, options.data);
      await hand(pythons, folder, parts);
      const lengths: Readonly<Record<string, Run>> = { 'no option': {}, short };
      const ours = Object.entries(lengths).map(([length, run]) => {
        const all = { ...run, options: { ...run.options, ...options.options } };
        return new Ours(length, () => train(name, backend, parts, all));
      });
      const answers = join(folder, 'answers');
      const theirs = pythons.map((python) => ({
        name: `${rival}, ${counts}, ${python.name}`,
        side: async () => {
          const { fit, predict } = await python.ask<Record<'fit' | 'predict', number>>({
            model: rival,
            answers,
          });
          console.error(`${rival}: fit ${(fit / 1e3).toFixed(2)} s, predict ${(predict / 1e3).toFixed(2)} s`);
          return counts === 'predict alone' ? predict : fit + predict;
        },
      }));
      const sides = [...ours, ...theirs];
      const times = await interleave(Object.fromEntries(sides.map(({ side }, i) => [i, side])), rounds);
      const { metric, score: judge } = taskOf(describeSet(name).task);
      const theirScore = theirs.length > 0 ? judge(parts.test.y, await readAnswers(answers)) : Number.NaN;
      const rivals = theirs.map((their, i) => ({ name: their.name, times: times[ours.length + i] as Times }));
      for (const [i, { name: length, rounds: all, score }] of ours.entries()) {
        const own = times[i] as Times;
        // Without the warm-up round.
        const counted = all.slice(1);
        const labels = {
          ...{ case: 'train', backend: backendName, set: name, length, rows: parts.train.X.shape[0] },
          ...{ asked: parts.test.X.shape[0], metric, score: rounded(score) },
          ...(theirs.length > 0 ? { theirScore: rounded(theirScore) } : {}),
        };
        const late: Record<string, number> = {};
        for (const job of jobs) {
          const took = median(counted.map((round) => round[job].milliseconds));
          const p99 = median(counted.map((round) => round[job].late.p99));
          const max = Math.max(...counted.map((round) => round[job].late.max));
          late[`${job}P99`] = rounded(p99);
          loop.push([name, length, job, took.toFixed(0), p99.toFixed(1), max.toFixed(1)]);
        }
        results.push(...compare({ ours: own, theirs: rivals }, { ...labels, ...late }));
        const ratios = rivals.map(({ times: their }) => (their.median / own.median).toFixed(2)).join(', ');
        const label = `${backend.name}: fit, finetune and predict, ${length}`;
        table.push([name, label, own.min.toFixed(0), own.median.toFixed(0), ratios, score.toFixed(4)]);
      }
      for (const { name: side, times: own } of rivals) {
        table.push([name, side, own.min.toFixed(0), own.median.toFixed(0), '', theirScore.toFixed(4)]);
      }
    }
  } finally {
    for (const python of pythons) python.close();
    await rm(folder, { recursive: true });
    await backend.dispose();
  }
  console.log(`whole trainings, raw rows in, ${rounds} rounds; ratio: above 1 ours is faster`);
  for (const [name, { short }] of Object.entries(contests))
    console.log(`short, ${name}: ${inspect(short, { breakLength: Number.POSITIVE_INFINITY })}`);
  if (pythons.length === 0) {
    console.log('scikit-learn is not installed (python3-sklearn, or pip): only our side was measured.');
  }
  console.log(`${formatTable(['set', 'side', 'min ms', 'median ms', 'ratio', 'score'], table)}\n`);
  console.log('lateness of a 5 ms timer in the thread that calls: medians of rounds, and the latest of all');
  console.log(`${formatTable(['set', 'length', 'job', 'median ms', 'p99 ms', 'max ms'], loop)}\n`);
  printResults(results);
}

async function readAnswers(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

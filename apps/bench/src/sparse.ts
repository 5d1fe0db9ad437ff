// `bench sparse`: CSR features and labels; each set and distance runs in its own process, whose peak memory is read at its end.

import { spawnSync } from 'node:child_process';
import {
  accuracyScore,
  type Csr,
  FastKMeansClassifier,
  FastMultiLabelKMeansClassifier,
  f1Score,
} from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { permutation, seeded } from './random.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import type { Rows } from './rows.ts';
import { nearestByCosine, takeCsr, toCsr } from './sparse-rows.ts';
import { openSet } from './stored.ts';
import { half, majority } from './votes.ts';

export const sparseSets = ['reuters21578', 'ml_delicious', 'banking77'] as const;
export const sparseDistances = ['euclidean', 'cosine'] as const;
type Distance = (typeof sparseDistances)[number];

export interface SparseOptions {
  readonly sets: readonly string[];
  readonly distances: readonly Distance[];
  readonly backend: BackendName;
  readonly seed: number;
  readonly folder: string;
}

interface Parts {
  readonly rows: number;
  readonly columns: number;
  readonly train: { readonly X: Csr; readonly y: Csr | Int32Array };
  readonly test: { readonly X: Csr; readonly y: Csr | Int32Array };
}

/** The split of the set's authors, else a fifth for testing. */
async function loadSparse(name: string, { folder, seed }: SparseOptions): Promise<Parts> {
  const { meta, arrays, csr } = await openSet(name, folder);
  if (!csr.X) throw new Failure(`the set ${name} has no sparse X; there are ${sparseSets.join(', ')}.`);
  const [rows, columns] = csr.X.shape;
  const order = permutation(rows, seeded(seed));
  const held = Math.round(rows / 5);
  const [begin, end] = meta.split?.test ?? [0, 0];
  const own = order.filter((row) => row < begin || row >= end);
  const parts = meta.split
    ? { train: own, test: order.filter((row) => row >= begin && row < end) }
    : { train: order.subarray(held), test: order.subarray(0, held) };
  const X = toCsr(csr.X);
  const labels = csr.Y && toCsr(csr.Y);
  const codes = arrays.y?.data ?? [];
  const part = (indices: Uint32Array): Parts['train'] => ({
    X: takeCsr(X, indices),
    y: labels ? takeCsr(labels, indices) : Int32Array.from(indices, (row) => codes[row] as number),
  });
  return { rows, columns, train: part(parts.train), test: part(parts.test) };
}

interface Outcome {
  readonly score: number;
  /** Only for labels. */
  readonly micro?: number;
  readonly neighbours: number;
  readonly prototypes: number;
  readonly trainSeconds: number;
  readonly predictSeconds: number;
  /** Peak memory of the process in MB, and the size of X as dense rows. */
  readonly peak: number;
  readonly dense: number;
}

const flags = ({ indptr, indices, shape }: Csr): Rows => {
  const [rows, columns] = shape;
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let e = indptr[i] as number; e < (indptr[i + 1] as number); e++)
      data[i * columns + (indices[e] as number)] = 1;
  }
  return { data, shape: [rows, columns] };
};

/** Trains with only the distance set, and scores. */
async function measure(name: string, distance: Distance, run: SparseOptions): Promise<Outcome> {
  const { rows, columns, train, test } = await loadSparse(name, run);
  const backend = await openBackend(run.backend);
  const options = { backend, randomState: run.seed, ...(distance === 'euclidean' ? {} : { distance }) };
  const labelled = !(train.y instanceof Int32Array);
  const model = labelled ? new FastMultiLabelKMeansClassifier(options) : new FastKMeansClassifier(options);
  const learner = model as unknown as {
    fit(X: Csr, y: unknown): Promise<unknown>;
    finetune(X: Csr, y: unknown): Promise<unknown>;
    predict(X: Csr): Promise<{ readonly data: ArrayLike<number> }>;
  };
  const start = performance.now();
  await learner.fit(train.X, train.y);
  await learner.finetune(train.X, train.y);
  const learned = performance.now();
  const { data: answers } = await learner.predict(test.X);
  const answered = performance.now();
  const peak = process.resourceUsage().maxRSS / 1000;
  const prototypes = model.grid.prototypes.shape[0] as number;
  await backend.dispose();
  const figures = {
    prototypes,
    trainSeconds: (learned - start) / 1000,
    predictSeconds: (answered - learned) / 1000,
    peak,
    dense: (rows * columns * 4) / 1e6,
  };
  // Neighbours run after the peak was read, so that it is of the model alone.
  const k = labelled ? 10 : 5;
  const found = nearestByCosine(train.X, test.X, k);
  if (labelled) {
    const [truth, known] = [flags(test.y as Csr), flags(train.y as Csr)];
    const labels = truth.shape[1];
    const f1 = (said: ArrayLike<number>, average: 'macro' | 'micro'): number =>
      f1Score(truth.data, said, labels, { average });
    const neighbours = f1(half(found, k, known), 'macro');
    return { score: f1(answers, 'macro'), micro: f1(answers, 'micro'), neighbours, ...figures };
  }
  const known = {
    data: Float32Array.from(train.y as Int32Array),
    shape: [(train.y as Int32Array).length, 1],
  } as const;
  const truth = test.y as Int32Array;
  return {
    score: accuracyScore(truth, answers),
    neighbours: accuracyScore(truth, majority(found, k, known)),
    ...figures,
  };
}

/** The same command in its own process, so that the peak belongs to one set. */
function measureApart(set: string, distance: Distance, { backend, seed, folder }: SparseOptions): Outcome {
  const own = [process.argv[1] as string, 'sparse', '--alone', '--set', set, '--distance', distance];
  const rest = ['--backend', backend, '--seed', String(seed), '--data', folder];
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, ...own, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  const last = stdout.trim().split('\n').at(-1);
  if (status !== 0 || !last) throw new Failure(`${set}, ${distance}: the child ended with ${status}.`);
  return JSON.parse(last) as Outcome;
}

/** What a child prints. */
export async function benchSparseAlone(run: SparseOptions): Promise<void> {
  const [set, distance] = [run.sets[0] as string, run.distances[0] as Distance];
  console.log(JSON.stringify(await measure(set, distance, run)));
}

const head = [
  'set',
  'distance',
  'score',
  'micro-f1',
  'neighbours',
  'prototypes',
  'train s',
  'predict s',
  'peak MB',
  'X dense MB',
];

export async function benchSparse(run: SparseOptions): Promise<void> {
  const lines: (string | number)[][] = [];
  const results: Result[] = [];
  for (const set of run.sets) {
    for (const distance of run.distances) {
      const outcome = measureApart(set, distance, run);
      const { score, micro, neighbours, prototypes, trainSeconds, predictSeconds, peak, dense } = outcome;
      console.error(
        `${set}, ${distance}: ${score.toFixed(4)} in ${trainSeconds.toFixed(1)} s, ${peak.toFixed(0)} MB`,
      );
      lines.push([
        set,
        distance,
        score.toFixed(4),
        micro?.toFixed(4) ?? '',
        neighbours.toFixed(4),
        prototypes,
        trainSeconds.toFixed(1),
        predictSeconds.toFixed(2),
        peak.toFixed(0),
        dense.toFixed(0),
      ]);
      results.push({
        set,
        distance,
        metric: micro === undefined ? 'accuracy' : 'macro-f1',
        value: rounded(score),
        ...(micro === undefined ? {} : { micro: rounded(micro) }),
        nearestNeighbours: rounded(neighbours),
        prototypes,
        seconds: rounded(trainSeconds),
        predictSeconds: rounded(predictSeconds),
        peakMegabytes: Math.round(peak),
        backend: run.backend,
        seed: run.seed,
      });
    }
  }
  console.log(
    `${run.backend}, seed ${run.seed}; accuracy, or macro-F1 of labels; neighbours: by cosine among all training rows`,
  );
  console.log(`${formatTable(head, lines)}\n`);
  printResults(results);
}

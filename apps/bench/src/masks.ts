// `bench masks`: series of unequal length and missing values, learned with a feature mask, next to padding with zeros.

import { accuracyScore, type Backend, FastKMeansClassifier } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { formatTable, meanOf, printResults, type Result, rounded, seedsLabel } from './report.ts';
import { type Labelled, type Parts, split, takeLabelled } from './rows.ts';
import { openSet, toLabelled } from './stored.ts';
import { neighbourScore, taskOf } from './tasks.ts';

/** Padded series, and masked NaN. */
const sets = ['ts_JapaneseVowels', 'horse_colic'];

export interface MasksOptions {
  readonly backend: BackendName;
  /** Seeds of the model, and of the split if the set has none. */
  readonly seeds: readonly number[];
  readonly folder: string;
}

/** The split of the set's authors, else a fifth for testing. */
async function loadParts(name: string, folder: string, seed: number): Promise<Parts> {
  const stored = await openSet(name, folder);
  const rows = toLabelled(stored);
  const { split: official } = stored.meta;
  if (!official) return split(rows, 0.2, seed);
  const range = ([begin, end]: readonly [number, number]): Labelled =>
    takeLabelled(
      rows,
      Array.from({ length: end - begin }, (_, i) => begin + i),
    );
  return { train: range(official.train), test: range(official.test) };
}

/** 0 for every missing value, as if it were measured. */
const padded = ({ X, y, mask }: Labelled): Labelled => ({
  X: { data: X.data.map((value, i) => (mask?.data[i] === 0 ? 0 : value)), shape: X.shape },
  y,
});

/** Accuracy of a default classifier; also checks that probabilities are finite. */
async function classify(
  { train, test }: Parts,
  backend: Backend,
  seed: number,
): Promise<{ accuracy: number; finite: boolean }> {
  const model = new FastKMeansClassifier({ backend, randomState: seed });
  const beside = ({ mask }: Labelled) => (mask ? { featureMask: mask } : {});
  await model.fit(train.X, train.y.data, beside(train));
  await model.finetune(train.X, train.y.data, beside(train));
  const { data } = await model.predict(test.X, beside(test));
  const proba = await model.predictProba(test.X, beside(test));
  return { accuracy: accuracyScore(test.y.data, data), finite: proba.data.every(Number.isFinite) };
}

async function measure(name: string, seed: number, backend: Backend, folder: string) {
  const parts = await loadParts(name, folder, seed);
  const zeros = { train: padded(parts.train), test: padded(parts.test) };
  const { accuracy, finite } = await classify(parts, backend, seed);
  const task = taskOf('classes');
  return {
    masked: accuracy,
    finite,
    padded: (await classify(zeros, backend, seed)).accuracy,
    neighboursPadded: neighbourScore(task, zeros),
    neighboursAtMean: neighbourScore(task, parts),
  };
}

export async function benchMasks({ backend: backendName, seeds, folder }: MasksOptions): Promise<void> {
  const backend = await openBackend(backendName);
  const results: Result[] = [];
  for (const set of sets) {
    const runs: Awaited<ReturnType<typeof measure>>[] = [];
    for (const seed of seeds) runs.push(await measure(set, seed, backend, folder));
    const mean = (key: Exclude<keyof (typeof runs)[number], 'finite'>): number =>
      rounded(meanOf(runs.map((run) => run[key])));
    results.push({
      set,
      metric: 'accuracy',
      value: mean('masked'),
      finite: runs.every(({ finite }) => finite) ? 'yes' : 'NO',
      padded: mean('padded'),
      nearestNeighbours: mean('neighboursPadded'),
      nearestNeighboursAtMean: mean('neighboursAtMean'),
      backend: backendName,
      seed: seedsLabel(seeds),
    });
  }
  await backend.dispose();
  const head = ['set', 'masked', 'finite', 'padded', 'neighbours, padded', 'neighbours, missing at the mean'];
  const keys = ['set', 'value', 'finite', 'padded', 'nearestNeighbours', 'nearestNeighboursAtMean'];
  const table = results.map((result) => keys.map((key) => result[key] as string | number));
  console.log(
    `${backend.name}, accuracy, seeds ${seeds.join(', ')}; padded: 0 for every missing value, no mask`,
  );
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
}

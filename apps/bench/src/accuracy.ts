// `bench accuracy`: raw features in, default options, a held-out score, next to nearest neighbours on all training rows.

import { type BackendName, openBackend } from './backends.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import { split } from './rows.ts';
import { describeSet, loadSet, type SetName } from './sets.ts';
import { neighbourScore, taskOf } from './tasks.ts';

export interface AccuracyOptions {
  readonly sets: readonly SetName[];
  readonly backend: BackendName;
  /** Of the split and of the model. */
  readonly seed: number;
  readonly folder: string;
}

export async function benchAccuracy({
  sets,
  backend: backendName,
  seed,
  folder,
}: AccuracyOptions): Promise<void> {
  const backend = await openBackend(backendName);
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  for (const set of sets) {
    const { task: taskName, held, target } = describeSet(set);
    const task = taskOf(taskName);
    const data = split(await loadSet(set, folder), held, seed);
    const onProgress = process.stderr.isTTY
      ? ({ phase, done, of }: { phase: string; done: number; of: number }) =>
          process.stderr.write(`\r\u001b[K${set}: ${phase} ${done}/${of}`)
      : undefined;
    const trained = await task.train(data, { backend, seed, ...(onProgress ? { onProgress } : {}) });
    if (onProgress) process.stderr.write('\r\u001b[K');
    const nearestNeighbours = neighbourScore(task, data);
    const { score, prototypes, bytes, fitSeconds, finetuneSeconds } = trained;
    table.push([
      set,
      task.metric,
      score.toFixed(4),
      target,
      score >= target ? 'yes' : 'NO',
      nearestNeighbours.toFixed(4),
      data.train.X.shape[0],
      prototypes,
      bytes,
      fitSeconds.toFixed(1),
      finetuneSeconds.toFixed(1),
    ]);
    results.push({
      set,
      metric: task.metric,
      value: rounded(score),
      prototypes,
      seconds: rounded(fitSeconds + finetuneSeconds),
      backend: backendName,
      nearestNeighbours: rounded(nearestNeighbours),
      bytes,
      target,
      seed,
    });
  }
  const head = [
    'set',
    'metric',
    'score',
    'target',
    'met',
    'neighbours',
    'rows',
    'prototypes',
    'bytes',
    'fit s',
    'finetune s',
  ];
  console.log(`${backend.name}, seed ${seed}; neighbours: on all training rows`);
  console.log(`${formatTable(head, table)}\n`);
  printResults(results);
  await backend.dispose();
}

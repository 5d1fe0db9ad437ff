// `bench classes`: gradient steps on a sample of very many classes against the full softmax, in time and memory; with --accuracy,
// the accuracy on 3,879 regions of the world.

import { spawnSync } from 'node:child_process';
import { accuracyScore, type Backend, FastKMeansClassifier } from '@fkm/core';
import { hnswIndex } from '@fkm/index-hnsw';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { interleave } from './interleave.ts';
import { seeded, uniformArray } from './random.ts';
import { formatTable, printResults, type Result, rounded } from './report.ts';
import { type Rows, split } from './rows.ts';
import { openSet, type Stored } from './stored.ts';
import { neighbourScore, taskOf } from './tasks.ts';

export interface ClassesOptions {
  readonly backend: BackendName;
  readonly rounds: number;
  readonly classes: number;
  /** Classes sampled in a step besides the batch's own. */
  readonly negatives: number;
  /** Runs steps of one side in this process and prints its peak memory; for child processes of the bench. */
  readonly memoryOf?: Side;
}

const sides = ['sampled', 'full'] as const;
export type Side = (typeof sides)[number];

const [columns, batchSize] = [64, 512];
/** Steps in a round; sampled steps are short. */
const stepsOf: Readonly<Record<Side, number>> = { sampled: 10, full: 1 };

/** One prototype a class, and rows of random classes. `stream` is several fitBatch calls, `epoch` a finetune of as many steps. */
function setUp(backend: Backend, side: Side, { classes, negatives }: ClassesOptions) {
  const uniform = seeded(7);
  const drawn = (rows: number): Rows => ({
    data: uniformArray(rows * columns, uniform),
    shape: [rows, columns],
  });
  const options = {
    backend,
    initMode: { prototypes: drawn(classes), owners: Array.from({ length: classes }, (_, c) => c) },
    batchSize,
    ...(side === 'sampled' ? { negativeSampling: negatives } : {}),
  };
  // Created at their first use, so that the memory of a process is that of one.
  let [streamed, model]: (FastKMeansClassifier | undefined)[] = [];
  const steps = stepsOf[side];
  const rows = drawn(steps * batchSize);
  const y = Int32Array.from({ length: steps * batchSize }, () => Math.floor(uniform() * classes));
  const batchOf = (i: number): [Rows, Int32Array] => [
    {
      data: rows.data.subarray(i * batchSize * columns, (i + 1) * batchSize * columns),
      shape: [batchSize, columns],
    },
    y.subarray(i * batchSize, (i + 1) * batchSize),
  ];
  return {
    epoch: () => {
      model ??= new FastKMeansClassifier(options);
      return model.finetune(rows, y, { epochs: 1, evalFraction: 0 });
    },
    stream: async () => {
      streamed ??= new FastKMeansClassifier(options);
      for (let i = 0; i < steps; i++) await streamed.fitBatch(...batchOf(i), { gradientStep: true });
    },
  };
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

/** Peak memory in MB of a process that only takes steps of one side. */
function peakOf(side: Side, { backend, classes, negatives }: ClassesOptions): number {
  const flags = { backend, classes, negatives, 'memory-of': side };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...process.execArgv,
      process.argv[1] as string,
      'classes',
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Failure(`the process that takes ${side} steps ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').pop() as string).value;
}

export async function benchClasses(options: ClassesOptions): Promise<void> {
  const { backend: name, rounds, classes, negatives, memoryOf } = options;
  const backend = await openBackend(name);
  if (memoryOf) {
    const { epoch } = setUp(backend, memoryOf, options);
    await epoch();
    await epoch();
    const value = rounded(process.resourceUsage().maxRSS / 1024);
    printResults([{ case: 'classes', side: memoryOf, metric: 'peak MB', value }]);
    return;
  }
  const labels = { case: 'classes', backend: name, classes, columns, batch: batchSize, negatives };
  const [sampled, full] = sides.map((side) => setUp(backend, side, options)) as [
    ReturnType<typeof setUp>,
    ReturnType<typeof setUp>,
  ];
  const times = await interleave(
    {
      sampled: async () => (await seconds(sampled.epoch)) / stepsOf.sampled,
      full: async () => (await seconds(full.epoch)) / stepsOf.full,
      sampledCall: async () => (await seconds(sampled.stream)) / stepsOf.sampled,
      fullCall: async () => (await seconds(full.stream)) / stepsOf.full,
    },
    rounds,
  );
  await backend.dispose();
  const memory = sides.map((side) => peakOf(side, options)) as [number, number];
  const results: Result[] = [
    ['finetune', times.sampled, times.full] as const,
    ['fitBatch', times.sampledCall, times.fullCall] as const,
  ].map(([call, ours, theirs]) => ({
    ...labels,
    call,
    against: 'full softmax',
    ratio: rounded(theirs.median / ours.median),
    ratioOfMinima: rounded(theirs.min / ours.min),
    milliseconds: rounded(ours.median),
    minMilliseconds: rounded(ours.min),
    theirMilliseconds: rounded(theirs.median),
    theirMinMilliseconds: rounded(theirs.min),
  }));
  results.push({
    ...labels,
    metric: 'peak MB',
    against: 'full softmax',
    ratio: rounded(memory[1] / memory[0]),
    megabytes: memory[0],
    theirMegabytes: memory[1],
  });
  console.log(
    `one gradient step, C = ${classes}, D = ${columns}, B = ${batchSize}, one prototype a class, ${rounds} rounds`,
  );
  const rows = [
    [`${negatives} sampled`, times.sampled, times.sampledCall, memory[0]] as const,
    ['full softmax', times.full, times.fullCall, memory[1]] as const,
  ].map(([side, epoch, call, megabytes]) => [
    side,
    ...[epoch.min, epoch.median, call.min, call.median].map((time) => time.toFixed(1)),
    megabytes,
  ]);
  const head = [
    'side',
    'finetune min ms',
    'median ms',
    'fitBatch min ms',
    'median ms',
    'peak MB of a process',
  ];
  console.log(`${formatTable(head, rows)}\n`);
  printResults(results);
}

export interface ManyClassesOptions {
  readonly backend: BackendName;
  readonly negatives: number;
  readonly epochs: number;
  readonly seed: number;
  readonly folder: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Prototypes of a class with --accuracy. */
const kInit = 10;

/** Points on the unit sphere [N, 3] from degrees [N, 2]. */
function onSphere({ data, shape: [rows = 0] }: Stored): Rows {
  const out = new Float32Array(rows * 3);
  for (let i = 0; i < rows; i++) {
    const [lon, lat] = [0, 1].map((j) => ((data[2 * i + j] as number) * Math.PI) / 180) as [number, number];
    out.set([Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)], 3 * i);
  }
  return { data: out, shape: [rows, 3] };
}

/**
 * Accuracy on 3,879 regions of the world's cities: sampling, sampling with hard negatives by an index, all classes, 5 neighbours.
 */
export async function benchManyClasses(asked: ManyClassesOptions): Promise<void> {
  const { backend: name, negatives, epochs, seed, folder } = asked;
  const { arrays } = await openSet('cities_geonames', folder);
  const codes = Float32Array.from((arrays.y_admin1 as Stored).data);
  const parts = split(
    { X: onSphere(arrays.lonlat as Stored), y: { data: codes, shape: [codes.length, 1] } },
    0.2,
    seed,
  );
  const { train, test } = parts;
  const backend = await openBackend(name);
  const labels = { case: 'classes', set: 'cities_geonames', backend: name, seed, metric: 'accuracy' };
  const results: Result[] = [];
  const table: (string | number)[][] = [];
  const note = (side: string, value: number, more: Readonly<Record<string, number>>): void => {
    results.push({ ...labels, side, ...more, value: rounded(value) });
    table.push([side, value.toFixed(4), more.seconds ?? '', more.prototypes ?? '']);
  };
  const learn = async (side: string, sampling: object): Promise<void> => {
    const model = new FastKMeansClassifier({
      backend,
      randomState: seed,
      kInit,
      ...asked.options,
      ...sampling,
    });
    const started = performance.now();
    await model.fit(train.X, train.y.data);
    const fitted = performance.now();
    const history = await model.finetune(train.X, train.y.data, { epochs });
    const took = { fit: (fitted - started) / 1000, finetune: (performance.now() - fitted) / 1000 };
    const { data } = await model.predict(test.X);
    note(side, accuracyScore(test.y.data, data as ArrayLike<number>), {
      seconds: rounded(took.fit + took.finetune),
      fitSeconds: rounded(took.fit),
      finetuneSeconds: rounded(took.finetune),
      epochs: history.length,
      prototypes: model.grid.prototypes.shape[0] as number,
    });
  };
  await learn(`${negatives} sampled`, { negativeSampling: negatives });
  const searched = { negativeSampling: negatives, index: hnswIndex, useIndex: true };
  await learn(`${negatives} sampled, by an index`, searched);
  await learn('full softmax', {});
  await backend.dispose();
  note('5 neighbours', neighbourScore(taskOf('classes'), parts), {});
  const classes = new Set(codes).size;
  console.log(
    `cities_geonames, ${classes} regions, ${train.X.shape[0]} rows to learn from, ${epochs} epochs`,
  );
  console.log(`${formatTable(['side', 'accuracy', 'seconds', 'prototypes'], table)}\n`);
  printResults(results);
}

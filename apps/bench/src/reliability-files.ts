// Damaged files and hostile arguments: each has to be refused by a typed error, or be answered as before. A child process tries
// them by number, so that the parent can see crashes and hangs and continue after them.

import { fork } from 'node:child_process';
import {
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  isFkmError,
  jsBackend,
} from '@fkm/core';
import { hnswIndex } from '@fkm/index-hnsw';
import { exportOnnx, importOnnx } from '@fkm/onnx';
import { seeded } from './random.ts';
import { formatTable, printResults } from './report.ts';

/** The outcome of an input; 'refused' and 'same' are right. */
const outcomes = ['refused', 'same', 'untyped', 'silent', 'crash', 'hang'] as const;
type Outcome = (typeof outcomes)[number];
type Counts = Record<Outcome, number>;

/** Milliseconds after which an input counts as a hang. */
const patience = 20_000;

interface Report {
  readonly input: number;
  readonly kind: string;
  readonly outcome: Outcome;
  readonly what?: string;
}

type Draw = () => number;
const upTo = (draw: Draw, n: number): number => Math.min(n - 1, Math.floor(draw() * n));

/** Kinds of damage; each is applied to a copy. */
const damages: Readonly<Record<string, (bytes: Uint8Array, draw: Draw) => Uint8Array>> = {
  bit: (bytes, draw) => {
    const at = upTo(draw, bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << upTo(draw, 8));
    return bytes;
  },
  cut: (bytes, draw) => bytes.slice(0, upTo(draw, bytes.length)),
  longer: (bytes, draw) => Uint8Array.from([...bytes, ...bytes.subarray(0, 1 + upTo(draw, 64))]),
  zeroed: (bytes, draw) => {
    const at = upTo(draw, bytes.length);
    return bytes.fill(0, at, at + 1 + upTo(draw, 64));
  },
  swapped: (bytes, draw) => {
    const size = 1 + upTo(draw, 64);
    const [a, b] = [upTo(draw, bytes.length - size), upTo(draw, bytes.length - size)];
    const first = bytes.slice(a, a + size);
    bytes.copyWithin(a, b, b + size);
    bytes.set(first, b);
    return bytes;
  },
  /** Changes a character of a text, mostly in the header or the metadata. */
  text: (bytes, draw) => {
    const at = upTo(draw, Math.min(bytes.length, 2000));
    bytes[at] = 32 + upTo(draw, 95);
    return bytes;
  },
};

/** A file, and the answers of the model in it. */
interface Subject {
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** The answers of the model in these bytes. Errors: those of the loader. */
  answers(bytes: Uint8Array): Promise<readonly number[]>;
}

const rows = (draw: Draw, n: number): number[][] => Array.from({ length: n }, () => [draw(), draw(), draw()]);

async function subjects(): Promise<readonly Subject[]> {
  const backend = jsBackend();
  const draw = seeded(1);
  const X = rows(draw, 60);
  const few = X.slice(0, 5);
  const options = { backend, nPrototypes: 6, heads: 1, metric: 'none' } as const;
  const side = (v: number | undefined): boolean => (v as number) > 0.5;
  const regressor = new FastKMeansRegressor(options);
  await regressor.fit(
    X,
    X.map(([a, b]) => (a as number) + (b as number)),
  );
  const classifier = new FastKMeansClassifier(options);
  await classifier.fit(
    X,
    X.map(([a, b]) => (side(a) ? 'a' : side(b) ? 'b' : 'c')),
  );
  const labels = new FastMultiLabelKMeansClassifier(options);
  await labels.fit(
    X,
    X.map(([a, b]) => [...(side(a) ? ['a'] : []), ...(side(b) ? ['b'] : []), 'c']),
  );
  const clusterer = new FastKMeansClusterer({ backend, kInit: 4 });
  await clusterer.fit(X);
  const told = async (model: unknown): Promise<readonly number[]> => {
    const any = model as FastKMeansClassifier;
    const answer = any.predictProba ? await any.predictProba(few) : await any.predict(few);
    return Array.from(answer.data as unknown as ArrayLike<number>);
  };
  const models = { regressor, classifier, labels, clusterer };
  const classes = {
    regressor: FastKMeansRegressor,
    classifier: FastKMeansClassifier,
    labels: FastMultiLabelKMeansClassifier,
    clusterer: FastKMeansClusterer,
  };
  const all: Subject[] = [];
  for (const name of Object.keys(models) as (keyof typeof models)[]) {
    const load = async (bytes: Uint8Array) => told(await classes[name].load(bytes, { backend }));
    all.push({ kind: `checkpoint of a ${name}`, bytes: await models[name].save(), answers: load });
    all.push({
      kind: `onnx of a ${name}`,
      bytes: exportOnnx(models[name]),
      answers: async (bytes) => told(await importOnnx(bytes, { backend })),
    });
  }
  const index = hnswIndex({ distance: 'euclidean' });
  const points = { data: Float32Array.from(X.flat()), shape: [60, 3] as const };
  await index.build(points);
  all.push({
    kind: 'index',
    bytes: await index.save(),
    answers: async (bytes) => {
      const again = hnswIndex({ distance: 'euclidean' });
      try {
        await again.load(bytes);
        const { indices, distances } = await again.search(points, 3);
        return [...indices, ...distances];
      } finally {
        again.dispose();
      }
    },
  });
  return all;
}

const hostileValues = (draw: Draw): readonly unknown[] => [
  undefined,
  null,
  Number.NaN,
  -1,
  1e300,
  'x'.repeat(1000),
  Symbol('s'),
  2n ** 70n,
  () => 1,
  [],
  [[]],
  [[Number.NaN, 1, 2]],
  [[1, 2], [3]],
  [[1, 2, 'a']],
  [[1e39, 0, 0]],
  new Float32Array(7),
  new SharedArrayBuffer(8),
  structuredClone(new ArrayBuffer(8)),
  { data: new Float32Array(3), shape: [1, 4] },
  { data: new Float32Array(new SharedArrayBuffer(12)), shape: [1, 3] },
  { indptr: [0, 9], indices: [1], shape: [1, 3] },
  {
    get data(): never {
      throw new RangeError('a getter of the caller');
    },
    shape: [1, 3],
  },
  new Proxy([[1, 2, 3]], {}),
  Array.from({ length: 1 + upTo(draw, 4) }, () => [draw(), draw(), draw()]),
];

const calls = ['fit', 'fitBatch', 'finetune', 'predict', 'transform', 'score', 'lossAndGradients'] as const;

/** A call with two hostile arguments: the outcome is a typed error, an error of the caller's own getter, or numbers. */
async function hostileCall(draw: Draw): Promise<{ outcome: Outcome; what?: string }> {
  const model = new FastKMeansRegressor({ backend: jsBackend(), nPrototypes: 4, heads: 1, metric: 'none' });
  await model.fit(rows(draw, 20), Array.from({ length: 20 }, draw));
  const [X, y] = [hostileValues(draw), hostileValues(draw)].map((list) => list[upTo(draw, list.length)]);
  const call = calls[upTo(draw, calls.length)] as (typeof calls)[number];
  let refused = false;
  try {
    await (model[call] as (...args: unknown[]) => Promise<unknown>)(X, y, { epochs: 1 });
  } catch (error) {
    const own = (error as Error)?.message === 'a getter of the caller';
    if (!isFkmError(error) && !own) return { outcome: 'untyped', what: `${call}: ${error}` };
    refused = true;
  }
  const { data } = await model.predict(rows(draw, 3));
  if (!Array.from(data).every(Number.isFinite)) return { outcome: 'silent', what: call };
  return { outcome: refused ? 'refused' : 'same' };
}

/** Tries the inputs from number `first` on, and reports each to the parent. */
async function tryFiles(first: number, inputs: number): Promise<void> {
  const all = await subjects();
  const right = await Promise.all(all.map(({ bytes, answers }) => answers(bytes)));
  const names = Object.keys(damages);
  const tell = (report: Report): Promise<void> =>
    new Promise((resolve) => {
      process.send?.(report, () => resolve());
    });
  for (let input = first; input < inputs; input++) {
    const draw = seeded(input);
    // One in twenty is a call.
    if (input % 20 === 0) {
      await tell({ input, kind: 'hostile arguments', ...(await hostileCall(draw)) });
      continue;
    }
    const which = input % all.length;
    const { kind, bytes, answers } = all[which] as Subject;
    const damage = names[upTo(draw, names.length)] as string;
    const damaged = (damages[damage] as (bytes: Uint8Array, draw: Draw) => Uint8Array)(bytes.slice(), draw);
    let outcome: Outcome = 'same';
    let what = damage;
    try {
      const found = await answers(damaged);
      const wanted = right[which] as readonly number[];
      if (found.length !== wanted.length || found.some((v, i) => !Object.is(v, wanted[i])))
        outcome = 'silent';
    } catch (error) {
      outcome = isFkmError(error) ? 'refused' : 'untyped';
      what += `: ${error}`;
    }
    await tell({ input, kind, outcome, what });
  }
}

export interface FilesOptions {
  readonly inputs: number;
  /** The first input of a child process. */
  readonly alone?: string;
}

/** Prints the outcomes of damaged inputs; all but 'refused' and 'same' should be 0. */
export async function benchFiles({ inputs, alone }: FilesOptions): Promise<void> {
  if (alone !== undefined) return tryFiles(Number(alone), inputs);
  const counts = new Map<string, Counts>();
  const count = (kind: string, outcome: Outcome): void => {
    const row = counts.get(kind) ?? (Object.fromEntries(outcomes.map((name) => [name, 0])) as Counts);
    row[outcome]++;
    counts.set(kind, row);
  };
  for (let next = 0; next < inputs; ) {
    const child = fork(process.argv[1] as string, [
      ...['reliability', '--case', 'files'],
      ...['--inputs', `${inputs}`, '--alone', `${next}`],
    ]);
    let hung = false;
    let timer: NodeJS.Timeout | undefined;
    const watch = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        hung = true;
        child.kill('SIGKILL');
      }, patience);
    };
    child.on('message', ({ input, kind, outcome, what }: Report) => {
      next = input + 1;
      count(kind, outcome);
      if (outcome !== 'refused' && outcome !== 'same')
        console.log(`input ${input}, ${kind}: ${outcome}: ${what}`);
      watch();
    });
    watch();
    await new Promise<void>((resolve) => {
      child.on('exit', () => resolve());
    });
    clearTimeout(timer);
    if (next < inputs) count('unknown', hung ? 'hang' : 'crash');
    // The input that ended the child is not tried again.
    if (next < inputs) next++;
  }
  const kinds = [...counts.keys()].sort();
  const cells = kinds.map((kind) => [kind, ...outcomes.map((name) => (counts.get(kind) as Counts)[name])]);
  console.log(formatTable(['input', ...outcomes], cells));
  printResults(
    outcomes.slice(2).map((outcome) => ({
      bench: 'reliability',
      case: 'files',
      inputs,
      outcome,
      value: [...counts.values()].reduce((sum, row) => sum + row[outcome], 0),
    })),
  );
}

// Small seeded data and models for the tests of this folder; nothing else imports it.

import { expect } from 'vitest';
import { type Checkpoint, readSafetensors, writeSafetensors } from '../checkpoint/safetensors.js';
import type { NdArray } from '../dtype.js';
import { type ErrorKind, isFkmError } from '../errors.js';
import type { FitResult } from '../fitting/passes.js';
import type { Backend } from '../graph/backend.js';
import type { HeadFamily } from '../heads/head.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { InitialGrid, RegressorOptions, Task } from '../state/options.js';
import type { Progress } from '../training/progress.js';
import { estimatorClasses } from './estimator.js';
import type { Grid } from './grid.js';
import { FastKMeansRegressor } from './regressor.js';

export const backend: Backend = jsBackend();

/** Rows of D uniform features in [−1, 1], and a smooth target of them. */
export function rows(count: number, columns = 3, seed = 1): { X: number[][]; y: number[] } {
  const random = new Random(seed);
  const X = Array.from({ length: count }, () =>
    Array.from({ length: columns }, () => 2 * random.uniform() - 1),
  );
  const y = X.map((x) => 3 * (x[0] as number) + Math.sin(4 * (x[1] as number)));
  return { X, y };
}

/** Some of the options; undefined is as good as absent. */
export type Settings = { readonly [N in keyof RegressorOptions]?: RegressorOptions[N] | undefined };

/** Plain and quick: one head, few prototypes. */
export const small = (options: Settings = {}): FastKMeansRegressor =>
  new FastKMeansRegressor({
    backend,
    nPrototypes: 6,
    heads: 1,
    metric: 'none',
    ...options,
  } as RegressorOptions);

/** Three prototypes with a target each. */
export const triangle: InitialGrid = {
  prototypes: [
    [0, 0],
    [4, 0],
    [0, 4],
  ],
  targets: [0, 1, 2],
};

/** Starts at a grid, so that every number is known. */
export const given = (options: Settings = {}): FastKMeansRegressor =>
  new FastKMeansRegressor({
    backend,
    softType: 'scaled',
    initMode: triangle,
    ...options,
  } as RegressorOptions);

/** What all estimators have in common, y and options unchecked. */
export interface Model {
  fit(X: unknown, y: unknown, options?: object): Promise<FitResult>;
  fitBatch(X: unknown, y: unknown, options?: object): Promise<number>;
  finetune(X: unknown, y: unknown, options?: object): Promise<readonly Progress[]>;
  findLearningRate(X: unknown, y: unknown, options?: object): Promise<{ readonly learningRate: number }>;
  lossAndGradients(
    X: unknown,
    y: unknown,
    options?: object,
  ): Promise<{ loss: number; gradients: Record<string, NdArray> }>;
  predict(
    X: unknown,
    options?: object,
  ): Promise<{ readonly data: ArrayLike<number | string>; readonly shape: readonly number[] }>;
  predictProba?(X: unknown, options?: object): Promise<NdArray<Float32Array>>;
  transform(X: unknown, options?: object): Promise<NdArray<Float32Array>>;
  score(X: unknown, y: unknown, options?: object): Promise<number>;
  readonly grid: Grid;
  freezePrototypes(mask?: readonly boolean[]): void;
  save(options?: object): Promise<Uint8Array>;
  saveFile(path: string, options?: object): Promise<void>;
}

/** What a test of every estimator needs to know of one. */
interface Sample {
  /** Plain and quick: six prototypes in one head. */
  readonly small: object;
  /** Owners or targets of the triangle, at which nothing but 'scaled' is said. */
  readonly corners: object;
  /** What goes with rows of features in [−1, 1]; three classes, three labels. */
  targets(X: readonly (readonly number[])[]): unknown;
}

const side = (v: number | undefined): boolean => (v as number) > 0;
const small6 = { nPrototypes: 6, heads: 1, metric: 'none' };

/** A row an estimator. */
const samples: Readonly<Record<Task, Sample>> = {
  regressor: {
    small: small6,
    corners: { targets: [0, 1, 2] },
    targets: (X) => X.map(([a, b]) => 3 * (a as number) + Math.sin(4 * (b as number))),
  },
  quantileRegressor: {
    small: small6,
    corners: {
      targets: [
        [-1, 0, 1],
        [0, 1, 2],
        [1, 2, 3],
      ],
    },
    targets: (X) => X.map(([a, b]) => 3 * (a as number) + Math.sin(4 * (b as number))),
  },
  classifier: {
    small: small6,
    corners: { owners: ['a', 'b', 'c'] },
    targets: (X) => X.map(([a, b]) => (side(a) ? 'b' : side(b) ? 'c' : 'a')),
  },
  multiLabel: {
    small: small6,
    corners: { owners: ['a', 'b', 'c'] },
    targets: (X) =>
      X.map(([a, b]) => [
        ...(side(a) ? ['b'] : []),
        ...(side(b) ? ['c'] : []),
        ...(side((a as number) + (b as number)) ? [] : ['a']),
      ]),
  },
  clusterer: { small: { kInit: 6 }, corners: {}, targets: () => undefined },
};

/** An estimator under test, y and options unchecked. */
export interface Estimator extends Sample {
  readonly family: HeadFamily;
  /** With these options and no other but the backend. */
  make(options?: object): Model;
  load(bytes: Uint8Array, options?: object): Promise<Model>;
  loadFile(path: string): Promise<Model>;
}

/** A class as the tests of all estimators use it. */
interface AnyClass {
  readonly prototype: { heads(): HeadFamily };
  new (options: object): Model;
  load(bytes: Uint8Array, options: object): Promise<Model>;
  loadFile(path: string, options: object): Promise<Model>;
}

/** Every estimator by its task. */
export const estimators: Readonly<Record<Task, Estimator>> = Object.fromEntries(
  Object.entries(samples).map(([task, sample]) => {
    const its = estimatorClasses[task as Task] as unknown as AnyClass;
    return [
      task,
      {
        ...sample,
        family: its.prototype.heads(),
        make: (options?: object) => new its({ backend, ...options }),
        load: (bytes: Uint8Array, options?: object) => its.load(bytes, { backend, ...options }),
        loadFile: (path: string) => its.loadFile(path, { backend }),
      },
    ];
  }),
) as unknown as Readonly<Record<Task, Estimator>>;

export const tasks = Object.keys(estimators) as readonly Task[];

/** The small model of an estimator. */
export const smallOf = (task: Task, options: object = {}): Model =>
  estimators[task].make({ ...estimators[task].small, ...options });

/** An estimator at the triangle, so that every number is known. */
export const givenOf = (task: Task, options: object = {}): Model =>
  estimators[task].make({
    softType: 'scaled',
    initMode: { prototypes: triangle.prototypes, ...estimators[task].corners },
    ...options,
  });

/** What says most of a model's answers: probabilities where it has them, else predictions. */
export async function answers(model: Model, X: unknown, options?: object): Promise<number[]> {
  const { data } = await (model.predictProba ?? model.predict).call(model, X, options);
  return Array.from(data as Float32Array);
}

export interface Expected {
  readonly kind: ErrorKind;
  /** Every text that the message has to contain. */
  readonly says: readonly string[];
}

/** The call fails with an error of that kind whose message says that. */
export async function expectError(call: () => unknown, { kind, says }: Expected): Promise<void> {
  let caught: unknown;
  try {
    await call();
  } catch (error) {
    caught = error;
  }
  if (!isFkmError(caught))
    throw new Error(`expected a typed error, got ${caught && (caught as Error).stack}`);
  expect(caught.kind, caught.message).toBe(kind);
  for (const text of says) expect(caught.message).toContain(text);
}

const partsOf = (bytes: Uint8Array): Checkpoint => readSafetensors(bytes, () => ({ digests: false }));

/** The file as version 1.0 wrote it, without digests: what is changed in it is for deeper checks to find. */
export function withoutDigests(bytes: Uint8Array): Uint8Array {
  const { metadata, tensors } = partsOf(bytes);
  const { digest: _, ...texts } = metadata;
  const entries = tensors.map(({ name, dtype, shape, bytes: { length } }, i) => {
    const begin = tensors.slice(0, i).reduce((sum, tensor) => sum + tensor.bytes.length, 0);
    return [name, { dtype, shape, data_offsets: [begin, begin + length] }] as const;
  });
  const header = { __metadata__: { ...texts, version: '1.0' }, ...Object.fromEntries(entries) };
  const json = new TextEncoder().encode(JSON.stringify(header));
  return Uint8Array.from(
    Buffer.concat([
      new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer),
      json,
      ...tensors.map((tensor) => tensor.bytes),
    ]),
  );
}

/** A file without digests, with its digests. */
export const withDigests = (bytes: Uint8Array): Uint8Array => writeSafetensors(partsOf(bytes));

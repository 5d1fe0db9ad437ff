// Small seeded models for the tests of this folder, and an onnxruntime session that gets only their bytes.

import { create, toBinary } from '@bufbuild/protobuf';
import {
  type Backend,
  type ClassifierOptions,
  type Distance,
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansQuantileRegressor,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  isFkmError,
  jsBackend,
  type SoftType,
  type StrategyOptions,
} from '@fkm/core';
import {
  constantNames,
  digestText,
  type Estimator,
  type EstimatorClasses,
  storedTensors,
} from '@fkm/core/deploy';
import { distanceNames, softTypeNames } from '@fkm/core/graph';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import type { ExportOptions } from './export-options.js';
import { type ModelProto, ModelProtoSchema, StringStringEntryProtoSchema } from './generated/onnx_pb.js';
import { importOnnx } from './import-onnx.js';
import { readOnnx } from './read-onnx.js';
import { readInitializers, readParts } from './read-parts.js';

export const backend: Backend = jsBackend();

/** Numbers in [0, 1), reproducible by seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Rows of D uniform features in [−1, 1]. */
export function rows(count: number, columns = 4, seed = 1): number[][] {
  const random = seeded(seed);
  return Array.from({ length: count }, () => Array.from({ length: columns }, () => 2 * random() - 1));
}

/** Rows with a third of the values missing, as NaN, and their mask. */
export function withHoles(X: readonly (readonly number[])[], seed = 2): { X: number[][]; mask: number[][] } {
  const random = seeded(seed);
  const mask = X.map((row) => row.map(() => (random() < 1 / 3 ? 0 : 1)));
  return { X: X.map((row, i) => row.map((v, j) => (mask[i]?.[j] === 0 ? Number.NaN : v))), mask };
}

const side = (v: number | undefined): boolean => (v as number) > 0;
const numbers = (X: readonly (readonly number[])[]): number[] =>
  X.map(([a, b]) => 3 * (a as number) + Math.sin(4 * (b as number)));
const classes = (X: readonly (readonly number[])[]): string[] =>
  X.map(([a, b]) => (side(a) ? 'beta' : side(b) ? 'gämma' : 'alpha'));
const labelSets = (X: readonly (readonly number[])[]): string[][] =>
  X.map(([a, b]) => [
    ...(side(a) ? ['beta'] : []),
    ...(side(b) ? ['gämma'] : []),
    ...(side((a as number) + (b as number)) ? [] : ['alpha']),
  ]);

type Targets<Y> = (X: readonly (readonly number[])[]) => Y;
/** Targets for rows, for each kind of estimator. */
export const targetsOf: {
  readonly numbers: Targets<number[]>;
  readonly classes: Targets<string[]>;
  readonly labelSets: Targets<string[][]>;
} = { numbers, classes, labelSets };
export const trainingRows: readonly (readonly number[])[] = rows(80);

export type Settings = Partial<Omit<ClassifierOptions, 'backend'>> & Readonly<Record<string, unknown>>;

/** Few prototypes: two heads with 'gaussian', else six a class, a stratum, or in total. */
const few = ({ softType = 'gaussian' }: Settings, otherwise: object): object =>
  softType === 'gaussian' ? { nPrototypes: 12, heads: 2 } : otherwise;

/** A model of each estimator, fitted to one batch. */
export const learned = {
  clusterer: async (options: Settings = {}): Promise<FastKMeansClusterer> => {
    const model = new FastKMeansClusterer({ backend, kInit: 6, ...options });
    await model.fitBatch(trainingRows as number[][]);
    return model;
  },
  classifier: async (options: Settings = {}): Promise<FastKMeansClassifier> => {
    const model = new FastKMeansClassifier({ backend, ...few(options, { kInit: 4 }), ...options });
    await model.fitBatch(trainingRows as number[][], classes(trainingRows));
    return model;
  },
  multiLabel: async (options: Settings = {}): Promise<FastMultiLabelKMeansClassifier> => {
    const model = new FastMultiLabelKMeansClassifier({ backend, ...few(options, { kInit: 4 }), ...options });
    await model.fitBatch(trainingRows as number[][], labelSets(trainingRows));
    return model;
  },
  regressor: async (options: Settings = {}): Promise<FastKMeansRegressor> => {
    const model = new FastKMeansRegressor({
      backend,
      ...few(options, { kTargets: 4, kFeatures: 3 }),
      ...options,
    });
    await model.fitBatch(trainingRows as number[][], numbers(trainingRows));
    return model;
  },
  quantileRegressor: async (options: Settings = {}): Promise<FastKMeansQuantileRegressor> => {
    const model = new FastKMeansQuantileRegressor({
      backend,
      ...few(options, { kTargets: 4, kFeatures: 3 }),
      ...options,
    });
    await model.fitBatch(trainingRows as number[][], numbers(trainingRows));
    return model;
  },
} as const;
// Of every estimator.
learned satisfies { [T in keyof EstimatorClasses]: (options?: Settings) => Promise<Estimator> };

export const distances: readonly Distance[] = distanceNames;
export const softTypes: readonly SoftType[] = softTypeNames;

export interface Answer {
  readonly type: string;
  readonly dims: readonly number[];
  /** int64 as numbers. */
  readonly data: readonly (number | string)[];
}

const tensor = (X: readonly (readonly number[])[], columns: number): Tensor =>
  new Tensor('float32', Float32Array.from(X.flat()), [X.length, columns]);

/** A file in onnxruntime, with default options except the log level. */
export async function opened(bytes: Uint8Array): Promise<{
  run(
    X: readonly (readonly number[])[],
    mask?: readonly (readonly number[])[],
  ): Promise<Record<string, Answer>>;
  readonly session: InferenceSession;
}> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  return {
    session,
    async run(X, mask) {
      const columns = session.inputMetadata[0]?.isTensor ? Number(session.inputMetadata[0].shape[1]) : 0;
      const results = await session.run({
        X: tensor(X, columns),
        ...(mask ? { feature_mask: tensor(mask, columns) } : {}),
      });
      return Object.fromEntries(
        Object.entries(results).map(([name, { type, dims, data }]) => [
          name,
          { type, dims, data: Array.from(data as ArrayLike<number | string | bigint>, plain) },
        ]),
      );
    },
  };
}

const plain = (value: number | string | bigint): number | string =>
  typeof value === 'bigint' ? Number(value) : value;

/** Exports, opens, runs and closes. */
export async function exported(
  model: Estimator,
  X: readonly (readonly number[])[],
  options: ExportOptions = {},
  mask?: readonly (readonly number[])[],
): Promise<Record<string, Answer>> {
  const { run, session } = await opened(exportOnnx(model, options));
  const answers = await run(X, mask);
  await session.release();
  return answers;
}

/** Expects numbers to agree to 1e-5, relative for values above 1. */
export function expectClose(
  actual: Answer | undefined,
  expected: ArrayLike<number>,
  shape: readonly number[],
): void {
  expect(actual?.dims).toEqual(shape);
  expect(actual?.data).toHaveLength(expected.length);
  const worst = Math.max(
    0,
    ...Array.from(
      expected,
      (value, i) => Math.abs((actual?.data[i] as number) - value) / Math.max(1, Math.abs(value)),
    ),
  );
  expect(worst).toBeLessThanOrEqual(1e-5);
}

/** Expects labels to be equal, except where the scores of both are within rounding: then either is right. */
export function expectLabels(
  actual: Answer | undefined,
  expected: ArrayLike<number | string>,
  scores: ArrayLike<number>,
  place: (label: number | string) => number,
): void {
  expect(actual?.data).toHaveLength(expected.length);
  const width = scores.length / expected.length;
  let ties = 0;
  Array.from(expected).forEach((label, i) => {
    const found = actual?.data[i] as number | string;
    if (found === label) return;
    const score = (of: number | string): number => scores[i * width + place(of)] as number;
    expect(Math.abs(score(found) - score(label)), `row ${i}: ${found} or ${label}`).toBeLessThan(1e-6);
    ties++;
  });
  expect(ties, 'rows at ties').toBeLessThanOrEqual(expected.length / 10);
}

/** Expects the exported model to answer like the model itself. */
export async function expectAgreement(
  model: Estimator,
  X: number[][],
  options: ExportOptions = {},
  mask?: number[][],
): Promise<Record<string, Answer>> {
  const answers = await exported(model, X, { ...options, featureMask: mask !== undefined }, mask);
  await expectAnswers(answers, model, X, options, mask);
  return answers;
}

/** Rows on which exported models are tested, and the same with missing values. */
export const judgedRows: number[][] = rows(53, 4, 7);
export const judgedHoles: { X: number[][]; mask: number[][] } = withHoles(judgedRows);

/** Expects agreement on complete rows and on rows with missing values. */
export async function expectBoth(model: Estimator, options: ExportOptions = {}): Promise<void> {
  await expectAgreement(model, judgedRows, options);
  await expectAgreement(model, judgedHoles.X, options, judgedHoles.mask);
}

/** Compares the answers of any runtime with those of the model. */
export async function expectAnswers(
  answers: Readonly<Record<string, Answer>>,
  model: Estimator,
  X: number[][],
  options: ExportOptions = {},
  mask?: number[][],
): Promise<void> {
  const given = mask ? { featureMask: mask } : {};
  const count = X.length;
  if (model instanceof FastKMeansRegressor || model instanceof FastKMeansQuantileRegressor) {
    const { data, shape } = await model.predict(X, given);
    expectClose(answers.variable, data, [count, shape[1] ?? 1]);
  } else if (model instanceof FastKMeansClusterer) {
    const similarities = await model.transform(X, given);
    const { distance } = (model as unknown as { options: { distance: Distance } }).options;
    const { scores, label } = answers;
    const similar: Readonly<Record<Distance, (d: number) => number>> = {
      cosine: (d) => 1 - d,
      euclidean: (d) => 1 / (1 + d * d),
      l1: (d) => 1 / (1 + d),
    };
    const back = scores && { ...scores, data: scores.data.map((d) => similar[distance](d as number)) };
    expectClose(back, similarities.data, similarities.shape);
    expect(label?.type).toBe('int64');
    expectLabels(label, (await model.predict(X, given)).data, similarities.data, Number);
  } else if (model instanceof FastKMeansClassifier) {
    const { data, shape } = await model.predictProba(X, given);
    expectClose(answers.probabilities, data, shape);
    const names = model.classes;
    const { data: found } = await model.predict(X, given);
    expectLabels(answers.label, found, data, (name) => names.indexOf(name));
  } else {
    const { data, shape } = await model.predictProba(X, given);
    expectClose(answers.probabilities, data, shape);
    const { strategy, k } = options;
    const how: StrategyOptions = { ...given, strategy, k };
    expect(answers.label?.type).toBe('int64');
    expect(answers.label?.data).toEqual(Array.from((await model.predict(X, how)).data));
  }
}

const entriesOf = (proto: ModelProto): Map<string, string> =>
  new Map(proto.metadataProps.map(({ key, value }) => [key as string, value as string]));

const withEntries = (proto: ModelProto, entries: ReadonlyMap<string, string>): Uint8Array => {
  proto.metadataProps = Array.from(entries, ([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  return toBinary(ModelProtoSchema, proto);
};

/** The file with digests of its current content, so that deeper checks have to find what was changed. */
export function withDigests(bytes: Uint8Array): Uint8Array {
  const proto = readOnnx(bytes);
  const entries = entriesOf(proto);
  entries.delete('fkm.digest');
  const { graph } = readParts(bytes);
  const tensors = storedTensors(readInitializers(graph, constantNames));
  entries.set('fkm.digest', digestText({ metadata: Object.fromEntries(entries), tensors }));
  return withEntries(proto, entries);
}

/** The file as the first version wrote it. */
export function withoutDigests(bytes: Uint8Array): Uint8Array {
  const proto = readOnnx(bytes);
  const entries = entriesOf(proto);
  entries.delete('fkm.digest');
  entries.set('fkm.version', '1.0');
  const { version: _, ...written } = JSON.parse(entries.get('fkm.export') as string);
  entries.set('fkm.export', JSON.stringify(written));
  return withEntries(proto, entries);
}

/** The error text of `importOnnx` for bytes that it refuses. */
export async function refusal(bytes: unknown): Promise<string> {
  const error = await importOnnx(bytes as Uint8Array, { backend }).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) throw new Error('nothing was refused');
  if (!isFkmError(error) || error.kind !== 'format') throw error;
  expect(error.message).toMatch(/^\[fkm\/onnx\] importOnnx: .*pass the bytes of exportOnnx\(\)\.$/);
  return error.message;
}

/** A change of a file's messages. */
export type Change = (model: ModelProto) => unknown;

/** A regressor's file with changed messages. */
export async function changed(change: Change, options: ExportOptions = {}): Promise<Uint8Array> {
  const model = readOnnx(exportOnnx(await learned.regressor(), options));
  change(model);
  return toBinary(ModelProtoSchema, model);
}

/** A change of one text of the metadata. */
export const metadataText =
  (key: string, change: (value: string) => string): Change =>
  (model) => {
    const entry = model.metadataProps.find((one) => one.key === key);
    if (!entry) throw new Error(`there is no ${key}`);
    const before = entry.value as string;
    entry.value = change(before);
    expect(entry.value).not.toBe(before);
  };

/** The file with matching digests, if it can be read far enough. */
export function sealed(bytes: Uint8Array): Uint8Array {
  try {
    return withDigests(bytes);
  } catch {
    return bytes;
  }
}

// Serves models to another language: reads a line of JSON, calls an estimator, answers by a line of JSON. Models are passed as
// base64 of `save()`. Used only by `bench estimator-checks`; numbers are float64, as from a JavaScript caller.

import { createInterface } from 'node:readline';
import {
  type Csr,
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  isFkmError,
  type Matrix,
} from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';

interface Packed {
  readonly base64: string;
  readonly shape: readonly number[];
}

interface PackedRows {
  readonly indptr: Packed;
  readonly indices: Packed;
  readonly values: Packed;
  readonly shape: readonly [number, number];
}

interface Request {
  readonly call: 'fit' | 'fitBatch' | 'predict' | 'predictProba' | 'transform';
  readonly estimator: keyof typeof estimators;
  readonly options?: object;
  readonly model?: string | null;
  readonly X: Packed | PackedRows;
  readonly y?: Packed;
  readonly labels?: readonly number[];
  readonly sampleWeight?: Packed;
  readonly epochs?: number;
}

type Model = FastKMeansClassifier | FastKMeansClusterer | FastKMeansRegressor;

const estimators = {
  classifier: FastKMeansClassifier,
  clusterer: FastKMeansClusterer,
  regressor: FastKMeansRegressor,
} as const;

const backend = await openBackend((process.argv[2] ?? 'onnx') as BackendName);

function numbers({ base64 }: Packed): Float64Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function matrix(packed: Packed | PackedRows): Matrix {
  if (!('indptr' in packed)) {
    return { data: numbers(packed), shape: packed.shape as readonly [number, number] };
  }
  const indptr = Int32Array.from(numbers(packed.indptr));
  const indices = Int32Array.from(numbers(packed.indices));
  return { indptr, indices, values: numbers(packed.values), shape: packed.shape } satisfies Csr;
}

const dtypes = new Map<unknown, string>([
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int32Array, 'int32'],
]);

function packed({ data, shape }: { readonly data: unknown; readonly shape: readonly number[] }): object {
  const array = data as Float32Array;
  const base64 = Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
  return { base64, shape, dtype: dtypes.get(array.constructor) };
}

async function opened(request: Request): Promise<Model> {
  const Estimator = estimators[request.estimator];
  return request.model
    ? await Estimator.load(Buffer.from(request.model, 'base64'), { backend })
    : new Estimator({ backend, ...request.options });
}

/** Targets in the estimator's form. */
const targets = ({ y, labels }: Request): never =>
  (labels ?? (y && (y.shape.length === 1 ? numbers(y) : matrix(y)))) as never;

async function learn(model: Model, request: Request): Promise<object> {
  const X = matrix(request.X);
  const options = request.sampleWeight ? { sampleWeight: numbers(request.sampleWeight) } : {};
  if (request.call === 'fitBatch') await model.fitBatch(X, targets(request), options);
  else {
    await model.fit(X, targets(request), options);
    if (request.epochs) {
      await model.finetune(X, targets(request), { ...options, epochs: request.epochs });
    }
  }
  const bytes = Buffer.from(await model.save()).toString('base64');
  if (!(model instanceof FastKMeansClusterer) || request.call === 'fitBatch') return { model: bytes };
  // A finetuned clusterer has no labels.
  const labels = request.epochs ? (await model.predict(X)).data : model.labels;
  return { model: bytes, labels: packed({ data: labels, shape: [labels.length] }), inertia: model.inertia };
}

async function answer(request: Request): Promise<object> {
  const model = await opened(request);
  if (request.call === 'fit' || request.call === 'fitBatch') return learn(model, request);
  const X = matrix(request.X);
  if (request.call === 'predictProba') return packed(await (model as FastKMeansClassifier).predictProba(X));
  return packed(await (request.call === 'predict' ? model.predict(X) : model.transform(X)));
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: object;
  try {
    reply = await answer(JSON.parse(line) as Request);
  } catch (error) {
    reply = {
      error: error instanceof Error ? error.message : String(error),
      kind: isFkmError(error) ? error.kind : 'other',
    };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

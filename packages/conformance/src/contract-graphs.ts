// Two small graphs for the checks of the contract, with their rows and results.

import {
  BATCH,
  type Backend,
  evaluateGraph,
  exp,
  type Graph,
  isFkmError,
  matmul,
  type NdArray,
  ndarray,
  neg,
  sizeOf,
  type TypedArray,
  trace,
  type Value,
} from '@fkm/core/graph';
import { expect } from 'vitest';
import { expectValue, type Precision } from './compare.js';
import { seeded, uniform } from './random.js';

export const f32 = (...shape: number[]): { shape: number[]; dtype: 'float32' } => ({
  shape,
  dtype: 'float32',
});

/** features·weights and its exponential; traced again at each call. */
export const layer = (): Graph =>
  trace('layer', { features: f32(BATCH, 3), weights: f32(3, 4) }, ({ features, weights }) => {
    const product = matmul(features, weights);
    return { product, powers: exp(product) };
  });

export const negate = (): Graph => trace('negate', { x: f32(BATCH, 4) }, ({ x }) => ({ y: neg(x) }));

export const random = (seed: string, ...shape: number[]): NdArray =>
  ndarray(uniform(-1, 1)(sizeOf(shape), seeded(seed)), shape);
export const layerInputs = (rows: number): NdArray[] => [
  random(`features ${rows}`, rows, 3),
  random('weights', 3, 4),
];

export const upload = (backend: Backend, arrays: readonly NdArray[]): Value[] =>
  arrays.map((array) => backend.upload(array));

export async function expectOutputs(
  backend: Backend,
  graph: Graph,
  inputs: readonly NdArray[],
  outputs: readonly Value[],
  precision: Precision,
): Promise<void> {
  const wanted = evaluateGraph(graph, inputs, 'float64');
  expect(outputs.length).toBe(wanted.length);
  for (const [i, port] of graph.outputs.entries()) {
    await expectValue(backend, outputs[i], wanted[i] as NdArray, port, { precision, scale: 4 });
  }
}

export async function failure(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (caught: unknown) => caught,
  );
  expect(isFkmError(error), `a typed error, got: ${error}`).toBe(true);
  return error as Error;
}

export const bytesOf = (data: TypedArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
export const readAll = (values: readonly Value[]): Promise<TypedArray[]> =>
  Promise.all(values.map((value) => value.read()));

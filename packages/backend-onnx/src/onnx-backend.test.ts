import { Worker } from 'node:worker_threads';
import { jsBackend } from '@fkm/core';
import {
  BATCH,
  type Backend,
  type BackendError,
  exp,
  type Graph,
  isFkmError,
  matmul,
  ndarray,
  neg,
  OptionError,
  ShapeError,
  StateError,
  topK,
  trace,
  type Value,
} from '@fkm/core/graph';
import * as runtime from 'onnxruntime-node';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { onnxBackend } from './index.js';

const opened: Backend[] = [];
const open = async (...options: Parameters<typeof onnxBackend>): Promise<Backend> => {
  const backend = await onnxBackend(...options);
  opened.push(backend);
  return backend;
};
afterEach(async () => {
  vi.restoreAllMocks();
  vi.doUnmock('onnxruntime-node');
  vi.resetModules();
  for (const backend of opened.splice(0)) await backend.dispose();
});

const negate = (): Graph =>
  trace('negate', { x: { shape: [BATCH, 2], dtype: 'float32' } }, ({ x }) => ({ y: neg(x) }));
const two = ndarray([1, 2, 3, 4], [2, 2]);
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('nothing was thrown'),
    (error) => error as Error,
  );

describe('options', () => {
  it('an unknown device is an OptionError that names those there are', async () => {
    const error = await failure(onnxBackend({ device: 'rocm' as 'cpu' }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toBe(
      "[fkm/backend-onnx] onnxBackend: device is 'rocm'; allowed is 'cpu', 'cuda', 'webgpu', 'wasm'.",
    );
  });

  it.each([0, 1.5, Number.NaN])('threads: %s is an OptionError', async (threads) => {
    expect(await failure(onnxBackend({ threads }))).toBeInstanceOf(OptionError);
  });

  it('a runtime that is handed in is the one that runs', async () => {
    const create = vi.spyOn(runtime.InferenceSession, 'create');
    const backend = await open({ ort: runtime, threads: 1 });
    await backend.compile(negate());
    expect(create).toHaveBeenCalledOnce();
    expect(create.mock.lastCall?.at(-1)).toMatchObject({ intraOpNumThreads: 1, executionProviders: ['cpu'] });
  });

  it('webgpu without a GPU is an error, and nothing else takes over', async () => {
    const create = vi.fn().mockRejectedValue(new Error('Failed to get a WebGPU adapter'));
    const ort = { ...runtime, InferenceSession: { create } };
    const error = (await failure(onnxBackend({ device: 'webgpu', ort }))) as BackendError;
    expect(isFkmError(error) && error.kind).toBe('backend');
    expect(error.message).toContain("device 'webgpu' found no GPU (Failed to get a WebGPU adapter). In Node");
    expect(create.mock.lastCall?.at(-1)).toMatchObject({ executionProviders: ['webgpu'] });
  });

  it('a missing runtime is a BackendError with the command that installs it', async () => {
    vi.resetModules();
    vi.doMock('onnxruntime-node', () => {
      throw new Error('Cannot find package');
    });
    const fresh = await import('./index.js');
    const error = (await failure(fresh.onnxBackend())) as BackendError;
    expect(isFkmError(error) && error.kind).toBe('backend');
    expect(error.message).toContain('npm install onnxruntime-node@1.30.0');
  });
});

describe('values', () => {
  it('uploads without a copy', async () => {
    const backend = await open();
    const data = Float32Array.of(1, 2);
    const value = backend.upload({ data, shape: [1, 2], dtype: 'float32' });
    data[0] = 5;
    const [y] = (await (await backend.compile(negate())).run([value])) as [Value];
    expect(Array.from(await y.read())).toEqual([-5, -2]);
  });

  it('takes memory that threads share', async () => {
    const backend = await open();
    const data = new Float32Array(new SharedArrayBuffer(8));
    data.set([1, 2]);
    const value = backend.upload({ data, shape: [1, 2], dtype: 'float32' });
    const [y] = (await (await backend.compile(negate())).run([value])) as [Value];
    expect(Array.from(await y.read())).toEqual([-1, -2]);
  });

  it.each([
    [
      'a shape that the array does not fill',
      { ...two, shape: [3, 2] },
      ShapeError,
      /4 values do not fill the shape \[3,2\]/,
    ],
    ['bfloat16', ndarray([1], [1], 'bfloat16'), Error, /has no bfloat16 tensors; use float32/],
    ['float64', { ...two, data: new Float64Array(4) }, Error, /wants a Float32Array, got a Float64Array/],
  ])('refuses %s', async (_, array, kind, message) => {
    const backend = await open();
    expect(() => backend.upload(array)).toThrow(kind);
    expect(() => backend.upload(array)).toThrow(message);
  });

  it('refuses values of another backend, and disposed ones', async () => {
    const backend = await open();
    const executable = await backend.compile(negate());
    const foreign = await failure(executable.run([jsBackend().upload(two)]));
    expect(foreign.message).toContain('input x is a value of another backend');
    const value = backend.upload(two);
    value.dispose();
    expect(await failure(executable.run([value]))).toBeInstanceOf(StateError);
    expect(await failure(value.read())).toBeInstanceOf(StateError);
  });
});

describe('compile', () => {
  it('makes one session for the same graph, asked for twice at once', async () => {
    const create = vi.spyOn(runtime.InferenceSession, 'create');
    const backend = await open({ ort: runtime });
    const [first, second] = await Promise.all([backend.compile(negate()), backend.compile(negate())]);
    expect(second).toBe(first);
    expect(create).toHaveBeenCalledOnce();
  });

  it('tries again after a failure', async () => {
    vi.spyOn(runtime.InferenceSession, 'create').mockRejectedValueOnce(new Error('out of memory'));
    const backend = await open({ ort: runtime });
    const error = await failure(backend.compile(negate()));
    expect(error.message).toBe('[fkm/backend-onnx] negate: onnxruntime refuses the graph: out of memory');
    await backend.compile(negate());
  });

  it('refuses bfloat16 with the reason of unsupported', async () => {
    const backend = await open();
    const graph = trace('half', { x: { shape: [2], dtype: 'bfloat16' } }, ({ x }) => ({ y: exp(x) }));
    const reason = backend.unsupported(graph.equations[0] as Graph['equations'][0]);
    expect(reason).toBe('exp: onnxruntime has no bfloat16 tensors in JavaScript; cast to float32.');
    expect((await failure(backend.compile(graph))).message).toBe(`[fkm/backend-onnx] half: ${reason}`);
  });

  it('a disposed backend or executable says so', async () => {
    const backend = await open();
    const executable = await backend.compile(negate());
    const value = backend.upload(two);
    await backend.dispose();
    expect(await failure(executable.run([value]))).toBeInstanceOf(StateError);
    expect(await failure(backend.compile(negate()))).toBeInstanceOf(StateError);
  });
});

describe('run', () => {
  it('a batch of no rows gives empty and neutral outputs', async () => {
    const backend = await open();
    const graph = trace('empty', { x: { shape: [BATCH, 3], dtype: 'float32' } }, ({ x }) => ({
      ...topK(x, 2),
      total: matmul(x, x, { transposeA: true }),
    }));
    const executable = await backend.compile(graph);
    const outputs = await executable.run([backend.upload(ndarray([], [0, 3]))]);
    expect(outputs.map((value) => [value.shape, value.dtype])).toEqual([
      [[0, 2], 'float32'],
      [[0, 2], 'int32'],
      [[3, 3], 'float32'],
    ]);
    expect(Array.from(await (outputs[2] as Value).read())).toEqual(new Array(9).fill(0));
  });

  it('works in a worker thread, beside the main one', async () => {
    const worker = new Worker(new URL('./worker.fixture.mjs', import.meta.url));
    const message = new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    const backend = await open();
    await backend.compile(negate());
    expect(await message).toEqual([-1, -2]);
    await worker.terminate();
  });
});

import { jsBackend } from '@fkm/core';
import type { Backend, Graph, Value } from '@fkm/core/graph';
import {
  BATCH,
  BackendError,
  exp,
  gather,
  isFkmError,
  matmul,
  mul,
  ndarray,
  OptionError,
  sub,
  sum,
  trace,
} from '@fkm/core/graph';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type TfjsCore, tfjsBackend } from './index.js';

const devices = ['cpu', 'wasm'] as const;

const scaled = (): Graph =>
  trace('scaled', { x: { shape: [BATCH, 3], dtype: 'float32' } }, ({ x }) => {
    const powers = exp(mul(x, 2));
    return { powers, total: sum(powers) };
  });

const rows = ndarray([0, 1, 2, 3, 4, 5], [2, 3]);

async function totals(backend: Backend, x: Value): Promise<number> {
  const [powers, total] = (await (await backend.compile(scaled())).run([x])) as [Value, Value];
  powers.dispose();
  const [number] = await total.read();
  total.dispose();
  return number as number;
}

const expected = [0, 2, 4, 6, 8, 10].reduce((a, x) => a + Math.exp(x), 0);

describe('two devices in one process', () => {
  it('work side by side, interleaved and at once', async () => {
    const [cpu, wasm] = await Promise.all([tfjsBackend({ device: 'cpu' }), tfjsBackend({ device: 'wasm' })]);
    const [onCpu, onWasm] = [cpu.upload(rows), wasm.upload(rows)];
    for (let i = 0; i < 3; i++) {
      const results = await Promise.all([totals(cpu, onCpu), totals(wasm, onWasm), totals(cpu, onCpu)]);
      for (const result of results) expect(result / expected).toBeCloseTo(1, 5);
    }
    // Each tensor is where its name says, so nothing ran on another device.
    const storages = devices.map((device) => tf.findBackend(device).numDataIds());
    const more = wasm.upload(rows);
    expect(devices.map((device) => tf.findBackend(device).numDataIds())).toEqual([
      storages[0],
      (storages[1] as number) + 1,
    ]);
    for (const value of [onCpu, onWasm, more]) value.dispose();
  });

  it('leave the current backend of tfjs as it was', async () => {
    await tf.setBackend('cpu');
    const wasm = await tfjsBackend({ device: 'wasm' });
    expect(tf.getBackend()).toBe('cpu');
    const x = wasm.upload(rows);
    await totals(wasm, x);
    expect(tf.getBackend()).toBe('cpu');
    const own = tf.tensor1d([1, 2]);
    expect(Array.from(await tf.add(own, own).data())).toEqual([2, 4]);
  });

  it('refuse values of each other', async () => {
    const [cpu, wasm] = [await tfjsBackend({ device: 'cpu' }), await tfjsBackend({ device: 'wasm' })];
    const executable = await wasm.compile(scaled());
    await expect(executable.run([cpu.upload(rows)])).rejects.toThrow(
      "[fkm/backend-tfjs] a value on tfjs 'cpu' cannot be used on tfjs 'wasm'; read() it and upload() it there.",
    );
    await expect(executable.run([jsBackend().upload(rows)])).rejects.toThrow('a value of another backend');
  });
});

describe.each(devices)('memory of %s', (device) => {
  const graph = trace(
    'memory',
    { x: { shape: [BATCH, 3], dtype: 'float32' }, i: { shape: [2], dtype: 'int32' } },
    ({ x, i }) => {
      const square = matmul(x, x, { transposeA: true });
      return { same: x, picked: gather(square, i), loss: sum(exp(sub(square, x.shape.length))) };
    },
  );

  it('does not grow with runs', async () => {
    const backend = await tfjsBackend({ device });
    const storage = tf.findBackend(device);
    const before = storage.numDataIds();
    const executable = await backend.compile(graph);
    const indices = backend.upload(ndarray([0, 2], [2], 'int32'));
    const compiled = storage.numDataIds();
    for (const count of [2, 7, 0, 2, 1]) {
      const x = backend.upload(ndarray(new Float32Array(count * 3).fill(0.5), [count, 3]));
      const outputs = await executable.run([x, indices]);
      // x and `same` are one array; the others are new.
      expect(storage.numDataIds()).toBe(compiled + 3);
      for (const value of [x, ...outputs]) value.dispose();
      expect(storage.numDataIds()).toBe(compiled);
    }
    indices.dispose();
    executable.dispose();
    expect(storage.numDataIds()).toBe(before);
  });

  it('does not grow with runs that fail, which say where', async () => {
    const backend = await tfjsBackend({ device });
    const storage = tf.findBackend(device);
    const executable = await backend.compile(graph);
    const inputs = [backend.upload(rows), backend.upload(ndarray([0, 9], [2], 'int32'))];
    const before = storage.numDataIds();
    const error = await executable.run(inputs).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toMatch(
      `memory: gather(float32[3,3], int32[2]) failed in tfjs '${device}': `,
    );
    expect(storage.numDataIds()).toBe(before);
    for (const value of inputs) value.dispose();
  });

  it('is given back by the backend’s dispose, but for values', async () => {
    const backend = await tfjsBackend({ device });
    const storage = tf.findBackend(device);
    const before = storage.numDataIds();
    const executable = await backend.compile(graph);
    expect(storage.numDataIds()).toBeGreaterThan(before);
    const value = backend.upload(rows);
    await backend.dispose();
    expect(storage.numDataIds()).toBe(before + 1);
    expect(Array.from(await value.read())).toEqual(Array.from(rows.data));
    value.dispose();
    await expect(value.read()).rejects.toThrow('this value was disposed');
    for (const call of [executable.run([]), backend.compile(graph)])
      await expect(call).rejects.toThrow(`this backend (tfjs ${device}) was disposed; make another one.`);
  });
});

describe('options', () => {
  afterEach(() => {
    vi.doUnmock('@tensorflow/tfjs-backend-wasm');
    vi.doUnmock('@tensorflow/tfjs-node-gpu');
    vi.resetModules();
  });

  it('name the devices there are', async () => {
    const failure = await tfjsBackend({ device: 'cuda' as 'wasm' }).catch((caught: unknown) => caught);
    expect(failure).toBeInstanceOf(OptionError);
    expect((failure as Error).message).toBe(
      "[fkm/backend-tfjs] tfjsBackend: device is 'cuda'; allowed is 'cpu', 'wasm', 'webgl', 'webgpu', 'node'.",
    );
  });

  it('take a namespace that was handed in', async () => {
    const backend = await tfjsBackend({ device: 'cpu', tf });
    expect(await totals(backend, backend.upload(rows))).toBeCloseTo(expected, -1);
  });

  it('say how to install a package that is missing', async () => {
    vi.resetModules();
    vi.doMock('@tensorflow/tfjs-backend-wasm', () => {
      throw new Error('not there');
    });
    const fresh = await import('./index.js');
    await expect(fresh.tfjsBackend({ device: 'wasm' })).rejects.toThrow(
      /device 'wasm' needs @tensorflow\/tfjs-backend-wasm, which did not load .* npm install @tensorflow\/tfjs-core@4\.22\.0 @tensorflow\/tfjs-backend-wasm@4\.22\.0$/s,
    );
  });

  describe('of GPUs that are not there', () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
    afterEach(() => {
      vi.doUnmock('webgpu');
      if (before) Object.defineProperty(globalThis, 'navigator', before);
      else Reflect.deleteProperty(globalThis, 'navigator');
    });
    const failing = async (device: 'node' | 'webgpu'): Promise<Error> => {
      const fresh = await import('./index.js');
      return fresh.tfjsBackend({ device }).catch((caught: unknown) => caught as Error) as Promise<Error>;
    };

    it('webgpu without the package says how to install it', async () => {
      vi.resetModules();
      vi.doMock('webgpu', () => {
        throw new Error('not there');
      });
      const error = await failing('webgpu');
      expect(isFkmError(error) && error.kind).toBe('backend');
      expect(error.message).toMatch(
        /needs the package webgpu, which did not load .* npm install webgpu@0\.6\.2$/s,
      );
    });

    it('webgpu without an adapter is an error, and nothing else takes over', async () => {
      vi.resetModules();
      vi.doMock('webgpu', () => ({ globals: {}, create: () => ({ requestAdapter: async () => null }) }));
      const error = await failing('webgpu');
      expect(isFkmError(error) && error.kind).toBe('backend');
      expect(error.message).toContain('WebGPU found no adapter. In Node it needs a Vulkan loader');
    });

    it('node without tfjs-node says how to install it', async () => {
      expect((await failing('node')).message).toMatch(
        /needs @tensorflow\/tfjs-node-gpu or @tensorflow\/tfjs-node, .* npm install @tensorflow\/tfjs-node-gpu@4\.22\.0$/s,
      );
    });
  });

  it('refuse a tfjs without the backend, and one that falls back to another', async () => {
    const without: TfjsCore = { ...tf, findBackendFactory: () => null };
    await expect(tfjsBackend({ device: 'wasm', tf: without })).rejects.toThrow("knows no backend 'wasm'");
    const falling: TfjsCore = { ...tf, setBackend: async () => true, getBackend: () => 'cpu' };
    await expect(tfjsBackend({ device: 'wasm', tf: falling })).rejects.toThrow(
      "tfjs could not start 'wasm' (active: cpu)",
    );
    const failing: TfjsCore = { ...tf, setBackend: async () => false };
    await expect(tfjsBackend({ device: 'wasm', tf: failing })).rejects.toThrow(BackendError);
  });

  it('webgl outside of a browser says that it needs one', async () => {
    await expect(tfjsBackend({ device: 'webgl' })).rejects.toThrow(
      "[fkm/backend-tfjs] @tensorflow/tfjs-core knows no backend 'webgl': it needs a browser; use 'wasm' or 'webgpu' elsewhere.",
    );
  });

  it('name the packages that there are for node', async () => {
    // The packages are not installed here: one that loads and registers nothing, and a backend without kernels.
    const driverless: TfjsCore = { ...tf, findBackendFactory: () => null };
    const drivers = '@tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node';
    vi.doMock('@tensorflow/tfjs-node-gpu', () => ({ ...driverless }));
    await expect(tfjsBackend({ device: 'node', tf: driverless })).rejects.toThrow(
      `the tfjs that was handed in knows no backend 'tensorflow': import ${drivers} where it resolves`,
    );
    const bare: TfjsCore = {
      ...tf,
      findBackendFactory: () => ({}),
      setBackend: async () => true,
      getBackend: () => 'tensorflow',
      findBackend: () => tf.findBackend('cpu'),
      getKernel: () => undefined,
    };
    await expect(tfjsBackend({ device: 'node', tf: bare })).rejects.toThrow(
      /tfjs 'node' has no kernel \w+; install @tensorflow\/tfjs-node-gpu@4\.22\.0 or @tensorflow\/tfjs-node@4\.22\.0\.$/,
    );
  });

  it('start one device at a time, since tfjs drops a start that another one overtakes', async () => {
    let [active, most] = [0, 0];
    const slow: TfjsCore = {
      ...tf,
      setBackend: async (name) => {
        most = Math.max(most, ++active);
        await new Promise((resolve) => setTimeout(resolve, 5));
        active--;
        return tf.setBackend(name);
      },
    };
    await Promise.all(devices.map((device) => tfjsBackend({ device, tf: slow })));
    expect(most).toBe(1);
  });

  it('refuse dtypes that tfjs lacks', async () => {
    const backend = await tfjsBackend({ device: 'cpu' });
    expect(() => backend.upload(ndarray([1], [1], 'float16'))).toThrow('tfjs has no dtype float16');
    const half = trace('half', { x: { shape: [2], dtype: 'bfloat16' } }, ({ x }) => ({ x }));
    await expect(backend.compile(half)).rejects.toThrow(
      'half: x: tfjs has no dtype bfloat16; cast to float32.',
    );
    expect(() => backend.upload({ data: new Float32Array(2), shape: [3], dtype: 'float32' })).toThrow(
      'an array of 2 elements does not fill the shape [3], which has 3.',
    );
  });
});

// Searches against the bodies of the composites, evaluated in float64 on the reference.

import {
  BATCH,
  BackendError,
  decodeHalf,
  encodeHalf,
  evaluateGraph,
  type NdArray,
  ndarray,
  nearest,
  type Tensor,
  topKSimilar,
  trace,
} from '@fkm/core/graph';
import { afterAll, describe, expect, it } from 'vitest';
import type { GpuDevice } from './gpu.js';
import { openDevice, type SearchSpec, search, type Tile } from './index.js';
import { bufferOf, readBack, useSwiftShader } from './testing/index.js';
import { bytesOf, chooseTile, threadsOf } from './tiles.js';

useSwiftShader();
// Before tests are declared: what the device lacks is skipped by name.
const { device } = await openDevice();
afterAll(() => device.destroy());

/** Numbers in [-1, 1) that repeat themselves for a seed. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

interface Case extends SearchSpec {
  readonly rows: number;
}

const plain: SearchSpec = {
  distance: 'euclidean',
  columns: 8,
  prototypes: 30,
  masked: false,
  weighted: false,
  rowType: 'float32',
  prototypeType: 'float32',
  k: 0,
};
const base: Case = { ...plain, rows: 70 };

type Arrays = Record<'x' | 'prototypes' | 'mask' | 'weights', Float32Array>;

const arraysOf = ({ rows, columns, prototypes }: Case): Arrays => ({
  x: numbers(rows * columns, 1),
  prototypes: numbers(prototypes * columns, 2),
  mask: numbers(rows * columns, 3).map((m) => (m < -0.9 ? 0 : Math.abs(m))),
  weights: numbers(columns, 4).map((w) => Math.abs(w)),
});

async function run(
  spec: Case,
  arrays: Arrays,
  tile?: Tile,
  on: GpuDevice = device,
): Promise<{ index: Int32Array; value: Float32Array }> {
  const { rows, ...searched } = spec;
  const { k } = searched;
  const results = 4 * rows * Math.max(1, k);
  device.pushErrorScope('validation');
  const half = (values: Float32Array, type: string): ArrayBufferView =>
    type === 'float16' ? encodeHalf(values, 'float16') : values;
  const buffers = {
    x: bufferOf(device, half(arrays.x, spec.rowType)),
    prototypes: bufferOf(device, half(arrays.prototypes, spec.prototypeType)),
    mask: bufferOf(device, arrays.mask),
    weights: bufferOf(device, arrays.weights),
    index: bufferOf(device, new Int32Array(results / 4).fill(-7)),
    value: bufferOf(device, new Float32Array(results / 4).fill(-7)),
  };
  const searching = search(on, searched, tile);
  const encoder = device.createCommandEncoder();
  searching.encode(encoder, rows, buffers);
  device.queue.submit([encoder.finish()]);
  const index = new Int32Array(await readBack(device, buffers.index, results));
  const value = new Float32Array(await readBack(device, buffers.value, results));
  searching.dispose();
  for (const buffer of Object.values(buffers)) buffer.destroy();
  expect((await device.popErrorScope())?.message).toBeUndefined();
  return { index, value };
}

/** The body of the composite in float64. */
function wanted(spec: Case, arrays: Arrays): { index: number[]; value: number[] } {
  const { rows, columns, prototypes, masked, weighted, distance, k } = spec;
  const f32 = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const;
  const specs = {
    x: f32(BATCH, columns),
    prototypes: f32(prototypes, columns),
    ...(masked ? { mask: f32(BATCH, columns) } : {}),
    ...(weighted ? { weights: f32(1, columns) } : {}),
  };
  const graph = trace('wanted', specs, (t) => {
    const comparison = { distance, ...t } as { distance: typeof distance; x: Tensor; prototypes: Tensor };
    if (k === 0) {
      const { index, delta } = nearest(comparison);
      return { index, value: delta };
    }
    const { index, similarity } = topKSimilar(comparison, k);
    return { index, value: similarity };
  });
  const inputs: NdArray[] = [
    ndarray(arrays.x, [rows, columns]),
    ndarray(arrays.prototypes, [prototypes, columns]),
    ...(masked ? [ndarray(arrays.mask, [rows, columns])] : []),
    ...(weighted ? [ndarray(arrays.weights, [1, columns])] : []),
  ];
  const [index, value] = evaluateGraph(graph, inputs, 'float64') as [NdArray, NdArray];
  return { index: Array.from(index.data), value: Array.from(value.data) };
}

async function expectBody(
  spec: Case,
  arrays: Arrays = arraysOf(spec),
  tile?: Tile,
  on?: GpuDevice,
): Promise<void> {
  const [got, want] = [await run(spec, arrays, tile, on), wanted(spec, arrays)];
  expect(Array.from(got.index)).toEqual(want.index);
  // Sums of at most 100 products of numbers up to 2, each rounded to 24 bits.
  const off = want.value.map((v, i) => Math.abs(v - (got.value[i] as number)) / (1 + Math.abs(v)));
  expect(Math.max(...off)).toBeLessThan(2e-5);
}

const distances = ['euclidean', 'cosine', 'l1'] as const;
const variants = distances.flatMap((distance) =>
  [false, true].flatMap((masked) => [false, true].map((weighted) => ({ distance, masked, weighted }))),
);

describe.each(variants)('$distance, masked $masked, weighted $weighted', (variant) => {
  it.each([
    { rows: 5, columns: 3, prototypes: 70 },
    { rows: 131, columns: 20, prototypes: 129 },
  ])('nearest: $rows rows, $columns columns, $prototypes prototypes', async (size) => {
    await expectBody({ ...base, ...variant, ...size });
  });

  it('the most similar', async () => {
    await expectBody({ ...base, ...variant, rows: 37, columns: 10, prototypes: 71, k: 5 });
  });
});

describe('cosine of rows and prototypes of any length', () => {
  const lengths = [1e-30, 1e-11, 1, 2e19, 1e37];
  it.each(
    [false, true].flatMap((masked) =>
      [false, true].flatMap((weighted) => [0, 3].map((k) => ({ masked, weighted, k }))),
    ),
  )('masked $masked, weighted $weighted, k $k', async (variant) => {
    const spec: Case = { ...base, ...variant, distance: 'cosine', rows: 45, columns: 6, prototypes: 40 };
    const arrays = arraysOf(spec);
    const lengthOf = (i: number, step: number): number =>
      lengths[(step * Math.floor(i / spec.columns)) % lengths.length] as number;
    const x = arrays.x.map((v, i) => v * lengthOf(i, 1));
    // What is masked says nothing of a length.
    x.forEach((_, i) => {
      if (variant.masked && arrays.mask[i] === 0) x[i] = 3e38;
    });
    const prototypes = arrays.prototypes.map((v, i) => v * lengthOf(i, 2));
    for (const weight of [1e-30, 1, 1e30]) {
      const weights = arrays.weights.map((w, i) => (i === 0 ? 0 : w * weight));
      await expectBody(spec, { ...arrays, x, prototypes, weights });
    }
  });

  it('of [0, 2e19] and of [0, 1e-30] is that of [0, 1]', async () => {
    const spec: Case = { ...base, distance: 'cosine', rows: 3, columns: 2, prototypes: 2 };
    const arrays = { ...arraysOf(spec), x: Float32Array.of(0, 2e19, 0, 1e-30, 1e-11, 0) };
    arrays.prototypes = Float32Array.of(1, 0, 0, 1);
    const { index, value } = await run(spec, arrays);
    expect([[...index], [...value]]).toEqual([
      [1, 1, 0],
      [0, 0, 0],
    ]);
  });

  it('is not looked at where the search is told that it is moderate', async () => {
    const spec: Case = { ...base, distance: 'cosine', moderate: true };
    await expectBody(spec);
    const [known, looked] = [
      await run(spec, arraysOf(spec)),
      await run({ ...spec, moderate: false }, arraysOf(spec)),
    ];
    expect(looked).toEqual(known);
  });
});

describe('sizes', () => {
  it.each([
    { rows: 70, columns: 8, prototypes: 30 },
    { rows: 1, columns: 1, prototypes: 1 },
    { rows: 32, columns: 16, prototypes: 16 },
    { rows: 33, columns: 7, prototypes: 17 },
  ])('$rows rows, $columns columns, $prototypes prototypes', async (size) => {
    await expectBody({ ...base, ...size });
  });
});

describe('tiles', () => {
  it.each<[string, Tile]>([
    ['of large GPUs', { rows: 128, prototypes: 128, depth: 16, own: [8, 8], across: 8, unrolled: false }],
    ['of phones', { rows: 64, prototypes: 64, depth: 16, own: [4, 4], across: 8, unrolled: false }],
    ['written out', { rows: 32, prototypes: 32, depth: 8, own: [4, 4], across: 8, unrolled: true }],
  ])('%s give the same', async (_, tile) => {
    const spec = { ...base, rows: 150, columns: 20, prototypes: 150 };
    await expectBody(spec, arraysOf(spec), tile);
  });

  it('fit into the limits that every device has', () => {
    const limits = {
      maxComputeWorkgroupStorageSize: 16384,
      maxComputeInvocationsPerWorkgroup: 128,
      maxStorageBufferBindingSize: 2 ** 27,
      maxComputeWorkgroupsPerDimension: 65535,
      maxStorageBuffersPerShaderStage: 8,
    };
    const least = { ...device, adapterInfo: { architecture: 'mali', description: '' }, limits } as GpuDevice;
    for (const operands of [1, 2]) {
      for (const most of [16, 64]) {
        const tile = chooseTile(least, 1000, operands, most);
        expect(threadsOf(tile)).toBeLessThanOrEqual(128);
        expect(bytesOf(tile, operands)).toBeLessThanOrEqual(16384);
      }
    }
    const large = {
      ...limits,
      maxComputeInvocationsPerWorkgroup: 1024,
      maxComputeWorkgroupStorageSize: 49152,
    };
    expect(chooseTile({ ...least, limits: large }, 1000, 1, 64).rows).toBe(128);
  });
});

describe('rows beyond one binding', () => {
  it('are searched in slices', async () => {
    const spec = { ...base, rows: 300, columns: 4 };
    // 128 rows of 4 columns: three slices.
    const narrow = new Proxy(device, {
      get(target, name) {
        if (name === 'limits') return { ...copyOf(target.limits), maxStorageBufferBindingSize: 128 * 16 };
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    await expectBody(spec, arraysOf(spec), undefined, narrow);
  });
});

const copyOf = (limits: GpuDevice['limits']): GpuDevice['limits'] => ({
  maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
  maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
  maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
  maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
  maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
});

describe('equals and NaN', () => {
  it('the lowest wins within what one thread holds', async () => {
    const tile: Tile = { rows: 128, prototypes: 128, depth: 16, own: [8, 8], across: 8, unrolled: false };
    const spec = { ...base, rows: 20, columns: 5, prototypes: 128 };
    const arrays = arraysOf(spec);
    // One thread holds places 0 to 3 and 64 to 67.
    const repeated = arrays.prototypes.map((_, i) => arrays.prototypes[i % 10] as number);
    await expectBody(spec, { ...arrays, prototypes: repeated }, tile);
  });

  it.each(distances)('%s: the lowest of equal prototypes wins', async (distance) => {
    const spec = { ...base, distance, rows: 20, columns: 5, prototypes: 64 };
    const arrays = arraysOf(spec);
    // The same five prototypes again and again.
    const repeated = arrays.prototypes.map((_, i) => arrays.prototypes[i % 25] as number);
    const { index } = await run(spec, { ...arrays, prototypes: repeated });
    expect(Math.max(...index)).toBeLessThan(5);
    const most = await run({ ...spec, k: 6 }, { ...arrays, prototypes: repeated });
    for (let row = 0; row < spec.rows; row++) {
      const first = index[row] as number;
      expect(Array.from(most.index.subarray(6 * row, 6 * row + 6))).toEqual(
        [0, 1, 2, 3, 4, 5].map((i) => first + 5 * i),
      );
    }
  });

  it.each(distances)(
    '%s: a row with NaN goes to the first prototype, at NaN; others are not touched',
    async (distance) => {
      const spec = { ...base, distance, rows: 20, columns: 5 };
      const arrays = arraysOf(spec);
      const clean = await run(spec, arrays);
      arrays.x[7 * 5 + 2] = Number.NaN;
      const { index, value } = await run(spec, arrays);
      expect([index[7], value[7]]).toEqual([0, Number.NaN]);
      [clean.index[7], clean.value[7]] = [0, Number.NaN];
      expect([Array.from(index), Array.from(value)]).toEqual([
        Array.from(clean.index),
        Array.from(clean.value),
      ]);
    },
  );

  it.each(distances)('%s: NaN behind the mask is not seen', async (distance) => {
    const spec = { ...base, distance, masked: true, rows: 20, columns: 5 };
    const arrays = arraysOf(spec);
    arrays.mask[7 * 5 + 2] = 0;
    const clean = await run(spec, arrays);
    arrays.x[7 * 5 + 2] = Number.NaN;
    expect(await run(spec, arrays)).toEqual(clean);
  });

  it.each(distances)(
    '%s: a prototype with NaN makes every δ NaN, and the first one stops the search',
    async (distance) => {
      const spec = { ...base, distance, rows: 20, columns: 5 };
      for (const broken of [0, 3]) {
        const arrays = arraysOf(spec);
        arrays.prototypes[broken * 5 + 1] = Number.NaN;
        const [got, want] = [await run(spec, arrays), wanted(spec, arrays)];
        expect(Array.from(got.index)).toEqual(want.index);
        expect(Array.from(got.value)).toEqual(want.value);
      }
    },
  );
});

describe('errors', () => {
  it.each<[object, string]>([
    [{ columns: 0 }, 'search: columns is 0; allowed is a positive integer'],
    [{ distance: 'chess' }, "search: distance is 'chess'; allowed is 'cosine', 'euclidean', 'l1'"],
    [{ mask: true }, 'search: there is no option mask;'],
    [{ prototype: 3 }, 'Did you mean prototypes?'],
  ])('a search of %o', (options, says) => {
    expect(() => search(device, { ...plain, ...options } as SearchSpec)).toThrow(
      expect.objectContaining({ kind: 'option', message: expect.stringContaining(says) }),
    );
  });

  it('float16 on a device without it', () => {
    const without = { ...device, features: { has: () => false } } as GpuDevice;
    expect(() => search(without, { ...plain, rowType: 'float16' })).toThrow(BackendError);
  });

  it('a buffer that is too small names what is needed', () => {
    const small = bufferOf(device, 64);
    const searching = search(device, plain);
    const buffers = { x: small, prototypes: small, index: small, value: small };
    expect(() => searching.encode(device.createCommandEncoder(), 70, buffers)).toThrow(
      '[fkm/webgpu] search: x has 64 bytes, 70 rows need 2240.',
    );
  });
});

function withHalves(): void {
  const rounded = (values: Float32Array): Float32Array =>
    Float32Array.from(decodeHalf(encodeHalf(values, 'float16'), 'float16'));
  /** Rows and prototypes on the grid of the types that the search reads. */
  const onGrid = (spec: Case, { x, prototypes, ...others }: Arrays): Arrays => ({
    ...others,
    x: spec.rowType === 'float16' ? rounded(x) : x,
    prototypes: spec.prototypeType === 'float16' ? rounded(prototypes) : prototypes,
  });
  const half: Case = { ...base, rowType: 'float16', prototypeType: 'float16' };

  it.each(variants)('nearest: $distance, masked $masked, weighted $weighted', async (variant) => {
    const spec = { ...half, ...variant, rows: 130, columns: 5, prototypes: 70 };
    await expectBody(spec, onGrid(spec, arraysOf(spec)));
  });

  it.each(variants)('the most similar: $distance, masked $masked, weighted $weighted', async (variant) => {
    const spec = { ...half, ...variant, rows: 38, columns: 8, prototypes: 71, k: 5 };
    await expectBody(spec, onGrid(spec, arraysOf(spec)));
  });

  it.each([
    ['float16', 'float32'],
    ['float32', 'float16'],
  ] as const)('rows of %s, prototypes of %s', async (rowType, prototypeType) => {
    const spec = { ...base, rowType, prototypeType };
    await expectBody(spec, onGrid(spec, arraysOf(spec)));
  });

  it('sums are float32', async () => {
    // Σ |x − 0| of 301 columns of 4 and one of 0.25 is 1204.25, and halves beyond 1024 are whole.
    const spec = { ...half, distance: 'l1', rows: 2, columns: 302, prototypes: 1 } as const;
    const x = new Float32Array(604).fill(4);
    x[301] = x[603] = 0.25;
    const arrays = { ...arraysOf(spec), x, prototypes: new Float32Array(302) };
    expect(Array.from((await run(spec, arrays)).value)).toEqual([1204.25, 1204.25]);
  });
}

function withoutHalves(): void {
  for (const half of [{ rowType: 'float16' }, { prototypeType: 'float16' }] as const)
    expect(() => search(device, { ...plain, ...half })).toThrow(
      'float16 rows need a device with the feature shader-f16',
    );
}

// Mesa's lavapipe has the feature, SwiftShader does not.
if (device.features.has('shader-f16')) describe('float16', withHalves);
else it('float16 without shader-f16 is an error that names it', withoutHalves);

// Sums by prototype against plain loops in float64.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GpuDevice } from './gpu.js';
import { openDevice, sumsByIndex } from './index.js';
import { bufferOf, readBack, useSwiftShader } from './testing/index.js';

let device: GpuDevice;
beforeAll(async () => {
  useSwiftShader();
  ({ device } = await openDevice());
});
afterAll(() => device?.destroy());

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly prototypes: number;
  readonly belongs: (row: number) => number;
}

const noise = (i: number): number => Math.sin(i * i + 0.5 * i + 1);

function inputs({ rows, columns, belongs }: Case) {
  return {
    x: Float32Array.from({ length: rows * columns }, (_, i) => noise(i)),
    w: Float32Array.from({ length: rows }, (_, i) => 1 + noise(3 * i)),
    index: Int32Array.from({ length: rows }, (_, row) => belongs(row)),
  };
}

async function run(of: Case): Promise<{ sums: Float32Array; weights: Float32Array }> {
  const { rows, columns, prototypes } = of;
  const { x, w, index } = inputs(of);
  device.pushErrorScope('validation');
  const garbage = (size: number) => bufferOf(device, new Float32Array(size).fill(-7));
  const buffers = {
    x: bufferOf(device, x),
    w: bufferOf(device, w),
    index: bufferOf(device, index),
    sums: garbage(prototypes * columns),
    weights: garbage(prototypes),
  };
  const adding = sumsByIndex(device, { columns, prototypes });
  const encoder = device.createCommandEncoder();
  adding.encode(encoder, rows, buffers);
  device.queue.submit([encoder.finish()]);
  const sums = new Float32Array(await readBack(device, buffers.sums, 4 * prototypes * columns));
  const weights = new Float32Array(await readBack(device, buffers.weights, 4 * prototypes));
  adding.dispose();
  for (const buffer of Object.values(buffers)) buffer.destroy();
  expect((await device.popErrorScope())?.message).toBeUndefined();
  return { sums, weights };
}

function wanted(of: Case): { sums: Float64Array; weights: Float64Array } {
  const { rows, columns, prototypes } = of;
  const { x, w, index } = inputs(of);
  const sums = new Float64Array(prototypes * columns);
  const weights = new Float64Array(prototypes);
  for (let row = 0; row < rows; row++) {
    const [k, own] = [index[row] as number, w[row] as number];
    weights[k] = (weights[k] as number) + own;
    for (let d = 0; d < columns; d++) {
      sums[k * columns + d] = (sums[k * columns + d] as number) + own * (x[row * columns + d] as number);
    }
  }
  return { sums, weights };
}

const mixed = (prototypes: number) => (row: number) =>
  Math.floor(((noise(row) + 1) / 2) * prototypes * 0.999);

describe('sums by prototype', () => {
  it.each<[string, Case]>([
    ['a few rows', { rows: 5, columns: 3, prototypes: 4, belongs: mixed(4) }],
    ['one row', { rows: 1, columns: 1, prototypes: 1, belongs: () => 0 }],
    [
      'several blocks, and prototypes without rows',
      { rows: 5000, columns: 20, prototypes: 33, belongs: (row) => 2 * (row % 16) },
    ],
    ['all rows at one prototype', { rows: 4500, columns: 5, prototypes: 70, belongs: () => 41 }],
    ['more columns than lanes', { rows: 300, columns: 131, prototypes: 7, belongs: mixed(7) }],
    [
      'more prototypes than a workgroup counts',
      { rows: 6000, columns: 2, prototypes: 4500, belongs: (row) => (row * 7) % 4500 },
    ],
  ])('%s', async (_, of) => {
    const [got, want] = [await run(of), wanted(of)];
    for (const name of ['sums', 'weights'] as const) {
      // Up to a few thousand addends around 1, in lanes: float32 keeps 7 digits.
      const off = Array.from(
        want[name],
        (value, i) => Math.abs(value - (got[name][i] as number)) / (1 + Math.abs(value)),
      );
      expect(Math.max(...off), name).toBeLessThan(1e-5);
    }
  });

  it('are the same bits each time', async () => {
    const of = { rows: 5000, columns: 6, prototypes: 9, belongs: mixed(9) };
    const first = await run(of);
    expect(await run(of)).toEqual(first);
  });
});

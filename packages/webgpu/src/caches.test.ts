// What a long-lived process makes on a device: as much for thousands of shapes as for the last ones.

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { argMax } from './arg-max.js';
import type { GpuBuffer, GpuDevice } from './gpu.js';
import { openDevice } from './index.js';
import { mostPipelines, pipelineOf } from './pipelines.js';
import { bufferOf, readBack, useSwiftShader } from './testing/index.js';
import { mostUniforms, Uniforms } from './uniforms.js';

useSwiftShader();
let device: GpuDevice;
beforeAll(async () => {
  ({ device } = await openDevice());
});
afterAll(() => device.destroy());

it('pipelines are compiled once while they are among the last ones, and anew after that', () => {
  let compiled = 0;
  const counting = {
    createShaderModule: ({ code }: { code: string }) => ({ code }),
    createComputePipeline: () => ({ getBindGroupLayout: () => ({}), number: compiled++ }),
  } as unknown as GpuDevice;
  const first = pipelineOf(counting, 'shader 0');
  for (let i = 1; i < mostPipelines; i++) pipelineOf(counting, `shader ${i}`);
  expect(pipelineOf(counting, 'shader 0')).toBe(first);
  expect(compiled).toBe(mostPipelines);
  pipelineOf(counting, 'one more');
  expect(pipelineOf(counting, 'shader 0')).toBe(first);
  pipelineOf(counting, 'shader 1');
  expect(compiled).toBe(mostPipelines + 2);
});

it('uniforms are of the last numbers of rows; dispose destroys what is held', () => {
  const made: GpuBuffer[] = [];
  const destroyed: GpuBuffer[] = [];
  const counting = {
    createBuffer: () => {
      const buffer = { destroy: () => destroyed.push(buffer) } as unknown as GpuBuffer;
      made.push(buffer);
      return buffer;
    },
    queue: { writeBuffer: vi.fn() },
  } as unknown as GpuDevice;
  const uniforms = new Uniforms(counting);
  for (let rows = 0; rows < 3 * mostUniforms; rows++) uniforms.of(rows, 0, 0, 0);
  uniforms.of(3 * mostUniforms - 1, 0, 0, 0);
  expect(made).toHaveLength(3 * mostUniforms);
  expect(destroyed).toEqual([]);
  uniforms.dispose();
  expect(destroyed).toEqual(made.slice(-mostUniforms));
});

it('commands that wait to be submitted can read a uniform that went meanwhile', async () => {
  const search = argMax(device, 'float32', 3);
  const x = bufferOf(
    device,
    Float32Array.from({ length: 3 * 200 }, (_, i) => (i % 3 === 1 ? 1 : 0)),
  );
  const index = bufferOf(device, new Int32Array(200).fill(-1));
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  for (let rows = 200; rows > 200 - mostUniforms - 10; rows--) search.encode(encoder, rows, x, index);
  device.queue.submit([encoder.finish()]);
  expect(Array.from(new Int32Array(await readBack(device, index, 4 * 200)))).toEqual(new Array(200).fill(1));
  expect((await device.popErrorScope())?.message).toBeUndefined();
  search.dispose();
});

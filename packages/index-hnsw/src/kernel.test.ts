import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { kernelModule } from '../kernel/build.ts';
import type { HnswDistance } from './distances.js';
import { hnswIndex } from './index.js';
import { batch, chooseKernel, type KernelName, openKernel } from './kernel.js';
import { distanceOf, seeded } from './testing.js';

const names: readonly KernelName[] = ['wasm-simd', 'js'];
const distances: readonly HnswDistance[] = ['euclidean', 'cosine', 'l1'];

it('is what its source compiles to', async () => {
  expect(readFileSync(new URL('kernel-bytes.ts', import.meta.url), 'utf8')).toBe(await kernelModule());
});

describe.each(names)('%s', (name) => {
  it.each(distances)('%s: any width, any number of places, from the query and from a place', (distance) => {
    const uniform = seeded(1);
    // The last is of 36 MiB, which no cache holds: there, the kernel fetches rows before it looks at them.
    for (const [columns, room] of [
      [1, 40],
      [3, 40],
      [4, 40],
      [5, 40],
      [33, 40],
      [33, 262_144],
    ] as const) {
      const kernel = openKernel(name, distance, room, columns);
      expect([kernel.name, kernel.width % 4, kernel.width >= columns]).toEqual([name, 0, true]);
      const row = (place: number): Float32Array =>
        kernel.vectors.subarray(place * kernel.width, place * kernel.width + columns);
      const fill = (target: Float32Array): void => {
        for (let i = 0; i < columns; i++) target[i] = uniform() - 0.5;
        const length = Math.hypot(...target.subarray(0, columns));
        if (distance === 'cosine')
          for (let i = 0; i < columns; i++) target[i] = (target[i] as number) / length;
      };
      fill(kernel.query);
      for (let place = 0; place < 40; place++) fill(row(place));
      for (const count of [0, 1, 3, 4, 9]) {
        for (let i = 0; i < count; i++) kernel.list[i] = (i * 7 + 3) % 40;
        kernel.out.fill(-1);
        const check = (from: Float32Array): void => {
          for (let i = 0; i < count; i++) {
            const right = distanceOf(distance, from.subarray(0, columns), row(kernel.list[i] as number));
            // 33 float32 terms of at most 1.
            expect(Math.abs((kernel.out[i] as number) - right)).toBeLessThan(1e-5);
          }
          expect(kernel.out[count]).toBe(-1);
        };
        kernel.measure(count);
        check(kernel.query);
        kernel.measureFrom(17, count);
        check(row(17));
      }
    }
  });
});

describe('which kernel', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it('is the fastest there is, or what was asked for', () => {
    expect(hnswIndex().kernel).toBe('wasm-simd');
    expect(hnswIndex({ simd: true }).kernel).toBe('wasm-simd');
    expect(hnswIndex({ simd: false }).kernel).toBe('js');
  });

  it('says so where SIMD is missing: JavaScript, or an error for those who insist', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    const without = await import('./index.js');
    const index = without.hnswIndex();
    expect(index.kernel).toBe('js');
    await index.build({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] });
    expect((await index.search({ data: Float32Array.of(3, 3), shape: [1, 2] }, 1)).indices[0]).toBe(1);
    expect(() => without.hnswIndex({ simd: true })).toThrow(/simd is true, but WebAssembly SIMD is missing/);
  });

  it('refuses more vectors than its memory holds', () => {
    expect(chooseKernel(undefined)).toBe('wasm-simd');
    expect(() => openKernel('wasm-simd', 'l1', 2 ** 22, 300)).toThrow(/take 4\.7 GiB.*simd: false/);
    expect(batch).toBeGreaterThan(256);
  });

  it('has codes beside vectors that are in no cache, and where both fit into its memory', () => {
    expect(openKernel('wasm-simd', 'l1', 1000, 33).codes).toBeNull();
    expect(openKernel('wasm-simd', 'l1', 262_144, 33).codes?.rows.length).toBe(262_144 * 48);
    expect(openKernel('wasm-simd', 'l1', 2 ** 23, 112).codes).toBeNull();
    expect(openKernel('js', 'l1', 262_144, 33).codes).toBeNull();
  });
});

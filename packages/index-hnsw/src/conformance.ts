// Tests that every engine has to pass: the contract of `PrototypeIndex`, and recall compared with exact search.

import type { Points } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import type { HnswDistance } from './distances.js';
import type { HnswIndex } from './engine.js';
import { type HnswOptions, hnswIndex } from './index.js';
import {
  distanceOf,
  exact,
  type Kind,
  moved,
  recall,
  rowOf,
  rowsNear,
  sameBytes,
  sigma,
  somePoints,
} from './testing.js';

/** Enough points for the portable engine to walk in place of a scan. */
const count = 2000;
const rowCount = 40;

const none: Points = { data: new Float32Array(0), shape: [0, 3] };
const points = (...rows: number[][]): Points => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0]?.length ?? 0],
});
const kinds: readonly Kind[] = ['clustered', 'uniform'];

async function built(options: HnswOptions, of: Points): Promise<HnswIndex> {
  const index = hnswIndex(options);
  await index.build(of);
  return index;
}

/**
 * All tests for an engine with these options, for its distances. `sizes`: 'every' measures recall for every kind of points and every
 * number of columns. 'pairs', for a walk that another engine runs too, takes one kind of points for each distance and number of
 * columns in turn, so that every pair of the three occurs.
 */
export function describeEngine(
  name: string,
  options: HnswOptions,
  distances: readonly HnswDistance[],
  sizes: 'every' | 'pairs' = 'every',
): void {
  describe.each(distances)(`${name}, %s`, (distance) => {
    const own: HnswOptions = { ...options, distance };

    describe.each(kinds)('%s points', (kind) => {
      const turn = distances.indexOf(distance) + kinds.indexOf(kind);
      it.each([2, 32, 128].filter((_, i) => sizes === 'every' || (turn + i) % 2 === 0))(
        'D = %i: finds 99 of 100 of the 5 nearest, and measures them right',
        async (columns) => {
          const all = somePoints(kind, count, columns, columns);
          const rows = rowsNear(all, rowCount, 0.1);
          // Uniform points in 128 columns all have about equal distances: the worst case, so more candidates are used.
          const hard = kind === 'uniform' && columns === 128;
          const index = await built(hard ? { ...own, ef: 80, m: 32 } : own, all);
          expect(index.size).toBe(count);
          const found = await index.search(rows, 5);
          expect(found.shape).toEqual([rowCount, 5]);
          expect(recall(found, exact(distance, all, rows, 5))).toBeGreaterThanOrEqual(0.99);
          for (let i = 0; i < found.indices.length; i++) {
            const right = distanceOf(
              distance,
              rowOf(rows, Math.floor(i / 5)),
              rowOf(all, found.indices[i] as number),
            );
            // float32 sums of up to 128 terms of about 1.
            expect(Math.abs((found.distances[i] as number) - right)).toBeLessThan(2e-5 * (1 + right));
            if (i % 5 > 0) {
              expect(found.distances[i]).toBeGreaterThanOrEqual(found.distances[i - 1] as number);
            }
          }
        },
      );
    });

    it('fills up with −1 and Infinity where there are fewer points', async () => {
      const index = await built(own, points([1, 0], [0, 1]));
      const { indices, distances } = await index.search(points([1, 0.1], [0.1, 1]), 4);
      expect([...indices]).toEqual([0, 1, -1, -1, 1, 0, -1, -1]);
      expect([...distances.subarray(2, 4)]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    });

    it('one point, no points, no rows', async () => {
      const one = await built(own, points([1, 2, 3]));
      expect([...(await one.search(points([1, 2, 4]), 2)).indices]).toEqual([0, -1]);
      expect((await one.search(none, 2)).shape).toEqual([0, 2]);
      const empty = await built(own, none);
      expect(empty.size).toBe(0);
      expect([...(await empty.search(points([1, 2, 3]), 2)).indices]).toEqual([-1, -1]);
    });

    it('duplicates: as many as asked for, all at distance 0', async () => {
      const some = somePoints('clustered', 40, 8, 1);
      const data = new Float32Array(count * 8);
      for (let i = 0; i < count; i++) data.set(rowOf(some, i % 40), i * 8);
      const index = await built(own, { data, shape: [count, 8] });
      const { indices, distances } = await index.search(some, 5);
      expect([...indices].map((place, i) => place % 40 === Math.floor(i / 5))).not.toContain(false);
      expect(Math.max(...distances)).toBeLessThan(1e-6);
      expect(Math.min(...distances)).toBeGreaterThanOrEqual(0);
    });

    it('rows of zeros', async () => {
      const index = await built(own, points([0, 0], [3, 4]));
      const { indices, distances } = await index.search(points([0, 0]), 2);
      expect([...indices].sort()).toEqual([0, 1]);
      expect(distances[0]).toBe(distance === 'cosine' ? 1 : 0);
      expect(distances[1]).toBe({ euclidean: 25, cosine: 1, l1: 7 }[distance]);
    });

    it('keeps its recall when all points drift by a third of sigma, and after refresh when they go further', async () => {
      const start = somePoints('clustered', count, 16, 3);
      const index = await built(own, start);
      const places = Array.from({ length: count }, (_, place) => place);
      const near = moved(start, sigma / 3, 4);
      await index.update(places, near);
      const rows = rowsNear(near, rowCount, 0.1);
      expect(recall(await index.search(rows, 5), exact(distance, near, rows, 5))).toBeGreaterThanOrEqual(
        0.99,
      );
      const far = moved(start, 10 * sigma, 5);
      await index.update(places, far);
      await index.refresh();
      const others = rowsNear(far, rowCount, 0.1);
      expect(recall(await index.search(others, 5), exact(distance, far, others, 5))).toBeGreaterThanOrEqual(
        0.98,
      );
      expect(index.size).toBe(count);
    });

    it('finds a point where it moved to, and no more where it was', async () => {
      const start = somePoints('clustered', count, 8, 6);
      const index = await built(own, start);
      const target = Float32Array.from(rowOf(start, 7), (value) => value * -3 + 5);
      await index.update([7], { data: target, shape: [1, 8] });
      expect((await index.search({ data: target, shape: [1, 8] }, 1)).indices[0]).toBe(7);
      expect((await index.search({ data: rowOf(start, 7), shape: [1, 8] }, 1)).indices[0]).not.toBe(7);
      // If an index occurs twice, its last row counts.
      await index.update([7, 9, 7], points([...target], [...rowOf(start, 9)], [...rowOf(start, 7)]));
      expect((await index.search({ data: rowOf(start, 7), shape: [1, 8] }, 1)).indices[0]).toBe(7);
    });

    it('finds removed points no more, and all others as before; an update brings them back', async () => {
      const all = somePoints('clustered', count, 8, 8);
      const index = await built(own, all);
      const rows = rowsNear(all, rowCount, 0.05);
      const gone = new Set<number>();
      const check = async (): Promise<void> => {
        expect(index.size).toBe(count - gone.size);
        const found = await index.search(rows, 5);
        expect([...found.indices].filter((place) => gone.has(place))).toEqual([]);
        expect(recall(found, exact(distance, all, rows, 5, gone))).toBeGreaterThanOrEqual(0.99);
      };
      for (const share of [3, 2]) {
        const leaving = Array.from({ length: count }, (_, place) => place).filter(
          (place) => place % share === 0,
        );
        await index.remove(leaving);
        await index.remove(leaving);
        for (const place of leaving) gone.add(place);
        await check();
        await index.refresh();
        await check();
      }
      const back = [...gone].filter((place) => place % 4 === 0);
      const data = new Float32Array(back.length * 8);
      back.forEach((place, i) => {
        data.set(rowOf(all, place), i * 8);
      });
      await index.update(back, { data, shape: [back.length, 8] });
      for (const place of back) gone.delete(place);
      await check();
    });

    it('survives the removal of everything', async () => {
      const all = somePoints('uniform', 100, 4, 9);
      const index = await built(own, all);
      await index.remove(Array.from({ length: 100 }, (_, place) => place));
      expect([index.size, (await index.search(all, 1)).indices.every((place) => place === -1)]).toEqual([
        0,
        true,
      ]);
      await index.update([42, 17], { data: all.data.subarray(0, 8), shape: [2, 4] });
      const found = await index.search({ data: all.data.subarray(0, 8), shape: [2, 4] }, 1);
      expect([index.size, ...found.indices]).toEqual([2, 42, 17]);
    });

    it('saves and loads: the same answers, and a life of its own', async () => {
      const all = somePoints('clustered', count, 9, 10);
      const index = await built(own, all);
      await index.remove([3, 4, 5]);
      await index.update([8, 3], { data: all.data.subarray(0, 18), shape: [2, 9] });
      const rows = rowsNear(all, rowCount, 0.1);
      const bytes = await index.save();
      const again = hnswIndex(own);
      await again.load(bytes);
      expect(again.size).toBe(index.size);
      expect(await again.search(rows, 5)).toEqual(await index.search(rows, 5));
      expect(sameBytes(await again.save(), bytes)).toBe(true);
      await index.remove([0]);
      expect(again.size).toBe(count - 2);
      await again.update([4], { data: all.data.subarray(0, 9), shape: [1, 9] });
      await again.refresh();
      expect(again.size).toBe(count - 1);
      expect((await again.search({ data: all.data.subarray(36, 45), shape: [1, 9] }, 1)).indices[0]).not.toBe(
        4,
      );
    });

    it('is the same twice', async () => {
      const all = somePoints('clustered', 500, 5, 11);
      const [a, b] = [await built(own, all), await built(own, all)];
      expect(sameBytes(await a.save(), await b.save())).toBe(true);
      expect(await a.search(all, 3)).toEqual(await b.search(all, 3));
    });
  });

  describe(name, () => {
    const sorry = (kind: string, part: string): object => ({ kind, message: expect.stringContaining(part) });

    it('says what is wrong with what it is given', async () => {
      const index = hnswIndex(options);
      const row = points([1, 2]);
      await expect(index.search(row, 1)).rejects.toMatchObject(sorry('state', 'search: this index is empty'));
      for (const call of [index.update([0], row), index.remove([0]), index.refresh(), index.save()]) {
        await expect(call).rejects.toMatchObject({ kind: 'state' });
      }
      await expect(index.build(points([1, Number.NaN]))).rejects.toMatchObject(
        sorry('data', 'build: points has NaN in row 0, column 1'),
      );
      await expect(index.build({ data: new Float32Array(3), shape: [2, 2] })).rejects.toMatchObject({
        kind: 'shape',
      });
      await expect(index.build({ data: new Float32Array(0), shape: [3, 0] })).rejects.toMatchObject({
        kind: 'shape',
      });
      await expect(index.build({ data: [1] as never, shape: [1, 1] })).rejects.toMatchObject({
        kind: 'data',
      });
      await index.build(points([1, 2], [3, 4]));
      await expect(index.search(points([1, 2, 3]), 1)).rejects.toMatchObject(
        sorry('shape', 'rows has 3 columns, this index was built with 2'),
      );
      await expect(index.search(points([Number.POSITIVE_INFINITY, 1]), 1)).rejects.toMatchObject({
        kind: 'data',
      });
      for (const wrong of [0, -1, 1.5, Number.NaN]) {
        await expect(index.search(row, wrong)).rejects.toMatchObject(sorry('option', `count is ${wrong}`));
        await expect(index.search(row, 1, { ef: wrong })).rejects.toMatchObject(
          sorry('option', `ef is ${wrong}`),
        );
      }
      for (const wrong of [2, -1, 0.5]) {
        await expect(index.update([wrong], row)).rejects.toMatchObject(
          sorry('data', `indices[0] is ${wrong}`),
        );
        await expect(index.remove([wrong])).rejects.toMatchObject({ kind: 'data' });
      }
      await expect(index.update([0, 1], row)).rejects.toMatchObject(sorry('shape', '1 rows for 2 indices'));
      await expect(index.update([0], points([Number.NaN, 0]))).rejects.toMatchObject({ kind: 'data' });
      expect([...(await index.search(row, 2)).indices]).toEqual([0, 1]);
    });

    it('answers nothing once disposed', async () => {
      const index = await built(options, points([1, 2]));
      index.dispose();
      index.dispose();
      await expect(index.search(points([1, 2]), 1)).rejects.toMatchObject(sorry('state', 'disposed'));
      await expect(index.build(points([1, 2]))).rejects.toMatchObject({ kind: 'state' });
      expect(index.size).toBe(0);
    });

    it('loads nothing that is not whole and its own', async () => {
      const index = await built(options, somePoints('clustered', 60, 3, 12));
      const bytes = await index.save();
      const refuses = async (changed: Uint8Array, part: string): Promise<void> => {
        const other = hnswIndex(options);
        await expect(other.load(changed)).rejects.toMatchObject(sorry('format', part));
        await expect(other.save()).rejects.toMatchObject({ kind: 'state' });
      };
      const changed = (at: number, value: number): Uint8Array =>
        bytes.map((byte, i) => (i === at ? value : byte));
      await refuses(new Uint8Array(0), 'do not begin with');
      await refuses(new TextEncoder().encode('a text that is long enough to be one'), 'do not begin with');
      await refuses(changed(8, 3), 'of version 3, and this package reads up to 2');
      await refuses(bytes.subarray(0, bytes.length - 1), 'damaged');
      await refuses(Uint8Array.from([...bytes, 0]), 'damaged');
      for (let at = 12; at < bytes.length; at += 7) {
        await refuses(changed(at, (bytes[at] as number) ^ 0x41), 'damaged');
      }
      // Bytes in a Buffer's pool may start at any offset.
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      const again = hnswIndex(options);
      await again.load(shifted.subarray(1));
      expect(again.size).toBe(60);
      const other = hnswIndex({ ...options, distance: 'cosine' });
      await expect(other.load(bytes)).rejects.toMatchObject(sorry('format', "they measure 'euclidean'"));
    });
  });
}

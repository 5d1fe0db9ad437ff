import { describe, expect, it } from 'vitest';
import { frameBytes } from './bytes.js';
import { type HnswIndex, hnswIndex } from './index.js';
import { exact, moved, recall, rowOf, rowsNear, sameBytes, sigma, somePoints } from './testing.js';

const count = 2000;
const columns = 16;
const all = somePoints('clustered', count, columns, 1);
const everywhere = Array.from({ length: count }, (_, place) => place);

async function built(): Promise<HnswIndex> {
  const index = hnswIndex({ ef: 48 });
  await index.build(all);
  return index;
}

describe('links', () => {
  it('stay as they are in a small move, and are renewed after a jump', async () => {
    const index = await built();
    const graph = async (): Promise<Uint8Array> => {
      const bytes = await index.save();
      // Levels, then drifts; links after them, and vectors at the end.
      return bytes.subarray(48 + count + 4 * count, bytes.length - all.data.byteLength);
    };
    const before = await graph();
    const one = { data: rowOf(all, 5), shape: [1, columns] } as const;
    await index.update([5], moved(one, sigma / 10, 2));
    expect(sameBytes(await graph(), before)).toBe(true);
    await index.update([5], moved(one, 20 * sigma, 3));
    expect(sameBytes(await graph(), before)).toBe(false);
  });

  it('of the few that jump among many that drift are renewed by the update itself', async () => {
    const index = await built();
    // So far that the links of most are worn out.
    const near = moved(all, sigma, 4);
    const jumped = rowsNear(all, 20, sigma / 3);
    for (let i = 0; i < 20; i++) near.data.set(rowOf(jumped, i), i * 100 * columns);
    await index.update(everywhere, near);
    expect([...(await index.search(jumped, 1)).indices]).toEqual(
      Array.from({ length: 20 }, (_, i) => i * 100),
    );
  });

  it('of small moves that add up are renewed by refresh', async () => {
    const index = await built();
    let points = all;
    for (let step = 0; step < 12; step++) {
      points = moved(points, sigma, 10 + step);
      await index.update(everywhere, points);
    }
    const rows = rowsNear(points, 100, 0.1);
    const expected = exact('euclidean', points, rows, 5);
    const worn = recall(await index.search(rows, 5), expected);
    await index.refresh();
    const renewed = recall(await index.search(rows, 5), expected);
    expect(worn).toBeLessThan(renewed);
    const fresh = hnswIndex({ ef: 48 });
    await fresh.build(points);
    expect(renewed).toBeGreaterThanOrEqual(recall(await fresh.search(rows, 5), expected) - 0.01);
  });

  it('of a third of the places are renewed among the others, as well as by a build', async () => {
    const index = await built();
    const places = everywhere.filter((place) => place % 3 === 0);
    const points = { data: all.data.slice(), shape: all.shape };
    const away = moved(all, 8 * sigma, 30);
    for (const place of places) points.data.set(rowOf(away, place), place * columns);
    const data = new Float32Array(places.length * columns);
    places.forEach((place, i) => {
      data.set(rowOf(points, place), i * columns);
    });
    await index.update(places, { data, shape: [places.length, columns] });
    await index.refresh();
    const rows = rowsNear(points, 200, 0.1);
    expect(recall(await index.search(rows, 5), exact('euclidean', points, rows, 5))).toBeGreaterThanOrEqual(
      0.99,
    );
  });

  /** Where the levels and states of the places are in a file. */
  const states = frameBytes + 32;

  it('lead to removed places no more once these are most of what is linked', async () => {
    const index = await built();
    const unlinked = async (): Promise<number> =>
      (await index.save()).subarray(states, states + count).filter((byte) => byte >> 5 === 2).length;
    await index.remove(everywhere.slice(0, count / 2));
    expect(await unlinked()).toBe(0);
    await index.remove([count - 1]);
    expect(await unlinked()).toBe(count / 2 + 1);
  });

  it('come back to a point of which all that it was linked to was removed', async () => {
    const many = somePoints('uniform', 3000, 4, 40);
    const index = hnswIndex({ m: 2 });
    await index.build(many);
    const row = { data: rowOf(many, 0), shape: [1, 4] } as const;
    await index.remove((exact('euclidean', many, row, 1200)[0] as number[]).slice(1));
    await index.refresh();
    expect((await index.search(row, 1)).indices[0]).toBe(0);
  });

  it('find all that is left of a cluster whose other points were removed', async () => {
    const index = await built();
    const row = { data: rowOf(all, 0), shape: [1, columns] } as const;
    const nearest = exact('euclidean', all, row, 400)[0] as number[];
    await index.remove(nearest);
    const gone = new Set(nearest);
    const { indices } = await index.search(row, 5);
    expect([...indices]).toEqual(exact('euclidean', all, row, 5, gone)[0]);
  });
});

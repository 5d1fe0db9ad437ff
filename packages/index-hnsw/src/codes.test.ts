import type { Points } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { Codes } from './codes.js';
import type { HnswDistance } from './distances.js';
import { drawLevels, emptyGraph, type Graph, live } from './graph.js';
import { hnswIndex } from './index.js';
import { type CodedRows, openKernel } from './kernel.js';
import { Linker } from './linker.js';
import { distanceOf, exact, moved, recall, rowOf, rowsNear, sameBytes, somePoints } from './testing.js';
import { Walker } from './walk.js';

const distances: readonly HnswDistance[] = ['euclidean', 'cosine', 'l1'];
const count = 3000;
const columns = 19;
const rowCount = 60;

/** Rows as an index holds them: of length 1 for cosine, where zeros stay zeros. */
function held({ data, shape }: Points, distance: HnswDistance): Points {
  if (distance !== 'cosine') return { data, shape };
  const out = data.slice();
  for (let row = 0; row < shape[0]; row++) {
    const length = Math.hypot(...rowOf({ data, shape }, row)) || 1;
    for (let i = 0; i < shape[1]; i++) out[row * shape[1] + i] = (out[row * shape[1] + i] as number) / length;
  }
  return { data: out, shape };
}

function put(graph: Graph, place: number, row: Float32Array): void {
  graph.kernel.vectors.set(row, place * graph.kernel.width);
}

/** A graph with codes over points that a cache would hold. */
function coded(points: Points, distance: HnswDistance): { graph: Graph; codes: Codes; coded: CodedRows } {
  const [count, columns] = points.shape;
  const kernel = openKernel('wasm-simd', distance, count, columns, 0);
  const graph = emptyGraph(kernel, columns, 16, drawLevels(count, 16, 0));
  for (let place = 0; place < count; place++) put(graph, place, rowOf(points, place));
  graph.states.fill(live);
  new Linker(graph, new Walker(), 100, distance).build(0);
  const rows = kernel.codes as CodedRows;
  return { graph, codes: new Codes(graph, rows, distance), coded: rows };
}

/** The 5 nearest by a walk along codes, measured again; null where codes are of no use. */
function found({ graph, codes }: { graph: Graph; codes: Codes }, rows: Points) {
  const walker = new Walker();
  const indices = new Int32Array(rows.shape[0] * 5);
  const measured = new Float32Array(indices.length);
  for (let row = 0; row < rows.shape[0]; row++) {
    graph.kernel.query.set(rowOf(rows, row));
    const measure = codes.ask();
    if (!measure) return null;
    walker.search(graph, 0, 48, -1, measure);
    walker.measureAgain(graph, 18);
    indices.set(walker.places.subarray(0, 5), row * 5);
    measured.set(walker.distances.subarray(0, 5), row * 5);
  }
  return { indices, distances: measured, shape: [rows.shape[0], 5] as const };
}

describe.each(distances)('walks along codes, %s', (distance) => {
  const points = held(somePoints('clustered', count, columns, 1), distance);

  it('find what is near, in exact distances', () => {
    const rows = held(rowsNear(points, rowCount, 0.05), distance);
    const near = found(coded(points, distance), rows);
    if (!near) throw new Error('codes of clustered points are fine');
    expect(recall(near, exact(distance, points, rows, 5))).toBeGreaterThanOrEqual(0.99);
    for (let i = 0; i < near.indices.length; i++) {
      const right = distanceOf(
        distance,
        rowOf(rows, Math.floor(i / 5)),
        rowOf(points, near.indices[i] as number),
      );
      // 19 float32 terms of about 1.
      expect(Math.abs((near.distances[i] as number) - right)).toBeLessThan(1e-5 * (1 + right));
    }
  });

  it('measure the codes of a query and of places: whole numbers, in four bytes a step', () => {
    const { graph, codes, coded: rows } = coded(points, distance);
    graph.kernel.query.set(rowOf(points, 7));
    const measure = codes.ask();
    graph.kernel.list.set([7, 0, 1, 2, 3, 4]);
    measure?.(6);
    for (let i = 0; i < 6; i++) {
      const start = (graph.kernel.list[i] as number) * rows.width;
      const [x, y] = [[...rows.query], [...rows.rows.subarray(start, start + rows.width)]];
      expect(graph.kernel.out[i]).toBe(distanceOf(distance === 'l1' ? 'l1' : 'euclidean', x, y));
    }
    expect(graph.kernel.out[0]).toBe(0);
    expect(Math.max(...rows.rows.map(Math.abs))).toBe(127);
  });

  it('are not taken where rounding would hide who is near', () => {
    const far = points.data.slice();
    far[0] = 1e4;
    const one = { data: far, shape: points.shape };
    // Of unit length, the far one is no farther than all others.
    expect(coded(held(one, distance), distance).codes.ask() === null).toBe(distance !== 'cosine');
  });
});

it('codes follow points, and reach as far as these go', () => {
  const points = somePoints('clustered', count, columns, 2);
  const all = coded(points, 'euclidean');
  const places = Array.from({ length: count }, (_, place) => place);
  // All points away from the middle, by as much in every column, so that links stay right.
  for (const [factor, anew] of [
    [1.05, false],
    [2.5, true],
  ] as const) {
    const now = { data: points.data.map((value) => value * factor), shape: points.shape };
    for (const place of places) put(all.graph, place, rowOf(now, place));
    all.codes.update(places);
    expect(all.codes.stale).toBe(!anew);
    const rows = rowsNear(now, rowCount, 0.1);
    const near = found(all, rows);
    expect(near && recall(near, exact('euclidean', now, rows, 5))).toBeGreaterThanOrEqual(0.99);
  }
});

it('rows of zeros, which cosine holds for far from all, are walked to exactly', () => {
  const points = held(somePoints('clustered', count, columns, 3), 'cosine');
  points.data.fill(0, 0, columns);
  expect(coded(points, 'cosine').codes.ask()).toBeNull();
});

it('an index beyond what a cache holds finds the same after it was saved and loaded', async () => {
  // 34 MiB.
  const shape = [1100, 8192] as const;
  const points = somePoints('clustered', ...shape, 4);
  const index = hnswIndex({ m: 8, efConstruction: 24 });
  await index.build(points);
  const rows = rowsNear(points, 10, 0.1);
  expect(recall(await index.search(rows, 5), exact('euclidean', points, rows, 5))).toBeGreaterThanOrEqual(
    0.99,
  );
  // Beyond all others, so that codes would be fitted to a wider range.
  const [places, wide] = [[3, 4, 5], 6];
  const far = { data: moved(points, 0.1, 5).data.slice(0, 3 * shape[1]), shape: [3, shape[1]] as const };
  await index.update(places, { ...far, data: far.data.map((value) => wide * value) });
  await index.remove([6, 7]);
  const [all, few] = [rowsNear(points, 200, 0.3), { ef: 2 }];
  const bytes = await index.save();
  const again = hnswIndex();
  await again.load(bytes);
  // With so few candidates, walks along other codes end elsewhere.
  expect(await again.search(all, 1, few)).toEqual(await index.search(all, 1, few));
  expect(sameBytes(await again.save(), bytes)).toBe(true);
  const gone = { data: rowOf(points, 6), shape: [1, shape[1]] as const };
  expect([...(await index.search(gone, 5)).indices]).not.toContain(6);
});

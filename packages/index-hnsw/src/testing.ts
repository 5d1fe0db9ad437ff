// Seeded points and rows for tests, and the results that a search should find.

import type { Neighbours, Points } from '@fkm/core';
import type { HnswDistance } from './distances.js';

/** mulberry32: uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Box–Muller. */
export const normal = (uniform: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/** Standard deviation of a cluster; clusters are 1 apart in each column. */
export const sigma = 0.3;

export type Kind = 'clustered' | 'uniform';

/** K points, in clusters of about 50 or uniform in [−1, 1). */
export function somePoints(kind: Kind, count: number, columns: number, seed: number): Points {
  const uniform = seeded(seed);
  const data = new Float32Array(count * columns);
  if (kind === 'uniform') {
    for (let i = 0; i < data.length; i++) data[i] = 2 * uniform() - 1;
    return { data, shape: [count, columns] };
  }
  const clusters = Math.ceil(count / 50);
  const centers = Float32Array.from({ length: clusters * columns }, () => normal(uniform));
  for (let i = 0; i < count; i++) {
    const cluster = Math.floor(uniform() * clusters);
    for (let j = 0; j < columns; j++) {
      data[i * columns + j] = (centers[cluster * columns + j] as number) + sigma * normal(uniform);
    }
  }
  return { data, shape: [count, columns] };
}

/** N rows near random points; `by` is the standard deviation in each column. */
export function rowsNear({ data, shape: [count, columns] }: Points, rows: number, by: number): Points {
  const uniform = seeded(rows + columns);
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const near = Math.floor(uniform() * count);
    for (let j = 0; j < columns; j++) {
      out[i * columns + j] = (data[near * columns + j] as number) + by * normal(uniform);
    }
  }
  return { data: out, shape: [rows, columns] };
}

/** The rows of `points`, each column moved by a normal step. */
export function moved({ data, shape }: Points, by: number, seed: number): Points {
  const uniform = seeded(seed);
  return { data: data.map((value) => value + by * normal(uniform)), shape };
}

/** The distance in float64, by its formula. */
export function distanceOf(name: HnswDistance, x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [sum, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i] as number, y[i] as number];
    xx += a * a;
    yy += b * b;
    sum += name === 'euclidean' ? (a - b) ** 2 : name === 'l1' ? Math.abs(a - b) : a * b;
  }
  return name === 'cosine' ? 1 - (xx * yy > 0 ? sum / Math.sqrt(xx * yy) : 0) : sum;
}

export const rowOf = ({ data, shape: [, columns] }: Points, row: number): Float32Array =>
  data.subarray(row * columns, (row + 1) * columns);

/** Indices of the `count` nearest points of each row, by exact search over those that are not `gone`. */
export function exact(
  name: HnswDistance,
  points: Points,
  rows: Points,
  count: number,
  gone?: ReadonlySet<number>,
): number[][] {
  return Array.from({ length: rows.shape[0] }, (_, row) => {
    const best: { place: number; distance: number }[] = [];
    for (let place = 0; place < points.shape[0]; place++) {
      if (gone?.has(place)) continue;
      const distance = distanceOf(name, rowOf(rows, row), rowOf(points, place));
      if (best.length === count && distance >= (best[count - 1]?.distance ?? 0)) continue;
      best.splice(best.findLastIndex((it) => it.distance <= distance) + 1, 0, { place, distance });
      if (best.length > count) best.pop();
    }
    return best.map(({ place }) => place);
  });
}

/** The share of the expected results that was found. */
export function recall({ indices, shape: [, count] }: Neighbours, expected: readonly number[][]): number {
  let hits = 0;
  let all = 0;
  expected.forEach((places, row) => {
    const found = new Set(indices.subarray(row * count, (row + 1) * count));
    hits += places.filter((place) => found.has(place)).length;
    all += places.length;
  });
  return hits / all;
}

/** Whether all bytes are equal; vitest takes seconds to compare them one by one. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

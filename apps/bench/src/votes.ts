// How the targets of neighbours are combined, one function a kind of target. `found` [queries · k] are rows of y, nearest first.

import type { Rows } from './rows.ts';

/** [queries, columns of y]. */
export type Vote = (found: ArrayLike<number>, k: number, y: Rows) => Float32Array;

const sum: Vote = (found, k, { data, shape: [, columns] }) => {
  const out = new Float32Array((found.length / k) * columns);
  for (let i = 0; i < found.length; i++) {
    const [from, to] = [(found[i] as number) * columns, Math.floor(i / k) * columns];
    for (let t = 0; t < columns; t++) out[to + t] = (out[to + t] as number) + (data[from + t] as number);
  }
  return out;
};

/** The mean of each column. */
export const mean: Vote = (found, k, y) => sum(found, k, y).map((total) => total / k);

/** 1 for every label that at least half of the neighbours have. */
export const half: Vote = (found, k, y) => sum(found, k, y).map((count) => (2 * count >= k ? 1 : 0));

/** The most frequent code among the neighbours; of equals the one with the nearest neighbour. */
export const majority: Vote = (found, k, { data }) =>
  Float32Array.from({ length: found.length / k }, (_, query) => {
    const votes = new Map<number, number>();
    for (let i = query * k; i < (query + 1) * k; i++) {
      const code = data[found[i] as number] as number;
      votes.set(code, (votes.get(code) ?? 0) + 1);
    }
    // A map keeps insertion order, and only a higher count replaces an earlier code.
    return [...votes].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
  });

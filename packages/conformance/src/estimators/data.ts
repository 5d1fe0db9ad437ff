// Seeded data sets for the checks of the estimators.

import { seeded } from '../random.js';

/** Rows [N, D] with their targets. */
export interface Rows<Y> {
  readonly X: number[][];
  readonly y: Y[];
}

/** Normal noise by Box and Muller. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Rows of uniform features in [0, 1). */
const uniformRows = (rows: number, columns: number, random: () => number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, random));

/** Friedman #1 (1991): 10·sin(π a b) + 20(c − ½)² + 10d + 5e + noise, with irrelevant features up to `columns`. */
export function friedman(rows: number, seed: string, noise = 0.5, columns = 7): Rows<number> {
  const random = seeded(seed);
  const X = uniformRows(rows, columns, random);
  const y = X.map((x) => {
    const [a, b, c, d, e] = x as [number, number, number, number, number];
    return 10 * Math.sin(Math.PI * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e + noise * normal(random);
  });
  return { X, y };
}

/** Three named classes on the nine fields of a board, with two irrelevant features. */
export function checkerboard(rows: number, seed: string): Rows<string> {
  const X = uniformRows(rows, 4, seeded(seed));
  const y = X.map(
    ([a = 0, b = 0]) => ['black', 'grey', 'white'][(Math.floor(3 * a) + Math.floor(3 * b)) % 3] as string,
  );
  return { X, y };
}

/** Three labels: beyond a diagonal, inside a disc, between two walls; they overlap, and some rows have none. */
export function regions(rows: number, seed: string): Rows<number[]> {
  const X = uniformRows(rows, 4, seeded(seed));
  const y = X.map(([a = 0, b = 0, c = 0, d = 0]) => [
    Number(a > b),
    Number((b - 0.5) ** 2 + (c - 0.5) ** 2 < 0.16),
    Number(Math.abs(d - 0.5) < 0.2),
  ]);
  return { X, y };
}

/** Six round blobs of standard deviation 0.1 around fixed places in the unit cube. */
export function blobs(rows: number, seed: string): { readonly X: number[][] } {
  const random = seeded(seed);
  const places = uniformRows(6, 3, seeded('places of the blobs'));
  return {
    X: Array.from({ length: rows }, (_, i) =>
      (places[i % 6] as number[]).map((at) => 4 * at + 0.1 * normal(random)),
    ),
  };
}

// Seeded sets for the checks of the estimators.

import { seeded } from '../random.js';

export interface Rows {
  readonly X: number[][];
  readonly y: number[];
}

/** Normal noise by Box and Muller. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Friedman #1 (1991): 10·sin(π a b) + 20(c − ½)² + 10d + 5e + noise, and features that say nothing up to `columns`. */
export function friedman(rows: number, seed: string, noise = 0.5, columns = 7): Rows {
  const random = seeded(seed);
  const X = Array.from({ length: rows }, () => Array.from({ length: columns }, random));
  const y = X.map((x) => {
    const [a, b, c, d, e] = x as [number, number, number, number, number];
    return 10 * Math.sin(Math.PI * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e + noise * normal(random);
  });
  return { X, y };
}

// Pairwise testing: rows of a product of settings in which every two settings meet. Few faults need three to meet.

import type { Check } from './contract.js';

/** Every two values of different factors that meet in a row. */
function pairsOf(factors: readonly unknown[]): string[] {
  const values = factors.map((value, i) => JSON.stringify([i, value]));
  return values.flatMap((a, i) => values.slice(i + 1).map((b) => a + b));
}

/** Some of `rows` that together have every pair of factor values that any row has. Greedy: the row with most new pairs is next. */
export function everyPair<T>(rows: readonly T[], factorsOf: (row: T) => readonly unknown[]): Set<T> {
  const pairs = new Map(rows.map((row) => [row, pairsOf(factorsOf(row))]));
  const met = new Set<string>();
  const chosen = new Set<T>();
  const newIn = (row: T): number => (pairs.get(row) as string[]).filter((pair) => !met.has(pair)).length;
  for (;;) {
    const best = rows.reduce<{ row?: T; count: number }>(
      (most, row) => (newIn(row) > most.count ? { row, count: newIn(row) } : most),
      { count: 0 },
    );
    if (best.count === 0) return chosen;
    chosen.add(best.row as T);
    for (const pair of pairs.get(best.row as T) as string[]) met.add(pair);
  }
}

/** A check for each row; suites with `thorough: false` run those of `everyPair`. */
export function byPairs<T>(
  rows: readonly T[],
  factorsOf: (row: T) => readonly unknown[],
  check: (row: T) => Check,
): Check[] {
  const chosen = everyPair(rows, factorsOf);
  return rows.map((row) => ({ ...check(row), thorough: !chosen.has(row) }));
}

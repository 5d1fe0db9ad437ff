// Target statistics of a category with many levels: for each level the mean of the targets, shrunk to the mean of all rows, and the
// logarithm of its rows. Rows that train are told the statistics of the folds that they are not in (cross-fitting), or they would
// be told their own target; later rows those of all. After Micci-Barreca (2001).

import { foldCount } from '../state/table-encoding.js';

/** Rows of the mean of all that every level is given. */
export const priorRows = 20;

/** Σ w and Σ w·t by level and fold [L, F, 1 + T]; level L − 1 is 'missing'. */
export interface LevelSums {
  readonly data: Float64Array;
  readonly outputs: number;
}

export const noSums = (levels: number, outputs: number): LevelSums => ({
  data: new Float64Array(levels * foldCount * (1 + outputs)),
  outputs,
});

export const levelsOf = ({ data, outputs }: LevelSums): number => data.length / (foldCount * (1 + outputs));

/** Adds a row of targets [T]. */
export function addToLevel(
  { data, outputs }: LevelSums,
  level: number,
  fold: number,
  weight: number,
  targets: ArrayLike<number>,
  at: number,
): void {
  const begin = (level * foldCount + fold) * (1 + outputs);
  data[begin] = (data[begin] as number) + weight;
  for (let t = 0; t < outputs; t++)
    data[begin + 1 + t] = (data[begin + 1 + t] as number) + weight * (targets[at + t] as number);
}

/** Each fold's sums over all levels [F, 1 + T]. */
function totalsOf({ data, outputs }: LevelSums): Float64Array {
  const size = foldCount * (1 + outputs);
  const totals = new Float64Array(size);
  data.forEach((value, i) => {
    totals[i % size] = (totals[i % size] as number) + value;
  });
  return totals;
}

/**
 * The table that rows look up: [L + 1, T + 1], float32, of which the last row is a level that no row had. With a fold, the means
 * are of the rows outside of it.
 */
export function statisticsTable(sums: LevelSums, without?: number): Float32Array {
  const { data, outputs } = sums;
  const levels = levelsOf(sums);
  const totals = totalsOf(sums);
  const counts = (fold: number): boolean => fold !== without;
  const over = (from: Float64Array, begin: number, part: number): number => {
    let sum = 0;
    for (let fold = 0; fold < foldCount; fold++)
      if (counts(fold)) sum += from[begin + fold * (1 + outputs) + part] as number;
    return sum;
  };
  const all = over(totals, 0, 0);
  const means = Array.from({ length: outputs }, (_, t) => (all > 0 ? over(totals, 0, 1 + t) / all : 0));
  const table = new Float32Array((levels + 1) * (outputs + 1));
  for (let level = 0; level <= levels; level++) {
    const begin = level * foldCount * (1 + outputs);
    const known = level < levels;
    const rows = known ? over(data, begin, 0) : 0;
    const at = level * (outputs + 1);
    means.forEach((mean, t) => {
      const sum = known ? over(data, begin, 1 + t) : 0;
      table[at + t] = (sum + priorRows * mean) / (rows + priorRows);
    });
    let weight = 0;
    for (let fold = 0; known && fold < foldCount; fold++)
      weight += data[begin + fold * (1 + outputs)] as number;
    table[at + outputs] = Math.log1p(weight);
  }
  return table;
}

/** As base64 of little-endian float64. */
export function textOfSums({ data }: LevelSums): string {
  const view = new DataView(new ArrayBuffer(8 * data.length));
  for (let i = 0; i < data.length; i++) view.setFloat64(8 * i, data[i] as number, true);
  const bytes = new Uint8Array(view.buffer);
  let text = '';
  const step = 0x8000;
  for (let at = 0; at < bytes.length; at += step)
    text += String.fromCharCode(...bytes.subarray(at, at + step));
  return btoa(text);
}

export function sumsOfText(text: string, outputs: number): LevelSums {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const data = new Float64Array(bytes.length / 8);
  for (let i = 0; i < data.length; i++) data[i] = view.getFloat64(8 * i, true);
  return { data, outputs };
}

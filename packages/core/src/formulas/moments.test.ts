// Slopes from sums against slopes from the rows themselves.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { solveCholesky } from './cholesky.js';
import { addMoments, momentSize, ridgeSlopes } from './moments.js';

const [n, columns, outputs] = [40, 3, 2];
const random = new Random(1);
const X = Array.from({ length: n }, () =>
  Float64Array.from({ length: columns }, (_, j) => 5 + (j + 1) * random.uniform()),
);
const Y = X.map(([a, b, c]) => [
  2 * (a as number) - (b as number) + random.uniform(),
  (c as number) * (a as number),
]);
/** Rows that the ridge is worth. */
const ridge = 1;
const weights = X.map((_, i) => i % 3);

type Row = readonly [x: Float64Array, y: readonly number[], w: number];
const rows: readonly Row[] = X.map((x, i) => [x, Y[i] as number[], weights[i] as number]);

function sums(
  all: readonly Row[],
  into: Float64Array = new Float64Array(2 + momentSize(columns, outputs)),
): Float64Array {
  for (const [x, y, w] of all) addMoments(into, 2, x, y, w);
  return into;
}
function slopes(all: readonly Row[]): number[] {
  const out = new Float32Array(outputs * columns).fill(9);
  ridgeSlopes(sums(all).subarray(2), columns, out, 1);
  return Array.from(out);
}

/** (Σ w·(x − x̄)(x − x̄)ᵀ + λI)⁻¹ Σ w·(x − x̄)·y, λ the mean variance. */
function direct(all: readonly Row[]): number[] {
  const total = all.reduce((sum, [, , w]) => sum + w, 0);
  const mean = Array.from(
    { length: columns },
    (_, j) => all.reduce((sum, [x, , w]) => sum + w * (x[j] as number), 0) / total,
  );
  const gap = (x: Float64Array, j: number): number => (x[j] as number) - (mean[j] as number);
  const c = Float64Array.from({ length: columns ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    return all.reduce((sum, [x, , w]) => sum + w * gap(x, i) * gap(x, j), 0);
  });
  const trace = [0, 1, 2].reduce((sum, j) => sum + (c[j * columns + j] as number), 0);
  for (let j = 0; j < columns; j++)
    c[j * columns + j] = (c[j * columns + j] as number) + (ridge * trace) / total / columns;
  return [0, 1].flatMap((t) => {
    const b = Float64Array.from({ length: columns }, (_, j) =>
      all.reduce((sum, [x, y, w]) => sum + w * gap(x, j) * (y[t] as number), 0),
    );
    return Array.from(solveCholesky(c.slice(), b));
  });
}

describe('ridgeSlopes', () => {
  it('are those of the centered rows', () => {
    const wanted = direct(rows);
    slopes(rows).forEach((slope, i) => {
      expect(slope).toBeCloseTo(wanted[i] as number, 5);
    });
  });

  it('of a line are its slope, but for the ridge', () => {
    const many = Array.from({ length: 500 }, () => rows).flat();
    const line = many.map(([x, , w]): Row => {
      const [a, b, c] = x as unknown as [number, number, number];
      return [x, [3 * a - 2 * b + c + 7, -a], w];
    });
    [3, -2, 1, -1, 0, 0].forEach((slope, i) => {
      expect(slopes(line)[i]).toBeCloseTo(slope, 2);
    });
  });

  it.each<[string, readonly Row[]]>([
    ['no rows', []],
    ['rows of weight 0', rows.map(([x, y]) => [x, y, 0])],
    ['one row', rows.slice(1, 2)],
    ['equal rows, however large', new Array<Row>(20).fill([Float64Array.of(1e6, 1e-3, -3e7), [1, 2], 0.7])],
  ])('of %s are 0', (_name, all) => {
    expect(slopes(all)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('stay finite where features are equal or fewer rows than features are there', () => {
    const twins = rows.map(([x, y, w]): Row => [Float64Array.of(x[0] as number, x[0] as number, 4), y, w]);
    const [a, b, c] = slopes(twins) as [number, number, number];
    expect(a).toBeCloseTo(b, 4);
    expect(c).toBeCloseTo(0, 6);
    expect(slopes(rows.slice(1, 3)).every((slope) => Math.abs(slope) < 100)).toBe(true);
  });
});

describe('addMoments', () => {
  it('adds up: parts one after the other are all rows, and a weight is as many rows', () => {
    expect(sums(rows.slice(20), sums(rows.slice(0, 20)))).toEqual(sums(rows));
    const repeated = rows.flatMap(([x, y, w]) => new Array<Row>(w).fill([x, y, 1]));
    sums(repeated).forEach((value, i) => {
      expect(value).toBeCloseTo(sums(rows)[i] as number, 8);
    });
  });

  it('writes within its place', () => {
    const wide = new Float64Array(4 + momentSize(columns, outputs));
    addMoments(wide, 2, X[1] as Float64Array, [1, 1], 1);
    expect([wide[0], wide[1], wide[wide.length - 2], wide[wide.length - 1]]).toEqual([0, 0, 0, 0]);
    expect(wide.subarray(2, -2).every((value) => value !== 0)).toBe(true);
  });
});

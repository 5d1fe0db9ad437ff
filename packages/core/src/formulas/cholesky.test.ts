// The solver against elimination.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { solveCholesky } from './cholesky.js';

/** Gauß with partial pivoting. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i] as number]);
  const at = (i: number, j: number): number => (m[i] as number[])[j] as number;
  for (let j = 0; j < n; j++) {
    let pivot = j;
    for (let i = j; i < n; i++) if (Math.abs(at(i, j)) > Math.abs(at(pivot, j))) pivot = i;
    [m[j], m[pivot]] = [m[pivot] as number[], m[j] as number[]];
    for (let i = 0; i < n; i++) {
      if (i === j) continue;
      const factor = at(i, j) / at(j, j);
      m[i] = (m[i] as number[]).map((v, l) => v - factor * at(j, l));
    }
  }
  return m.map((row, i) => (row[n] as number) / (row[i] as number));
}

describe('solveCholesky', () => {
  it.each([1, 2, 5, 12])('solves %i equations as elimination does', (n) => {
    const random = new Random(n);
    const half = Array.from({ length: n }, () => Array.from({ length: n }, () => random.uniform() - 0.5));
    const a = half.map((row, i) =>
      half.map((other, j) => row.reduce((s, v, l) => s + v * (other[l] as number), 0) + (i === j ? 0.1 : 0)),
    );
    const b = Array.from({ length: n }, () => random.uniform());
    const got = solveCholesky(Float64Array.from(a.flat()), Float64Array.from(b));
    solve(a, b).forEach((value, i) => {
      expect(got[i]).toBeCloseTo(value, 8);
    });
  });
});

// Symmetric positive definite systems, in float64.

/** Lower triangle L of A = L·Lᵀ, A [n, n] symmetric positive definite; written over A. */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const at = (i: number, j: number): number => a[i * n + j] as number;
  for (let j = 0; j < n; j++) {
    let pivot = at(j, j);
    for (let l = 0; l < j; l++) pivot -= at(j, l) ** 2;
    pivot = Math.sqrt(Math.max(pivot, 1e-300));
    a[j * n + j] = pivot;
    for (let i = j + 1; i < n; i++) {
      let value = at(i, j);
      for (let l = 0; l < j; l++) value -= at(i, l) * at(j, l);
      a[i * n + j] = value / pivot;
    }
  }
  return a;
}

/** β of L·Lᵀ·β = b. */
export function solve(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const at = (i: number, j: number): number => lower[i * n + j] as number;
  const solution = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    let value = solution[i] as number;
    for (let l = 0; l < i; l++) value -= at(i, l) * (solution[l] as number);
    solution[i] = value / at(i, i);
  }
  for (let i = n - 1; i >= 0; i--) {
    let value = solution[i] as number;
    for (let l = i + 1; l < n; l++) value -= at(l, i) * (solution[l] as number);
    solution[i] = value / at(i, i);
  }
  return solution;
}

/** Solves A·β = b for a symmetric positive definite A [n, n], whose lower triangle is overwritten. */
export const solveCholesky = (a: Float64Array, b: Float64Array): Float64Array =>
  solve(cholesky(a, b.length), b);

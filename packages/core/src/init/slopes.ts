// metric: 'slopes': weighs each feature by how fast the target changes along it, from local ridge regressions (SPEC §6).

import type { Rows } from '../data/matrix.js';
import { takeRows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { BATCH } from '../graph/ir.js';
import { neg, topK } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { compare, type Distance } from '../method/similarity.js';
import type { Random } from '../random.js';
import type { Batch } from '../training/phase1.js';
import { type Programs, runOnce, take } from '../training/program.js';
import { f32 } from '../training/spec.js';

/** Rows around which the target is fitted; a draw from the rows weighs places by how many rows they hold. */
const anchors = 400;
/** Times the metric is estimated, each in the space of the one before. */
const repeats = 3;
/** Ridge, as a share of the mean variance of the neighbours' features. */
const ridge = 0.1;
/** What a feature without any slope still weighs. */
const floor = 0.02;

/** Indices of the k nearest rows of `among` for each of `rows` [rows, k], nearest first. */
export async function nearestRows(
  programs: Programs,
  problem: {
    rows: Rows;
    among: Rows;
    k: number;
    distance: Distance;
    featureWeights?: Float32Array;
    mask?: Rows | undefined;
  },
): Promise<Int32Array> {
  const { rows, among, k, distance } = problem;
  const { columns } = rows;
  const weights = problem.featureWeights ?? new Float32Array(columns).fill(1);
  const key = `nearestRows ${distance} ${k} ${among.rows} ${columns} ${!!problem.mask}`;
  const program = await programs.get(key, () =>
    trace(
      'nearestRows',
      {
        x: f32(BATCH, columns),
        among: f32(among.rows, columns),
        weights: f32(1, columns),
        ...(problem.mask ? { mask: f32(BATCH, columns) } : {}),
      },
      (t: Readonly<Record<string, Tensor>>) => {
        const { delta } = compare({
          distance,
          x: t.x as Tensor,
          prototypes: t.among as Tensor,
          weights: t.weights,
          mask: t.mask,
        });
        return { index: topK(neg(delta), k).indices };
      },
    ),
  );
  const fixed = {
    among: programs.upload(ndarray(among.data, [among.rows, columns])),
    weights: programs.upload(ndarray(weights, [1, columns])),
  };
  const index = new Int32Array(rows.rows * k);
  const block = 256;
  const part = (all: Rows, begin: number, end: number) =>
    programs.upload(ndarray(all.data.subarray(begin * columns, end * columns), [end - begin, columns]));
  for (let begin = 0; begin < rows.rows; begin += block) {
    const end = Math.min(rows.rows, begin + block);
    const uploads = {
      x: part(rows, begin, end),
      ...(problem.mask ? { mask: part(problem.mask, begin, end) } : {}),
    };
    const results = await runOnce(program, fixed, uploads);
    index.set((await take(results.index as NonNullable<typeof results.index>)).data, begin * k);
  }
  for (const value of Object.values(fixed)) value.dispose();
  return index;
}

/** Diagonal metric [D] with mean 1 + floor: the rows' mean squared slope of the target along each feature. */
export async function slopesMetric(
  programs: Programs,
  distance: Distance,
  sample: Batch,
  random: Random,
): Promise<Float32Array> {
  const { columns } = sample.x;
  const k = Math.min(2 * columns + 20, sample.x.rows);
  const order = random.permutation(sample.x.rows);
  const at = takeRows(sample.x, order, 0, Math.min(anchors, order.length));
  let metric: Float32Array = new Float32Array(columns).fill(1);
  for (let repeat = 0; repeat < repeats; repeat++) {
    const index = await nearestRows(programs, {
      rows: at,
      among: sample.x,
      k,
      distance,
      featureWeights: metric,
    });
    const squares = new Float64Array(columns);
    for (let a = 0; a < at.rows; a++) {
      for (let t = 0; t < sample.y.columns; t++) {
        const slope = localSlope(sample, index.subarray(a * k, (a + 1) * k), t);
        slope.forEach((b, j) => {
          squares[j] = (squares[j] as number) + b * b;
        });
      }
    }
    const total = squares.reduce((x, y) => x + y, 0);
    if (!(total > 0)) return metric;
    metric = Float32Array.from(squares, (s) => (s / total) * columns + floor);
  }
  return metric;
}

/** Slope of target t over some rows: (XᵀX + λI)⁻¹Xᵀy on centered columns, by Cholesky. */
function localSlope(sample: Batch, index: Int32Array, t: number): Float64Array {
  const { columns, data } = sample.x;
  const n = index.length;
  const x = new Float64Array(n * columns);
  const y = new Float64Array(n);
  const means = new Float64Array(columns);
  // From the first one on, so that the mean of equal targets is that target to the bit, and their slope 0.
  const target = (row: number): number => sample.y.data[row * sample.y.columns + t] as number;
  const first = target(index[0] as number);
  let mean = first;
  index.forEach((row, i) => {
    for (let j = 0; j < columns; j++) {
      const value = data[row * columns + j] as number;
      x[i * columns + j] = value;
      means[j] = (means[j] as number) + value / n;
    }
    y[i] = target(row);
    mean += ((y[i] as number) - first) / n;
  });
  const gram = new Float64Array(columns * columns);
  const right = new Float64Array(columns);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < columns; j++) {
      const xj = (x[i * columns + j] as number) - (means[j] as number);
      right[j] = (right[j] as number) + xj * ((y[i] as number) - mean);
      for (let l = 0; l <= j; l++) {
        const at = j * columns + l;
        gram[at] = (gram[at] as number) + xj * ((x[i * columns + l] as number) - (means[l] as number));
      }
    }
  }
  let trace = 0;
  for (let j = 0; j < columns; j++) trace += gram[j * columns + j] as number;
  const lambda = (ridge * trace) / columns + 1e-9;
  for (let j = 0; j < columns; j++) gram[j * columns + j] = (gram[j * columns + j] as number) + lambda;
  return solveCholesky(gram, right);
}

/** Solves A·β = b for a symmetric positive definite A [n, n], whose lower triangle is overwritten. */
export function solveCholesky(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
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

// metric 'slopes': weighs each feature by how fast the target changes along it, from local ridge regressions (docs/method.md §6).

import type { Rows } from '../data/matrix.js';
import { denseRows } from '../data/sparse.js';
import { ndarray } from '../dtype.js';
import { cholesky, solve } from '../formulas/cholesky.js';
import { nearness } from '../formulas/composites.js';
import type { Distance } from '../formulas/distances.js';
import { BATCH } from '../graph/ir.js';
import { topK } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import type { Random } from '../random.js';
import type { DenseBatch } from '../state/batch.js';
import { drawByWeight } from '../state/row-counts.js';
import { disposeAll } from '../training/phase1.js';
import { type Programs, readAndFree, runOnce, uploadRows } from '../training/program.js';
import { breathe } from '../training/progress.js';
import { f32 } from '../training/spec.js';

/** Most rows around which the target is fitted; drawn from the rows, so dense regions count more. */
const mostAnchors = 400;
export const leastAnchors = 32;
/** Multiplications in one estimate, about half a second; wide rows get fewer anchors. */
const budget = 3e8;
/** Number of estimates, each in the space of the one before. */
const repeats = 3;
/** Ridge strength, as a share of the mean variance of the neighbours' features. */
const ridge = 0.1;
/** Least weight of a feature, without any slope. */
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
        const near = nearness({
          distance,
          x: t.x as Tensor,
          prototypes: t.among as Tensor,
          weights: t.weights,
          mask: t.mask,
        });
        return { index: topK(near, k).indices };
      },
    ),
  );
  const fixed = {
    among: uploadRows(programs, among),
    weights: programs.upload(ndarray(weights, [1, columns])),
  };
  const index = new Int32Array(rows.rows * k);
  const block = 256;
  try {
    for (let begin = 0; begin < rows.rows; begin += block) {
      const end = Math.min(rows.rows, begin + block);
      const uploads = {
        x: uploadRows(programs, rows, begin, end),
        ...(problem.mask ? { mask: uploadRows(programs, problem.mask, begin, end) } : {}),
      };
      const results = await runOnce(program, fixed, uploads);
      index.set((await readAndFree(results.index as NonNullable<typeof results.index>)).data, begin * k);
    }
  } finally {
    disposeAll(fixed);
  }
  return index;
}

/** Number of anchors that the budget allows for this many columns. */
export const slopeAnchors = (columns: number): number =>
  Math.min(mostAnchors, Math.floor(budget / ((2 * columns + 20) * columns ** 2)));

/** Diagonal metric [D] with mean 1 + floor, proportional to the mean squared slope of the target along each feature. */
export async function slopesMetric(
  programs: Programs,
  distance: Distance,
  sample: DenseBatch,
  random: Random,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { columns } = sample.x;
  const k = Math.min(2 * columns + 20, sample.x.rows);
  const anchors = drawByWeight(sample, Math.max(leastAnchors, slopeAnchors(columns)), random);
  const at = denseRows(anchors.x);
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
      await breathe(signal);
      const w = anchors.sampleWeight[a] as number;
      for (const slope of localSlopes(sample, index.subarray(a * k, (a + 1) * k))) {
        slope.forEach((b, j) => {
          squares[j] = (squares[j] as number) + w * b * b;
        });
      }
    }
    const total = squares.reduce((x, y) => x + y, 0);
    if (!(total > 0)) return metric;
    metric = Float32Array.from(squares, (s) => (s / total) * columns + floor);
  }
  return metric;
}

/** Slope of every target on some rows: (XᵀWX + λI)⁻¹XᵀWy on centered columns, with one factorisation for all targets. */
function localSlopes({ x, y, sampleWeight }: DenseBatch, index: Int32Array): Float64Array[] {
  const n = index.length;
  const { columns } = x;
  const weights = Float64Array.from(index, (i) => sampleWeight[i] as number);
  const [xs, ys] = [centered(x, index, weights), centered(y, index, weights)];
  const gram = new Float64Array(columns * columns);
  const products = new Float64Array(y.columns * columns);
  for (let r = 0; r < n; r += 4) addProducts(gram, xs, columns, r);
  for (let r = 0; r < n; r++) {
    const row = r * columns;
    for (let t = 0; t < y.columns; t++) {
      const value = ys[r * y.columns + t] as number;
      if (value === 0) continue;
      const into = t * columns;
      for (let j = 0; j < columns; j++)
        products[into + j] = (products[into + j] as number) + value * (xs[row + j] as number);
    }
  }
  let trace = 0;
  for (let j = 0; j < columns; j++) trace += gram[j * columns + j] as number;
  const lambda = (ridge * trace) / columns + 1e-9;
  for (let j = 0; j < columns; j++) gram[j * columns + j] = (gram[j * columns + j] as number) + lambda;
  const factor = cholesky(gram, columns);
  return Array.from({ length: y.columns }, (_, t) =>
    solve(factor, products.subarray(t * columns, (t + 1) * columns)),
  );
}

/** Adds Σ x xᵀ of the four rows from r on to the lower half of a matrix [D, D]; one row at a time takes three times as long. */
function addProducts(gram: Float64Array, xs: Float64Array, columns: number, r: number): void {
  const a = r * columns;
  const b = a + columns;
  const c = b + columns;
  const d = c + columns;
  for (let i = 0; i < columns; i++) {
    const va = xs[a + i] as number;
    const vb = xs[b + i] as number;
    const vc = xs[c + i] as number;
    const vd = xs[d + i] as number;
    const into = i * columns;
    for (let j = 0; j <= i; j++) {
      gram[into + j] =
        (gram[into + j] as number) +
        va * (xs[a + j] as number) +
        vb * (xs[b + j] as number) +
        vc * (xs[c + j] as number) +
        vd * (xs[d + j] as number);
    }
  }
}

/** The chosen rows minus their mean, times the roots of their weights, padded with zeros to a multiple of four rows. */
function centered({ data, columns }: Rows, index: Int32Array, weights: Float64Array): Float64Array {
  const n = index.length;
  const total = weights.reduce((a, b) => a + b, 0);
  const out = new Float64Array(4 * Math.ceil(n / 4) * columns);
  for (let j = 0; j < columns; j++) {
    // Relative to the first value, so that the mean of equal values is exactly that value and their slope 0.
    const first = data[(index[0] as number) * columns + j] as number;
    let mean = first;
    for (let i = 0; i < n; i++)
      mean +=
        ((weights[i] as number) * ((data[(index[i] as number) * columns + j] as number) - first)) / total;
    for (let i = 0; i < n; i++)
      out[i * columns + j] =
        Math.sqrt(weights[i] as number) * ((data[(index[i] as number) * columns + j] as number) - mean);
  }
  return out;
}

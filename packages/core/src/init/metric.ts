// Decides whether the 'slopes' metric helps: error of nearest neighbours with and without it, on held-out rows.

import { type Rows, takeRows } from '../data/matrix.js';
import type { Distance } from '../formulas/distances.js';
import type { Random } from '../random.js';
import type { DenseBatch } from '../state/batch.js';
import { wholeRows } from '../state/row-counts.js';
import type { Programs } from '../training/program.js';
import { leastAnchors, nearestRows, slopeAnchors, slopesMetric } from './slopes.js';

/** Most rows for fitting the slopes, and most held-out rows. */
const fittedRows = 8192;
const judgingRows = 2048;
const neighbours = 8;
/** Fewer rows give slopes that are only noise. */
const leastRows = 100;

/**
 * The metric [D] from rows whose weights count rows. Null with fewer than 100 rows, or if 'auto' finds that it does not lower the
 * error on the held-out rows.
 */
export async function chooseMetric(
  programs: Programs,
  options: { readonly metric: 'slopes' | 'auto'; readonly distance: Distance },
  sample: DenseBatch,
  random: Random,
  signal?: AbortSignal,
): Promise<Float32Array | null> {
  const n = sample.x.rows;
  if (wholeRows(sample.sampleWeight) < leastRows) return null;
  // With very many columns, slopes cost more than the whole training, and there are too few anchors.
  if (options.metric === 'auto' && slopeAnchors(sample.x.columns) < leastAnchors) return null;
  const order = random.permutation(n);
  const held = options.metric === 'auto' ? Math.min(judgingRows, Math.floor(n / 5)) : 0;
  const part = (begin: number, end: number): DenseBatch => {
    const take = (rows: Rows): Rows => takeRows(rows, order, begin, end);
    const weight = Float32Array.from(order.subarray(begin, end), (row) => sample.sampleWeight[row] as number);
    return { x: take(sample.x), y: take(sample.y), sampleWeight: weight };
  };
  const judges = part(0, held);
  const fitted = part(held, held + rounded(Math.min(fittedRows, n - held)));
  const metric = await slopesMetric(programs, options.distance, fitted, random, signal);
  if (options.metric === 'slopes') return metric;
  const plain = new Float32Array(metric.length).fill(1);
  const error = (weights: Float32Array) =>
    neighbourError(programs, options.distance, judges, fitted, weights);
  return (await error(metric)) < (await error(plain)) ? metric : null;
}

/**
 * At most n, rounded down to an eighth of a power of two: a search is compiled for its number of rows, so few numbers need few
 * programs.
 */
function rounded(n: number): number {
  const unit = Math.max(1, 2 ** (Math.floor(Math.log2(n)) - 3));
  return n - (n % unit);
}

/** Σ w·(weighted mean target of the nearest rows − y)² */
async function neighbourError(
  programs: Programs,
  distance: Distance,
  judges: DenseBatch,
  fitted: DenseBatch,
  featureWeights: Float32Array,
): Promise<number> {
  const k = Math.min(neighbours, fitted.x.rows);
  const index = await nearestRows(programs, { rows: judges.x, among: fitted.x, k, distance, featureWeights });
  const width = judges.y.columns;
  let error = 0;
  for (let i = 0; i < judges.x.rows; i++) {
    for (let t = 0; t < width; t++) {
      let [sum, weight] = [0, 0];
      for (let j = 0; j < k; j++) {
        const near = index[i * k + j] as number;
        const w = fitted.sampleWeight[near] as number;
        sum += w * (fitted.y.data[near * width + t] as number);
        weight += w;
      }
      const mean = sum / weight;
      error += (judges.sampleWeight[i] as number) * (mean - (judges.y.data[i * width + t] as number)) ** 2;
    }
  }
  return error;
}

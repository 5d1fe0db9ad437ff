// One factor for the logits of a classifier, chosen on rows that did not train: what the loss leaves too flat, or overfits.

import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { BATCH } from '../graph/ir.js';
import { trace } from '../graph/trace.js';
import { classProbabilities, smoothingOf } from '../heads/classifier.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import { type Context, headOf, originOf } from '../training/context.js';
import { readGraph } from '../training/graphs.js';
import { overRows } from '../training/over-rows.js';

/** Rows with the logits of their classes [N, C], row-major, and the index of the true one [N]. */
export interface JudgedClasses {
  readonly logits: NdArray;
  readonly truth: ArrayLike<number>;
  readonly sampleWeight: ArrayLike<number>;
  /** Share of a class that the loss spread over all. */
  readonly smoothing: number;
}

/** Rows that are asked at most: their error in the sharpness is about 2 %. */
const mostRows = 4096;
/** Deviation of the logarithm among sets, around a factor of 1: what few rows say counts less than that. */
const spread = 0.15;
/** The largest factor, and the inverse of the least. */
const most = 10;
/** Of the logarithm, where the search ends. */
const exact = 1e-3;

/** The place of the lowest value of a function with one minimum, by golden sections (Kiefer 1953). */
function lowest(of: (at: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  let [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [atLeft, atRight] = [of(left), of(right)];
  while (high - low > exact) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - ratio * (high - low);
      atLeft = of(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + ratio * (high - low);
      atRight = of(right);
    }
  }
  return (low + high) / 2;
}

/**
 * The factor s of the logits, in [0.1, 10], of the highest likelihood (Guo et al. 2017): the minimum of
 * −Σ w/w̄·log p_true(s) + (log s)² / (2·0.15²), p as `classProbabilities` has it.
 */
export function sharpnessOf({ logits, truth, sampleWeight, smoothing }: JudgedClasses): number {
  const [rows, classes] = logits.shape as [number, number];
  const specs = {
    logits: { shape: [BATCH, classes], dtype: 'float32' },
    sharpness: { shape: [], dtype: 'float32' },
  } as const;
  const graph = trace('sharpness', specs, (t) => ({
    p: classProbabilities(t.logits, t.sharpness, smoothing),
  }));
  let [weight, counted] = [0, 0];
  for (let i = 0; i < rows; i++) {
    weight += sampleWeight[i] as number;
    if ((sampleWeight[i] as number) > 0) counted++;
  }
  const cost = (logarithm: number): number => {
    const sharpness: NdArray = { data: Float64Array.of(Math.exp(logarithm)), shape: [], dtype: 'float32' };
    const p = (evaluateGraph(graph, [logits, sharpness], 'float64')[0] as NdArray).data;
    let total = 0;
    for (let i = 0; i < rows; i++) {
      const w = sampleWeight[i] as number;
      if (w > 0) total -= w * Math.log(p[i * classes + (truth[i] as number)] as number);
    }
    return (total * counted) / weight + logarithm ** 2 / (2 * spread ** 2);
  };
  return Math.exp(lowest(cost, -Math.log(most), Math.log(most)));
}

/** The rows, or every so many-th of many. */
function few(rows: Batch): Batch {
  const n = rows.x.rows;
  if (n <= mostRows) return rows;
  const order = Uint32Array.from({ length: mostRows }, (_, i) => Math.floor((i * n) / mostRows));
  return takeBatch(rows, order, 0, mostRows);
}

/** Rows, in the caller's units, and the state that they say something new of. */
export interface Judges {
  readonly state: ModelState;
  readonly rows: Batch;
}

/** Rows for each prototype of a head from which what phase 1 made of them is hardly about a single one. */
const rowsOfMeans = 16;

/**
 * The rows of a phase 1 where they may tell its sharpness: means over many of them are for other rows what they are for these.
 */
export function judgesOfMeans(state: ModelState, rows: Batch): Judges | undefined {
  const { trained, given, arrays } = state;
  const [prototypes = 1] = arrays.prototypes?.shape ?? [];
  const heads = arrays.featureWeights?.shape[0] ?? 1;
  const enough = rows.x.rows * heads >= rowsOfMeans * prototypes;
  return trained || given || !enough ? undefined : { state, rows };
}

/**
 * The state with the sharpness that rows in the caller's units tell of `asked`, a state that they did not train; heads without
 * logits, and no rows, leave it as it is.
 */
export async function withSharpness(
  context: Context,
  state: ModelState,
  rows: Batch | undefined,
  asked: ModelState = state,
): Promise<ModelState> {
  if (!rows || !headOf(context, asked).reads.logits) return state;
  const { x, y, mask, sampleWeight } = few(rows);
  const logits = await overRows(context, asked, { x, mask }, 'logits undefined', readGraph('logits'));
  const smoothing = smoothingOf(originOf(asked), context.options.labelSmoothing);
  const sharpness = sharpnessOf({ logits, truth: denseRows(y).data, sampleWeight, smoothing });
  return { ...state, arrays: { ...state.arrays, sharpness: ndarray([sharpness], []) } };
}

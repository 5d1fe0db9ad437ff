// Temperature scaling: one factor for the logits of a classifier, chosen on rows that did not train. It corrects logits that the
// loss leaves too flat or overfits.

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

/** Rows by the logits of their classes [N, C], row-major, and the index of the true class [N]. */
export interface JudgedClasses {
  readonly logits: NdArray;
  readonly truth: ArrayLike<number>;
  readonly sampleWeight: ArrayLike<number>;
  /** Label smoothing: the share that the loss spread over all classes. */
  readonly smoothing: number;
}

/** Most rows used; their standard error of the sharpness is about 2 %. */
const mostRows = 4096;
/** Standard deviation of the prior of log s around 0, measured over data sets. */
const spread = 0.15;
/** Largest factor; the smallest is its inverse. */
const most = 10;
/** Precision of log s at which the search ends. */
const exact = 1e-3;

/** The argument of the lowest value of a function with one minimum, by golden-section search (Kiefer 1953). */
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
 * The factor s of the logits, in [0.1, 10], of highest posterior likelihood (Guo et al. 2017): it minimises −Σ w/w̄·log p_true(s) +
 * (log s)² / (2·0.15²), where p is `classProbabilities`.
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

/** All rows, or evenly spaced ones if there are many. */
function few(rows: Batch): Batch {
  const n = rows.x.rows;
  if (n <= mostRows) return rows;
  const order = Uint32Array.from({ length: mostRows }, (_, i) => Math.floor((i * n) / mostRows));
  return takeBatch(rows, order, 0, mostRows);
}

/** Rows in the caller's units, and a state that they can judge without having trained it. */
export interface Judges {
  readonly state: ModelState;
  readonly rows: Batch;
}

/** Rows for each prototype of a head above which a prototype's mean hardly depends on any single row. */
const rowsOfMeans = 16;

/**
 * The training rows of phase 1 as judges of their own state, if there are enough for each prototype: then the state answers them
 * like unseen rows.
 */
export function judgesOfMeans(state: ModelState, rows: Batch): Judges | undefined {
  const { trained, given, arrays } = state;
  const [prototypes = 1] = arrays.prototypes?.shape ?? [];
  const heads = arrays.featureWeights?.shape[0] ?? 1;
  const enough = rows.x.rows * heads >= rowsOfMeans * prototypes;
  return trained || given || !enough ? undefined : { state, rows };
}

/**
 * The state with the sharpness that `rows`, in the caller's units, choose for `asked`, a state that they did not train. Unchanged
 * without rows, or if the head has no logits.
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

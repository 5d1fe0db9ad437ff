// One threshold for each label, for strategy 'tuned': chosen on rows that did not train, to maximise the user's metric.

import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { type Context, headOf, originOf } from '../training/context.js';
import { readGraph } from '../training/graphs.js';
import { overRows } from '../training/over-rows.js';

export type ThresholdMetric = Resolved['thresholdMetric'];

/** Rows with their predicted probabilities and true labels, row-major [N, C]. */
export interface Judged {
  readonly probabilities: ArrayLike<number>;
  readonly truth: ArrayLike<number>;
  readonly sampleWeight: ArrayLike<number>;
  /** C */
  readonly labels: number;
}

/**
 * Strength of the prior on a threshold, in positive rows, when finetune and fit choose thresholds on the few rows that they held
 * out. On held-out rows of 20 splits of scene, yeast and emotions, macro-F1 changes from that of 0.5 by +.004, +.015 and +.003 on
 * average; without a prior, labels with few positives cost emotions −.010.
 */
export const heldOutSmoothing = 20;

/** The effect of a threshold in [low, next higher probability) on a label. */
interface Cut {
  readonly low: number;
  readonly threshold: number;
  /** Σ w of the rows above the threshold that have the label, and of all rows above it. */
  readonly met: number;
  readonly predicted: number;
}

interface Label {
  /** From no row above the threshold to all rows above it. */
  readonly cuts: readonly Cut[];
  /** Σ w of the rows that have the label. */
  readonly positives: number;
}

/** A threshold between two neighbouring probabilities; the lower one falls below it. */
function between(low: number, high: number): number {
  const middle = Math.fround((low + high) / 2);
  return middle < high ? Math.max(low, middle) : low;
}

/** The cuts of a label. Equal probabilities fall on the same side; a probability of 0 never gets the label. */
function labelOf({ probabilities, truth, sampleWeight, labels }: Judged, label: number): Label {
  const p = (i: number): number => probabilities[i * labels + label] as number;
  const rows = Array.from({ length: sampleWeight.length }, (_, i) => i).filter(
    (i) => (sampleWeight[i] as number) > 0,
  );
  rows.sort((a, b) => p(b) - p(a));
  let [met, predicted] = [0, 0];
  const highest = rows.length > 0 ? p(rows[0] as number) : 0;
  const cuts: Cut[] = [{ low: highest, threshold: between(highest, 1), met, predicted }];
  rows.forEach((row, i) => {
    const w = sampleWeight[row] as number;
    predicted += w;
    met += w * (truth[row * labels + label] as number);
    const low = i + 1 < rows.length ? p(rows[i + 1] as number) : 0;
    if (low < p(row)) cuts.push({ low, threshold: between(low, p(row)), met, predicted });
  });
  return { cuts, positives: met };
}

const share = (met: number, predicted: number): number => (predicted > 0 ? (2 * met) / predicted : 0);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** How a label's cut adds to a metric, and the metric of one cut for each label; both up to constants of the rows. */
interface MetricRow {
  readonly gain: (cut: Cut, positives: number, rate: number) => number;
  readonly total: (cuts: readonly Cut[], positives: readonly number[]) => number;
  /** The gain depends on the metric's own value. */
  readonly fractional: boolean;
}

const metrics: Readonly<Record<ThresholdMetric, MetricRow>> = {
  // mean over labels of 2·TP / (2·TP + FP + FN)
  macroF1: {
    gain: ({ met, predicted }, positives) => share(met, predicted + positives),
    total: (cuts, positives) =>
      sum(cuts.map(({ met, predicted }, c) => share(met, predicted + (positives[c] as number)))),
    fractional: false,
  },
  // Microaveraged F1: 2·ΣTP / Σ(2·TP + FP + FN) > λ wherever Σ(2·TP − λ·predicted) > λ·Σ positives, a sum over labels (Dinkelbach 1967).
  microF1: {
    gain: ({ met, predicted }, _, rate) => 2 * met - rate * predicted,
    total: (cuts, positives) =>
      share(sum(cuts.map(({ met }) => met)), sum(cuts.map(({ predicted }) => predicted)) + sum(positives)),
    fractional: true,
  },
  // right decisions: TP + TN = 2·TP − predicted + negatives
  accuracy: {
    gain: ({ met, predicted }) => 2 * met - predicted,
    total: (cuts) => sum(cuts.map(({ met, predicted }) => 2 * met - predicted)),
    fractional: false,
  },
};

/** Whether a is nearer to `middle` than b. */
const nearer = (a: number, b: number, middle: number): boolean => Math.abs(a - middle) < Math.abs(b - middle);

/** The cut of the largest gain; of equals the one nearest to `middle`; null if all are equal. */
function bestCut({ cuts, positives }: Label, { gain }: MetricRow, rate: number, middle: number): Cut | null {
  let best = cuts[0] as Cut;
  let [most, least] = [gain(best, positives, rate), gain(best, positives, rate)];
  for (const cut of cuts) {
    const value = gain(cut, positives, rate);
    least = Math.min(least, value);
    if (value > most || (value === most && nearer(cut.threshold, best.threshold, middle)))
      [best, most] = [cut, value];
  }
  return most > least ? best : null;
}

/** The best threshold of each label; `middle` where no threshold changes the metric. */
function ownThresholds(labels: readonly Label[], row: MetricRow, middle: number): number[] {
  const positives = labels.map((label) => label.positives);
  let rate = 0;
  for (;;) {
    const best = labels.map((label) => bestCut(label, row, rate, middle));
    const reached = row.total(
      best.map((cut, c) => cut ?? ((labels[c] as Label).cuts[0] as Cut)),
      positives,
    );
    if (!row.fractional || reached <= rate) return best.map((cut) => cut?.threshold ?? middle);
    rate = reached;
  }
}

/** Number of thresholds tried for all labels together. */
const steps = 100;

/** The best common threshold of all labels, in hundredths; of equals the one nearest to `middle`. */
function commonThreshold(labels: readonly Label[], row: MetricRow, middle: number): number {
  const positives = labels.map((label) => label.positives);
  const at = labels.map(() => 0);
  let [best, most] = [middle, Number.NEGATIVE_INFINITY];
  for (let step = steps - 1; step > 0; step--) {
    const threshold = step / steps;
    const cuts = labels.map(({ cuts: all }, c) => {
      while ((all[at[c] as number] as Cut).low > threshold) at[c] = (at[c] as number) + 1;
      return all[at[c] as number] as Cut;
    });
    const value = row.total(cuts, positives);
    if (value > most || (value === most && nearer(threshold, best, middle)))
      [best, most] = [threshold, value];
  }
  return best;
}

/**
 * The threshold of each label [C] that maximises the metric on these rows. A threshold lies midway between two neighbouring
 * probabilities; of equals the one nearest to `middle` is taken. A label whose threshold changes nothing gets `middle`, as one
 * without positives for macro-F1. With `smoothing` s, a label of n positive rows (weights in rows) gets g + n/(n + s)·(own − g),
 * where g is the best common threshold, itself shrunk to `middle` in the same way by the positives of all labels.
 */
export function thresholdsOf(
  judged: Judged,
  metric: ThresholdMetric,
  smoothing = 0,
  middle = 0.5,
): Float32Array {
  const labels = Array.from({ length: judged.labels }, (_, c) => labelOf(judged, c));
  const row = metrics[metric];
  const own = ownThresholds(labels, row, middle);
  if (smoothing === 0) return Float32Array.from(own);
  const { sampleWeight } = judged;
  const unit = unitWeight(Float32Array.from(sampleWeight));
  const drawn = (value: number, prior: number, positives: number): number =>
    prior + (positives / (positives + smoothing * unit)) * (value - prior);
  const all = sum(labels.map(({ positives }) => positives));
  const common = drawn(commonThreshold(labels, row, middle), middle, all);
  return Float32Array.from(own, (value, c) => drawn(value, common, (labels[c] as Label).positives));
}

/** The default threshold: one half for accuracy; for F1 the cut of strategy 'adaptive'. */
const middleOf = (metric: ThresholdMetric, cut: number): number => (metric === 'accuracy' ? 0.5 : cut);

/** The state with thresholds chosen on rows in the caller's units. Unchanged without rows, and for other tasks. */
export async function withThresholds(
  context: Context,
  state: ModelState,
  rows: Batch | undefined,
  metric: ThresholdMetric = context.options.thresholdMetric,
  smoothing: number = heldOutSmoothing,
): Promise<ModelState> {
  const { labels } = headOf(context, state);
  if (!rows || !labels) return state;
  const { data } = await overRows(
    context,
    state,
    { x: rows.x, mask: rows.mask },
    'probabilities undefined',
    readGraph('probabilities'),
  );
  const { sampleWeight, y } = rows;
  const judged = { probabilities: data, truth: denseRows(y).data, sampleWeight, labels: state.outputs };
  const thresholds: NdArray = ndarray(
    thresholdsOf(judged, metric, smoothing, middleOf(metric, labels.cut(originOf(state)))),
    [state.outputs],
  );
  return { ...state, arrays: { ...state.arrays, thresholds } };
}

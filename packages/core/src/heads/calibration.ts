// Calibration: undoes what training does to probabilities, in what users read. Traced, so that exports share it.

import { ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { gradients } from '../graph/gradients.js';
import { add, div, max, min, mul, neg, sub, sum } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';

/** The origin of a grid's targets: the caller's own logits, the rows of phase 1, or the loss of phase 2. */
export type Origin = 'given' | 'rows' | 'gradients';

/**
 * Least ratio of the calibrated probability to the raw one, and of their distances from 1. The formulas below give 0 or 1 for whole
 * ranges of raw probabilities, in which rows of the other kind occur. Of the values from .02 to .2, .1 has the lowest log loss on
 * validation rows of letter, satimage, adult, scene, yeast and emotions.
 */
const least = 0.1;

/** Undoes label smoothing ε in q [B, C]: p = (q − ε/C) / (1 − ε), at least 0.1·q, divided by the sum over classes. */
export function unsmoothed(q: Tensor, smoothing: number): Tensor {
  if (smoothing === 0) return q;
  const rest = max(sub(q, smoothing / q.dim(-1)), mul(q, (1 - smoothing) * least));
  return div(rest, sum(rest, -1, { keepDims: true }));
}

/**
 * `share` clamped to within a factor of ten of p, and 1 − `share` of 1 − p. `share` must not decrease in p; then the result
 * increases in p, with 0 ↦ 0 and 1 ↦ 1.
 */
function within(share: Tensor, p: Tensor): Tensor {
  const other = sub(1, p);
  const low = max(mul(p, least), sub(1, div(other, least)));
  const high = min(div(p, least), sub(1, mul(other, least)));
  return min(max(share, low), high);
}

/** The share of rows that phase 1 stores as p = 0.9·share + 0.05. */
export const shareOfRows = (p: Tensor): Tensor => within(div(sub(p, 0.05), 0.9), p);

/** Closer to 1 than this, 1 − p has no digits in float32. */
const edge = 1e-6;

/**
 * The share r of positives among rows for which a loss is minimal at p. There r·L₁(p) + (1 − r)·L₀(p) has slope 0, so r = L₀′ /
 * (L₀′ − L₁′). `losses` gives L₁ and L₀, the loss of p for a positive and a negative, which are smooth up to `top`.
 */
export function shareOfMinimum(
  p: Tensor,
  losses: (p: Tensor) => readonly [Tensor, Tensor],
  top: number,
): Tensor {
  const inside = max(min(p, top - edge), edge);
  const [falling, rising] = losses(inside).map((loss) => gradients(sum(loss), [inside])[0] as Tensor) as [
    Tensor,
    Tensor,
  ];
  // High powers of both vanish in float32 too.
  return within(div(rising, max(add(rising, neg(falling)), 1e-30)), p);
}

/** Applies a calibration to probabilities [B] or [B, C] on the host, for the few that no graph computes. */
export function onHost(probabilities: ArrayLike<number>, undo: (p: Tensor) => Tensor): Float32Array {
  const shape = [probabilities.length];
  const graph = trace('undo', { p: { shape, dtype: 'float32' } }, (t) => ({ share: undo(t.p) }));
  return evaluateGraph(graph, [ndarray(probabilities, shape)])[0]?.data as Float32Array;
}

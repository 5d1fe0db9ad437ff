// What training does to probabilities, and how it is undone in what users read. Traced, so that exports are the same lowering.

import { ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { gradients } from '../graph/gradients.js';
import { add, div, max, min, mul, neg, sub, sum } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';

/** Where the targets of a grid come from: the caller's own logits, the rows of phase 1, or the loss of phase 2. */
export type Origin = 'given' | 'rows' | 'gradients';

/**
 * Least factor by which undoing changes a probability, and its distance from 1. The formulas below say 0 and 1 for whole ranges of
 * what a model answers, and rows of the other kind lie there: .1 has the lowest log loss on validation rows of letter, satimage,
 * adult, scene, yeast and emotions, from .02 to .2.
 */
const least = 0.1;

/** p of which q [B, C] is what a share ε spread over all classes leaves: (q − ε/C) / (1 − ε), at least 0.1·q, over their sum. */
export function unsmoothed(q: Tensor, smoothing: number): Tensor {
  if (smoothing === 0) return q;
  const rest = max(sub(q, smoothing / q.dim(-1)), mul(q, (1 - smoothing) * least));
  return div(rest, sum(rest, -1, { keepDims: true }));
}

/**
 * `share`, which does not decrease in p, where it is within a factor of ten of p, and 1 − `share` of 1 − p; else the nearest value
 * that is: 0 stays 0, 1 stays 1, and between them every step up of p is one of the result.
 */
function within(share: Tensor, p: Tensor): Tensor {
  const other = sub(1, p);
  const low = max(mul(p, least), sub(1, div(other, least)));
  const high = min(div(p, least), sub(1, mul(other, least)));
  return min(max(share, low), high);
}

/** Share of rows of which 0.9·share + 0.05 is p. */
export const shareOfRows = (p: Tensor): Tensor => within(div(sub(p, 0.05), 0.9), p);

/** Beyond it 1 − p has no digits in float32. */
const edge = 1e-6;

/**
 * The share r of positives among rows of which a loss has its minimum at p: r·L₁(p) + (1 − r)·L₀(p) is level there, so that
 * r = L₀′ / (L₀′ − L₁′). `losses` gives L₁ and L₀, what p costs a positive and a negative, which are smooth up to `top`.
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
  // High powers of both have no digits in float32 either.
  return within(div(rising, max(add(rising, neg(falling)), 1e-30)), p);
}

/** A function of probabilities [B] or [B, C] on the host, for the few that are no answers of a graph. */
export function onHost(probabilities: ArrayLike<number>, undo: (p: Tensor) => Tensor): Float32Array {
  const shape = [probabilities.length];
  const graph = trace('undo', { p: { shape, dtype: 'float32' } }, (t) => ({ share: undo(t.p) }));
  return evaluateGraph(graph, [ndarray(probabilities, shape)])[0]?.data as Float32Array;
}

// Cosine knows no length: rows and prototypes are brought to lengths whose squares float32 holds, by powers of two, which round
// nothing. [0, 2e19] and [0, 1e-30] then have the cosine of [0, 1], and what was within reach before keeps its bits.

import { relu } from '../graph/functions.js';
import { abs, lt, mul, reduceMax, select } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { comparesDirections, type Distance } from './distances.js';

/** What of a comparison has a length. */
interface Compared {
  readonly distance: Distance;
  readonly x: Tensor;
  readonly prototypes: Tensor;
  readonly mask?: Tensor | undefined;
  readonly weights?: Tensor | undefined;
}

/** Largest entries within are left alone: the squares of lengths lie within 2^±126 for up to 2^40 columns. */
const least = 2 ** -20;
const most = 2 ** 40;
/** Below this one factor is not enough. */
const tiny = 2 ** -80;

/**
 * The power of two that brings a largest entry to between 2^−29 and 2^48. Zeros stay as they are: a factor would be one of the
 * derivative, which is large there.
 */
function factorOf(largest: Tensor): Tensor {
  const low = select(lt(largest, tiny), select(lt(0, largest), 2 ** 120, 1), 2 ** 60);
  return select(lt(largest, least), low, select(lt(most, largest), 2 ** -80, 1));
}

/** Every row times the factor of its largest entry, of those where `counts` holds. */
const moderate = (rows: Tensor, counts?: Tensor): Tensor =>
  mul(rows, factorOf(reduceMax(abs(counts ? select(counts, rows, 0) : rows), -1, { keepDims: true })));

/**
 * The comparison with rows, prototypes and weights of moderate size where the distance is cosine, which none of them changes by
 * their lengths. Entries that are masked, or that no head weighs, say nothing of a length.
 */
export function moderated<C extends Compared>(comparison: C): C {
  if (!comparesDirections(comparison.distance)) return comparison;
  const { x, prototypes, mask } = comparison;
  const weights = comparison.weights && moderate(relu(comparison.weights));
  const weighed = weights && lt(0, reduceMax(weights, 0, { keepDims: true }));
  const shown = mask ? select(lt(0, mask), x, 0) : x;
  return { ...comparison, x: moderate(shown, weighed), prototypes: moderate(prototypes, weighed), weights };
}

// Cosine does not depend on lengths, but float32 squares can overflow or vanish. So rows and prototypes are scaled by powers of
// two, which round nothing, to lengths whose squares fit. [0, 2e19] and [0, 1e-30] then have the cosine of [0, 1], and rows of
// ordinary size keep their bits.

import { relu } from '../graph/functions.js';
import { abs, lt, mul, reduceMax, select } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { comparesDirections, type Distance } from './distances.js';

/** The operands of a comparison that have a length. */
interface Compared {
  readonly distance: Distance;
  readonly x: Tensor;
  readonly prototypes: Tensor;
  readonly mask?: Tensor | undefined;
  readonly weights?: Tensor | undefined;
}

/** Rows whose largest entry is in this range are left alone: their squared lengths are within 2^±126 for up to 2^40 columns. */
const least = 2 ** -20;
const most = 2 ** 40;
/** Below this size, one factor is not enough. */
const tiny = 2 ** -80;

/**
 * The power of two that brings a largest entry to between 2^−29 and 2^48. Zeros get no factor: it would also multiply the
 * derivative, which is large there.
 */
function factorOf(largest: Tensor): Tensor {
  const low = select(lt(largest, tiny), select(lt(0, largest), 2 ** 120, 1), 2 ** 60);
  return select(lt(largest, least), low, select(lt(most, largest), 2 ** -80, 1));
}

/** Every row times the factor of its largest entry, among entries where `counts` holds. */
const moderate = (rows: Tensor, counts?: Tensor): Tensor =>
  mul(rows, factorOf(reduceMax(abs(counts ? select(counts, rows, 0) : rows), -1, { keepDims: true })));

/**
 * The comparison with rows, prototypes and weights of moderate size, if the distance is cosine; their lengths change no cosine.
 * Entries that are masked, or have no weight in any head, do not count for the size.
 */
export function moderated<C extends Compared>(comparison: C): C {
  if (!comparesDirections(comparison.distance)) return comparison;
  const { x, prototypes, mask } = comparison;
  const weights = comparison.weights && moderate(relu(comparison.weights));
  const weighed = weights && lt(0, reduceMax(weights, 0, { keepDims: true }));
  const shown = mask ? select(lt(0, mask), x, 0) : x;
  return { ...comparison, x: moderate(shown, weighed), prototypes: moderate(prototypes, weighed), weights };
}

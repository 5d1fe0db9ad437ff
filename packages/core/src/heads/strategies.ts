// Strategies that choose labels by their probabilities, traced; one row each.

import { OptionError, StateError } from '../errors.js';
import { largest } from '../formulas/routing.js';
import { argMax, cast, lt, mul, not, oneHot, slice, sub, sum, topK } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

export type Strategy = 'adaptive' | 'gap' | 'top_k' | 'tuned';

/** Inputs of the strategies: k of 'top_k', the common cut of 'adaptive', and a threshold for each label [C] of 'tuned'. */
export interface StrategyInputs {
  readonly k: number;
  readonly cut: number;
  readonly thresholds: Tensor | undefined;
}

/** All strategies: from probabilities [B, C] to a bool for each label. */
const strategies: Readonly<Record<Strategy, (p: Tensor, inputs: StrategyInputs) => Tensor>> = {
  // p > the common cut
  adaptive: (p, { cut }) => lt(cut, p),
  // All labels above the largest drop between sorted probabilities; a single label has no drop.
  gap: (p, { cut }) => {
    const count = p.dim(-1);
    if (count === 1) return lt(cut, p);
    const sorted = topK(p, count).values;
    const drops = sub(slice(sorted, -1, 0, count - 1), slice(sorted, -1, 1, count));
    const last = sum(mul(slice(sorted, -1, 0, count - 1), oneHot(argMax(drops), count - 1)), -1, {
      keepDims: true,
    });
    return not(lt(p, last));
  },
  // Exactly k; ties go to the first.
  top_k: (p, { k }) => largest(p, Math.min(k, p.dim(-1))),
  // p > the threshold of the label
  tuned: (p, { thresholds }) => lt(thresholds as Tensor, p),
};

/** 1 where a row gets the label, int32 [B, C]. */
export const decide = (strategy: Strategy, p: Tensor, inputs: StrategyInputs): Tensor =>
  cast(strategies[strategy](p, inputs), 'int32');

/** The default strategy. */
export const usualStrategy = (tuned: boolean): Strategy => (tuned ? 'tuned' : 'adaptive');

/**
 * Checks a strategy; `tuned`: there are thresholds. Errors: OptionError for 'top_k' without k, StateError for 'tuned' without
 * thresholds.
 */
export function checkStrategy(
  call: string,
  strategy: Strategy,
  { k, tuned }: { readonly k: number | undefined; readonly tuned: boolean },
): void {
  if (strategy === 'top_k' && k === undefined) {
    throw new OptionError(`${call}: strategy 'top_k' needs k, the labels that every row gets.`, {
      option: 'k',
    });
  }
  if (strategy === 'tuned' && !tuned) {
    throw new StateError(
      `${call}: there are no tuned thresholds yet; call tuneThresholds(X, y) on rows that did not train, or finetune with an evalFraction.`,
    );
  }
}

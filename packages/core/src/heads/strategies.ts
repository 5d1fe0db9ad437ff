// From the probabilities of labels to the labels that a row gets, traced: one row a strategy.

import { OptionError, StateError } from '../errors.js';
import { largest } from '../formulas/routing.js';
import { argMax, cast, lt, mul, not, oneHot, slice, sub, sum, topK } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

export type Strategy = 'adaptive' | 'gap' | 'top_k' | 'tuned';

/** The k of 'top_k', the probability above which 'adaptive' gives a label, and the threshold of each label [C] of 'tuned'. */
export interface StrategyInputs {
  readonly k: number;
  readonly cut: number;
  readonly thresholds: Tensor | undefined;
}

/** Every strategy: [B, C] probabilities to a bool a label. */
const strategies: Readonly<Record<Strategy, (p: Tensor, inputs: StrategyInputs) => Tensor>> = {
  // p > the common cut
  adaptive: (p, { cut }) => lt(cut, p),
  // all down to the largest drop of the sorted probabilities; one label alone has no drop
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
  // exactly k, of equals the first
  top_k: (p, { k }) => largest(p, Math.min(k, p.dim(-1))),
  // p > the threshold of the label
  tuned: (p, { thresholds }) => lt(thresholds as Tensor, p),
};

/** 1 where a row gets the label, int32 [B, C]. */
export const decide = (strategy: Strategy, p: Tensor, inputs: StrategyInputs): Tensor =>
  cast(strategies[strategy](p, inputs), 'int32');

/** The strategy where none is named. */
export const usualStrategy = (tuned: boolean): Strategy => (tuned ? 'tuned' : 'adaptive');

/** `tuned`: there are thresholds. Errors: OptionError for a strategy without its k, StateError without thresholds. */
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

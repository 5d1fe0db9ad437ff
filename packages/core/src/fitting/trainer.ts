// The trainer of phase 2 that the options ask for.

import { HardNegatives } from '../search/hard-negatives.js';
import type { ModelState } from '../state/state.js';
import { arraysOf, type Context, specOf } from '../training/context.js';
import type { Ownership } from '../training/ownership.js';
import { type GradientTrainer, Trainer } from '../training/phase2.js';
import { SampledTrainer } from '../training/sampled-trainer.js';

/**
 * The trainer that the options ask for, going on from the state's moments after `steps` steps. With `ownership` it may write to
 * the arrays that are the model's alone, and what it leaves is: a step that fails has not written. One that lives for many steps
 * may `mine` for hard negatives, for which it builds an index where the options have one.
 */
export async function trainerFor(
  context: Context,
  state: ModelState,
  masked: boolean,
  steps: number,
  { ownership, mine = false }: { readonly ownership?: Ownership | undefined; readonly mine?: boolean } = {},
): Promise<GradientTrainer> {
  const spec = specOf(context, state, masked);
  const arrays = arraysOf(context, state);
  const n = context.options.negativeSampling;
  // Where every class would be drawn anyway, the grid can stay with the backend.
  if (n === undefined || n >= state.outputs) return Trainer.create(context.programs, spec, arrays, steps);
  const near = mine ? await HardNegatives.create(context, spec, arrays) : null;
  return new SampledTrainer(context.programs, spec, arrays, steps, n, near, ownership);
}

// Chooses the trainer of phase 2 by the options.

import { HardNegatives } from '../search/hard-negatives.js';
import type { ModelState } from '../state/state.js';
import { arraysOf, type Context, specOf } from '../training/context.js';
import type { Ownership } from '../training/ownership.js';
import { type GradientTrainer, Trainer } from '../training/phase2.js';
import { SampledTrainer } from '../training/sampled-trainer.js';

/**
 * The trainer for the options, which continues from the state's moments after `steps` steps. With `ownership`, it may write in
 * place to arrays that only the model holds; a step that fails has written nothing. `mine` lets a trainer of many steps search hard
 * negatives, for which it builds an index if the options have one.
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
  // If every class would be drawn anyway, the grid can stay on the backend.
  if (n === undefined || n >= state.outputs) return Trainer.create(context.programs, spec, arrays, steps);
  const near = mine ? await HardNegatives.create(context, spec, arrays) : null;
  return new SampledTrainer(context.programs, spec, arrays, steps, n, near, ownership);
}

// One batch of phase 1, assigned by the model's index where that pays.

import { nearestAssigner } from '../search/assign-nearest.js';
import type { Batch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';
import { type EmaStep, emaStep } from '../training/ema-step.js';

/** Moves the grid by a scaled batch; all its classes must have prototypes. */
export const phase1Step = (context: Context, state: ModelState, batch: Batch): Promise<EmaStep> =>
  emaStep(context, state, batch, nearestAssigner(context, batch));

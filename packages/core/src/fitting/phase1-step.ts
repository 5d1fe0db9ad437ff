// One batch of phase 1: classes that it brings get prototypes, then the grid moves.

import { growClasses } from '../init/grow-classes.js';
import { nearestAssigner } from '../search/assign-nearest.js';
import type { Batch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';
import { type EmaStep, emaStep } from '../training/ema-step.js';

export const phase1Step = async (context: Context, state: ModelState, batch: Batch): Promise<EmaStep> =>
  emaStep(context, await growClasses(context, state, batch), batch, nearestAssigner(context, batch));

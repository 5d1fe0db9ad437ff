// Encoded targets of a call, and what a model knows of them from earlier calls.

import type { Features } from '../data/sparse.js';
import type { Outputs } from '../init/initialise.js';
import type { Batch } from '../state/batch.js';

/** Checked arguments of a training call: rows in the caller's units, and the outputs that y implies. */
export interface Raw extends Outputs {
  readonly batch: Batch;
  /** Whether the rows came with a mask, even one of ones. */
  readonly shown: boolean;
}

/** Targets as graphs take them, with the columns of an answer. */
export interface Encoded<Y extends Features = Features> extends Outputs {
  readonly y: Y;
}

/** What a model already knows about y, and whether y may extend it. */
export interface Known extends Outputs {
  readonly grows: boolean;
}

// What estimators make of the targets of a call, and what they know of them from the calls before.

import type { Features } from '../data/sparse.js';
import type { Outputs } from '../init/initialise.js';
import type { Batch } from '../state/batch.js';

/** Checked arguments of a training call: raw units, mask of X's rows, and what y says there is to answer. */
export interface Raw extends Outputs {
  readonly batch: Batch;
  /** A mask came with the rows, whatever it hides. */
  readonly shown: boolean;
}

/** Targets as graphs take them, and the columns of an answer. */
export interface Encoded<Y extends Features = Features> extends Outputs {
  readonly y: Y;
}

/** What a model knows of y already, and whether y may bring more of it. */
export interface Known extends Outputs {
  readonly grows: boolean;
}

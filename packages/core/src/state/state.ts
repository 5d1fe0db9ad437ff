// Everything a model has learned: immutable arrays that are replaced, never written to, so that a snapshot is a reference.

import type { NdArray } from '../dtype.js';
import { Random } from '../random.js';
import type { Scaling } from '../scaling/scaler.js';
import type { Encoding } from './encoding.js';

/** What a caller names a class or a label. */
export type Label = string | number;

export interface ModelState {
  /** prototypes, targets, owners, featureWeights, logBandwidth, bias, frozen, slopes, thresholds, sharpness, scaler.*, target.*, adam.*, master.* */
  readonly arrays: Readonly<Record<string, NdArray>>;
  /** Accumulated sample weight [K], float64: a float32 sum stops growing at 2^24 rows. */
  readonly ages: Float64Array;
  /** The sample weight that counts as one row, settled on the first rows; null before them. Ages start at it. */
  readonly unit: number | null;
  /** [K, D] once a feature mask was seen. */
  readonly coordinateAges: Float64Array | null;
  /** Σ w·δ and Σ w of the rows to their own prototypes, a pair a head: the start of the bandwidths. */
  readonly spread: Float64Array;
  /** What the slopes of each prototype are solved from, as formulas/moments.ts lays it out; null before the first. */
  readonly moments: Float64Array | null;
  /** Variance within prototypes and in total [2, D], blended over batches; null before the first. */
  readonly variances: Float64Array | null;
  readonly random: readonly number[];
  /** Gradient steps taken: Adam's t. */
  readonly step: number;
  /** Gradients have moved the grid: phase 1 leaves the bandwidths to them. */
  readonly trained: boolean;
  /** The targets are the caller's own, of a grid that was given: neither rows nor gradients have moved them. */
  readonly given?: true | undefined;
  readonly batches: number;
  readonly rawColumns: number;
  /** What made the raw columns; none of rows that came as arrays. */
  readonly encoding?: Encoding | undefined;
  /** Columns of an answer: T target columns, C classes or labels, 0 of a clusterer. */
  readonly outputs: number;
  /** What targets [T] are less of: answers add it, in float64. Null where float32 holds them, and where there are none. */
  readonly targetCenter: Float64Array | null;
  /** The caller's names of the columns; none where they are numbers to predict. */
  readonly classes: readonly Label[];
  /** As settled on the first rows. */
  readonly scaling: Scaling;
  /** Phase 1 assigns in the joint space of features and targets. */
  readonly joint: boolean;
}

/** Draws from the state's generator; gives what was drawn and the state after it. */
export function draw<T>(state: ModelState, use: (random: Random) => T): [T, ModelState] {
  const random = Random.from(state.random);
  const result = use(random);
  return [result, { ...state, random: random.save() }];
}

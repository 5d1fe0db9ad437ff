// Everything a model has learned. Arrays are immutable: they are replaced, never written to, so a snapshot is a reference.

import type { NdArray } from '../dtype.js';
import { Random } from '../random.js';
import type { Scaling } from '../scaling/scaler.js';
import type { AnyEncoding } from './encoding.js';

/** The caller's name of a class or a label. */
export type Label = string | number;

export interface ModelState {
  /** prototypes, targets, owners, featureWeights, logBandwidth, bias, frozen, slopes, thresholds, sharpness, scaler.*, target.*, adam.*, master.* */
  readonly arrays: Readonly<Record<string, NdArray>>;
  /** Accumulated sample weight [K], in float64, since a float32 sum stops growing at 2^24. */
  readonly ages: Float64Array;
  /** The sample weight that counts as one row, determined from the first rows; null before them. Ages start at this value. */
  readonly unit: number | null;
  /** The ages of each coordinate [K, D]; null until a feature mask was seen. */
  readonly coordinateAges: Float64Array | null;
  /** Σ w·δ and Σ w of the rows to their own prototypes, a pair a head: bandwidths start from their ratio. */
  readonly spread: Float64Array;
  /** The moments from which slopes are solved, laid out as in formulas/moments.ts, or the sketches of the rows of prototypes, as in formulas/quantile-sketch.ts; null before the first batch. */
  readonly moments: Float64Array | null;
  /** Variances within prototypes and in total [2, D], averaged over batches; null before the first batch. */
  readonly variances: Float64Array | null;
  readonly random: readonly number[];
  /** Gradient steps taken: Adam's t. */
  readonly step: number;
  /** Gradients have moved the grid; phase 1 no longer sets the bandwidths. */
  readonly trained: boolean;
  /** The targets are those of a given grid, moved by neither rows nor gradients. */
  readonly given?: true | undefined;
  readonly batches: number;
  readonly rawColumns: number;
  /** How the raw columns were encoded; absent if rows came as arrays. */
  readonly encoding?: AnyEncoding | undefined;
  /** Columns of an answer: T target columns, C classes or labels, 0 for a clusterer. */
  readonly outputs: number;
  /** The offset [T] subtracted from the targets and added to answers, in float64; null if no column needs one. */
  readonly targetCenter: Float64Array | null;
  /** The caller's names of classes or labels; empty for a regressor and a clusterer. */
  readonly classes: readonly Label[];
  /** The scaling chosen for the first rows. */
  readonly scaling: Scaling;
  /** Phase 1 assigns in the joint space of features and targets. */
  readonly joint: boolean;
}

/** Draws with the state's generator; returns what was drawn and the state with the advanced generator. */
export function draw<T>(state: ModelState, use: (random: Random) => T): [T, ModelState] {
  const random = Random.from(state.random);
  const result = use(random);
  return [result, { ...state, random: random.save() }];
}

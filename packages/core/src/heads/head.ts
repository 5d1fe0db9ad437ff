// What differs between estimators: what prototypes say, what a wrong answer costs, how an answer is read, and whom a row
// may choose in phase 1. One file an estimator; everything else is shared.

import type { Features } from '../data/sparse.js';
import { comparesDirections, type Distance } from '../formulas/distances.js';
import type { Comparison } from '../formulas/similarity.js';
import type { Tensor } from '../graph/trace.js';
import type { Resolved, Task } from '../state/options.js';
import type { Origin } from './calibration.js';

/** A batch compared with the grid, as a head sees it. */
export interface Routed {
  /** Routing weights [B, K]; with heads, each head's weights add up to 1. */
  readonly weights: Tensor;
  /** Similarities [B, K]. */
  readonly similarity: Tensor;
  readonly comparison: Comparison;
  /** Prototypes that a row looks at [B, K]; absent: at all of them. */
  readonly present?: Tensor | undefined;
  readonly heads: number;
  /** Columns of an answer: T or C. */
  readonly outputs: number;
  /** Where the targets come from. */
  readonly origin: Origin;
  /** The model's arrays by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** How what a prototype's rows say is stored in `targets` [K, outputs], on the host, row by row; its heads add up. */
export interface TargetCode {
  /** Targets are trained in standard units. */
  readonly standardised: boolean;
  /** Means over rows to what is stored. */
  store(means: Float64Array, outputs: number, heads: number): Float64Array;
  /** What is stored to means over rows. */
  recall(targets: Float64Array, outputs: number, heads: number): Float64Array;
}

export interface Head {
  readonly task: Task;
  /** The formulas and their parameters as text: equal keys trace equal graphs. */
  readonly key: string;
  /** Null where prototypes carry no targets. */
  readonly code: TargetCode | null;
  /** Answers go through the routing weights, whose parameters gradients train. */
  readonly routes: boolean;
  /** Whom a row may choose in phase 1: any prototype, one of its own class, or one of each of its labels. */
  readonly candidates: 'all' | 'class' | 'labels';
  /** How a grid starts that is neither given nor 'joint': rows of each class, of each stratum of the target, or of all. */
  readonly start: 'owners' | 'strata' | 'rows';
  /** How far the coordinates count in the joint space of the start, beside features that vary by 1. */
  jointScale(columns: number, outputs: number): number;
  /** y as the graphs take it to coordinates [B, outputs] of the joint space. */
  coordinates(y: Tensor, outputs: number): Tensor;
  /** The same on the host. */
  coordinatesOf(y: Features, outputs: number): Features;
  /** The loss of each row [B], unweighted; y is absent where it has no column. */
  loss(routed: Routed, y: Tensor): Tensor;
  /** The prototype of another class that weighs most for each row [B], where it costs an answer: what sampling looks at again. */
  rival?(routed: Routed, y: Tensor): Tensor;
  /**
   * What the public calls read off a routed batch, by name. Probabilities are what rows bear out, with what the loss does to them
   * undone.
   */
  readonly reads: Readonly<Record<string, (routed: Routed, k: number) => Tensor>>;
  /** Of labels: how their probabilities come out of what prototypes say, and where strategy 'adaptive' cuts them. */
  readonly labels?: LabelReading;
}

export interface LabelReading {
  /** What the loss sees as probabilities [B, C] to what users read. */
  undo(p: Tensor, origin: Origin): Tensor;
  /** The probability above which strategy 'adaptive' gives a label. */
  cut(origin: Origin): number;
}

/** The heads of one estimator: which of them serves depends on the options and on how many outputs there are. */
export interface HeadFamily {
  readonly task: Task;
  /** Whether prototypes carry targets for so many outputs. */
  carries(options: Resolved, outputs: number): boolean;
  head(options: Resolved, carries: boolean): Head;
}

/** `jointScale` beside the features as training has them: rows of cosine are of length 1, and not of √D. */
export const jointScaleOf = (
  { head, distance }: { readonly head: Head; readonly distance: Distance },
  columns: number,
  outputs: number,
): number => head.jointScale(columns, outputs) / (comparesDirections(distance) ? Math.sqrt(columns) : 1);

/** Coordinates that are the columns of y themselves. */
export const asTheyAre = {
  coordinates: (y: Tensor): Tensor => y,
  coordinatesOf: (y: Features): Features => y,
} as const;

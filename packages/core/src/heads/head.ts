// What differs between estimators: what prototypes say, what a wrong answer costs, how an answer is read, and whom a row
// may choose in phase 1. One file an estimator; everything else is shared.

import type { Features } from '../data/sparse.js';
import { comparesDirections, type Distance } from '../formulas/distances.js';
import type { Comparison } from '../formulas/similarity.js';
import type { Tensor } from '../graph/trace.js';
import type { AnyOptions, InitialGrid, OptionName, Resolved, Task } from '../state/options.js';
import type { Origin } from './calibration.js';
import type { Strategy } from './strategies.js';

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
  /** Columns of y as the graphs take it, where an answer has so many. */
  yColumns(outputs: number): number;
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
  /** What the integers of `reads.label` count: prototypes of the grid, or classes; absent where there are none. */
  readonly counts?: 'prototypes' | 'classes';
  /** What an export answers: the names of its outputs, as scikit-learn's converter has them, and the read that each of them is. */
  exported(strategy: Strategy): Readonly<Record<string, string>>;
  /** Of labels: how their probabilities come out of what prototypes say, and where strategy 'adaptive' cuts them. */
  readonly labels?: LabelReading;
}

export interface LabelReading {
  /** What the loss sees as probabilities [B, C] to what users read. */
  undo(p: Tensor, origin: Origin): Tensor;
  /** The probability above which strategy 'adaptive' gives a label. */
  cut(origin: Origin): number;
}

/**
 * All that tells an estimator from the others, beside its class: shared code reads these fields and never asks for the task. Which of
 * its heads serves depends on the options and on how many outputs there are.
 */
export interface HeadFamily {
  /** What checkpoints and exports name it by. */
  readonly task: Task;
  /** The name of its class. */
  readonly estimator: string;
  /** The options that it has. */
  options(): readonly OptionName[];
  /** Defaults of its own. */
  readonly defaults?: Partial<AnyOptions>;
  /** The arrays that a given grid may have. */
  readonly grid: readonly (keyof InitialGrid)[];
  /** Rows come with targets; without them prototypes are what is learned, and fade from pass to pass. */
  readonly supervised: boolean;
  /** Targets are numbers: they have a unit and an offset, and a grid that was given without them waits for the first rows. */
  readonly numeric: boolean;
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
  yColumns: (outputs: number): number => outputs,
  coordinates: (y: Tensor): Tensor => y,
  coordinatesOf: (y: Features): Features => y,
} as const;

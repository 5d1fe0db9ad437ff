// What differs between estimators: the targets of prototypes, the loss, how an answer is read, and which prototypes a row may
// choose in phase 1. One file for each estimator; everything else is shared.

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
  /** Prototypes that a row may use [B, K]; absent: all. */
  readonly present?: Tensor | undefined;
  readonly heads: number;
  /** Columns of an answer: T or C. */
  readonly outputs: number;
  /** Where the targets come from. */
  readonly origin: Origin;
  /** The model's arrays by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/**
 * The code between mean targets and the stored `targets` [K, outputs], on the host, row by row; the stored values of heads add up.
 * Results are new arrays, or `into`, which may be the argument itself.
 */
export interface TargetCode {
  /** Targets are trained in standard units. */
  readonly standardised: boolean;
  /** From means over rows to stored targets. */
  store(means: Float64Array, outputs: number, heads: number, into?: Float64Array): Float64Array;
  /** From stored targets to means over rows. */
  recall(targets: Float64Array, outputs: number, heads: number, into?: Float64Array): Float64Array;
}

/** f of each value; `into` may be the array of the values. */
export function mapInto(
  values: Float64Array,
  f: (value: number) => number,
  into: Float64Array = new Float64Array(values.length),
): Float64Array {
  for (let i = 0; i < values.length; i++) into[i] = f(values[i] as number);
  return into;
}

/** As `mapInto`, with one call of f for a run of equal values, such as the classes without rows. f must not distinguish 0 from −0. */
export function mapRuns(
  values: Float64Array,
  f: (value: number) => number,
  into: Float64Array = new Float64Array(values.length),
): Float64Array {
  let last = Number.NaN;
  let result = Number.NaN;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== last) {
      last = value;
      result = f(value);
    }
    into[i] = result;
  }
  return into;
}

/** What prototypes keep of their rows where means do not tell what these say: a sketch of so many points, and what is read off it. */
export interface RowSketch {
  readonly points: number;
  /** [Q] */
  readonly quantiles: readonly number[];
}

export interface Head {
  /** A text for the formulas and their parameters: equal keys trace equal graphs. */
  readonly key: string;
  /** Null where prototypes carry no targets. */
  readonly code: TargetCode | null;
  /** Whether answers use routing weights, so that gradients train their parameters. */
  readonly routes: boolean;
  /** The prototypes that a row may choose in phase 1: any, those of its own class, or one of each of its labels. */
  readonly candidates: 'all' | 'class' | 'labels';
  /** The start without 'joint' or a given grid: rows of each class, of each stratum of the target, or of all. */
  readonly start: 'owners' | 'strata' | 'rows';
  /** Columns of an answer where the options say how many there are. */
  readonly outputs?: number;
  /** Absent where the means of targets say it. */
  readonly sketch?: RowSketch;
  /** Number of columns of y as graphs take it, for this many outputs. */
  yColumns(outputs: number): number;
  /** Scale of the target coordinates in the joint space, relative to features of variance 1. */
  jointScale(columns: number, outputs: number): number;
  /** From y as graphs take it to coordinates [B, outputs] of the joint space. */
  coordinates(y: Tensor, outputs: number): Tensor;
  /** The same on the host. */
  coordinatesOf(y: Features, outputs: number): Features;
  /** The loss of each row [B], unweighted; y has no columns for a clusterer. */
  loss(routed: Routed, y: Tensor): Tensor;
  /**
   * The prototype of another class with the highest weight for each row [B]: a hard negative for later steps. Absent where it costs
   * nothing.
   */
  rival?(routed: Routed, y: Tensor): Tensor;
  /** The outputs that public calls read from a routed batch, by name. Probabilities are calibrated. */
  readonly reads: Readonly<Record<string, (routed: Routed, k: number) => Tensor>>;
  /** What the integers of `reads.label` index: prototypes of the grid, or classes; absent if there are none. */
  readonly counts?: 'prototypes' | 'classes';
  /** The outputs of an export: their names, as in scikit-learn's converter, and the read of each. */
  exported(strategy: Strategy): Readonly<Record<string, string>>;
  /** For labels: the calibration of probabilities, and the cut of strategy 'adaptive'. */
  readonly labels?: LabelReading;
}

export interface LabelReading {
  /** From probabilities in the loss [B, C] to those that users read. */
  undo(p: Tensor, origin: Origin): Tensor;
  /** The probability above which strategy 'adaptive' gives a label. */
  cut(origin: Origin): number;
}

/**
 * Everything that distinguishes an estimator, besides its class: shared code reads these fields and never asks for the task. Which
 * of its heads serves depends on the options and on the number of outputs.
 */
export interface HeadFamily {
  /** Its name in checkpoints and exports. */
  readonly task: Task;
  /** The name of its class. */
  readonly estimator: string;
  /** The names of its options. */
  options(): readonly OptionName[];
  /** Its own defaults. */
  readonly defaults?: Partial<AnyOptions>;
  /** Names of the arrays that a given grid may have. */
  readonly grid: readonly (keyof InitialGrid)[];
  /** Whether rows come with targets. Without targets, ages shrink between passes. */
  readonly supervised: boolean;
  /**
   * Whether targets are numbers: they then have a unit and an offset, and a grid given without targets waits for the first rows.
   */
  readonly numeric: boolean;
  /** Whether prototypes carry targets for so many outputs. */
  carries(options: Resolved, outputs: number): boolean;
  head(options: Resolved, carries: boolean): Head;
}

/** `jointScale` relative to scaled features: with cosine, rows have length 1 in place of √D. */
export const jointScaleOf = (
  { head, distance }: { readonly head: Head; readonly distance: Distance },
  columns: number,
  outputs: number,
): number => head.jointScale(columns, outputs) / (comparesDirections(distance) ? Math.sqrt(columns) : 1);

/** Coordinates equal to the columns of y. */
export const asTheyAre = {
  yColumns: (outputs: number): number => outputs,
  coordinates: (y: Tensor): Tensor => y,
  coordinatesOf: (y: Features): Features => y,
} as const;

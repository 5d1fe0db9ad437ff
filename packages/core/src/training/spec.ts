// Everything besides numbers that the graphs of a model depend on: equal specs share compiled programs.

import type { NdArray } from '../dtype.js';
import type { Distance } from '../formulas/distances.js';
import type { RoutingOptions } from '../formulas/routing.js';
import { BATCH } from '../graph/ir.js';
import type { TensorSpec } from '../graph/trace.js';
import type { Origin } from '../heads/calibration.js';
import type { Head } from '../heads/head.js';
import type { Scaling } from '../scaling/scaler.js';

export interface GridSpec {
  readonly head: Head;
  /** The origin of the targets; only reads depend on it, training does not. */
  readonly origin: Origin;
  readonly distance: Distance;
  readonly routing: RoutingOptions;
  readonly scaling: Scaling;
  readonly heads: number;
  /** Raw columns, and columns after scaling. */
  readonly rawColumns: number;
  readonly columns: number;
  readonly prototypes: number;
  /** Columns of an answer, and of y as graphs take it. */
  readonly outputs: number;
  readonly yColumns: number;
  /** Number of outputs that the last one stands for, because they do not occur in the batch (batch-columns.ts). */
  readonly others?: number;
  /** Rows come with a feature mask. */
  readonly masked: boolean;
  /** The prototypes that a row may choose in phase 1; with 'joint' any, by features and targets together. */
  readonly candidates: Head['candidates'];
  readonly joint: boolean;
  /** Prototypes are local linear models. */
  readonly linear: boolean;
  /** Phase 1 pushes the nearest prototypes of wrong classes away. */
  readonly repels: boolean;
  /** Most prototypes of a label in a head; 0 if no member table is needed. */
  readonly members: number;
  readonly l2Reg: number;
  readonly diversityReg: number;
  /** Names of the parameters that gradients move. */
  readonly trainable: readonly string[];
  /** Some prototypes are frozen. */
  readonly frozen: boolean;
  /** Offsets are added to the routing of a step, for dropout and for sampled classes. */
  readonly offsets: boolean;
  /** Steps of prototypes are scaled by the typical distance of rows to them, `pace` among the arrays. */
  readonly paced?: true;
  /** The grid is a padded sample; the offsets mark the padding. */
  readonly sampled?: true;
}

/** Phase 1 asks for the nearest prototypes by features alone: rows that were chosen by what they say have lost what it depends on. */
export const asksForNearest = ({ joint, linear, head }: GridSpec): boolean =>
  joint && (linear || head.sketch !== undefined);

/** Cache key of a training graph: the spec as text, with the head by its key. */
export const specKey = ({ origin: _, ...spec }: GridSpec): string =>
  JSON.stringify({ ...spec, head: spec.head.key });

/** Cache key of a graph that reads answers. */
export const readKey = (spec: GridSpec): string => `${spec.origin} ${specKey(spec)}`;

const f32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });

/** Types of a model's arrays, as graph inputs. */
export const specsOf = (
  arrays: Readonly<Record<string, NdArray>>,
  names: readonly string[],
): Record<string, TensorSpec> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const array = arrays[name];
      return array ? [[name, { shape: array.shape, dtype: array.dtype }]] : [];
    }),
  );

/** Graph inputs of scaled rows. */
export const rowSpecs = ({
  columns,
  masked,
}: Pick<GridSpec, 'columns' | 'masked'>): Record<string, TensorSpec> => ({
  x: f32(BATCH, columns),
  ...(masked ? { mask: f32(BATCH, columns) } : {}),
});

export const batchSpecs = (spec: GridSpec): Record<string, TensorSpec> => ({
  ...rowSpecs(spec),
  ...(spec.yColumns > 0 ? { y: f32(BATCH, spec.yColumns) } : {}),
  sampleWeight: f32(BATCH),
});

export const scalar: TensorSpec = f32();
export { f32 };

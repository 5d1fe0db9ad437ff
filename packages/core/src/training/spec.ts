// Everything that the graphs of one model depend on besides numbers: equal specs share compiled programs.

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
  /** Where the targets come from: what answers read, and no training. */
  readonly origin: Origin;
  readonly distance: Distance;
  readonly routing: RoutingOptions;
  readonly scaling: Scaling;
  readonly heads: number;
  /** Raw columns, and columns after scaling. */
  readonly rawColumns: number;
  readonly columns: number;
  readonly prototypes: number;
  /** Columns of an answer, and of y as the graphs take it. */
  readonly outputs: number;
  readonly yColumns: number;
  /** A feature mask comes with the rows. */
  readonly masked: boolean;
  /** Whom a row may choose in phase 1; with 'joint' any prototype, by features and targets together. */
  readonly candidates: Head['candidates'];
  readonly joint: boolean;
  /** Prototypes answer lines. */
  readonly linear: boolean;
  /** Phase 1 pushes the nearest prototypes of wrong classes away. */
  readonly repels: boolean;
  /** Prototypes of a label at most, where a table of them is needed. */
  readonly members: number;
  readonly l2Reg: number;
  readonly diversityReg: number;
  /** Parameters that gradients move, by name. */
  readonly trainable: readonly string[];
  /** Some prototypes are held in place. */
  readonly frozen: boolean;
  /** Numbers are added to the routing of a step: prototypes left out, sampled classes made up for. */
  readonly offsets: boolean;
  /** Prototypes step in units of how far rows are from their own: `pace` comes with the arrays. */
  readonly paced?: true;
  /** The grid is a sample with padding behind it, which the offsets tell. */
  readonly sampled?: true;
}

/** Cache key of a graph that trains: the spec as text, the head by its key. */
export const specKey = ({ origin: _, ...spec }: GridSpec): string =>
  JSON.stringify({ ...spec, head: spec.head.key });

/** Cache key of a graph that answers. */
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

/** Inputs that hold scaled rows. */
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

// Everything that the graphs of one model depend on besides numbers: equal specs share compiled programs.

import type { NdArray } from '../dtype.js';
import { BATCH } from '../graph/ir.js';
import type { TensorSpec } from '../graph/trace.js';
import type { Head } from '../method/head.js';
import type { RoutingOptions } from '../method/routing.js';
import type { Distance } from '../method/similarity.js';
import type { Scaling } from '../scaling/scaler.js';

export interface GridSpec {
  readonly head: Head;
  readonly distance: Distance;
  readonly routing: RoutingOptions;
  readonly scaling: Scaling;
  readonly heads: number;
  /** Raw columns, and columns after scaling. */
  readonly rawColumns: number;
  readonly columns: number;
  readonly prototypes: number;
  readonly targets: number;
  /** A feature mask comes with the rows. */
  readonly masked: boolean;
  /** Rows are assigned in the joint space of features and targets. */
  readonly joint: boolean;
  readonly l2Reg: number;
  readonly diversityReg: number;
  /** Parameters that gradients move, by name. */
  readonly trainable: readonly string[];
  /** Some prototypes are held in place. */
  readonly frozen: boolean;
  /** Steps leave prototypes out. */
  readonly dropout: boolean;
  /** Answers are turned from standardised to the caller's units. */
  readonly standardisedTargets: boolean;
}

/** Cache key: the spec as text, the head by its task. */
export const specKey = (spec: GridSpec): string => JSON.stringify({ ...spec, head: spec.head.task });

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
  y: f32(BATCH, spec.targets),
  sampleWeight: f32(BATCH),
});

export const scalar: TensorSpec = f32();
export { f32 };

// Types of kernels, of tfjs and ours, shared by devices, lowerings and kernels.

import type { Equation, Graph, TypedArray } from '@fkm/core/graph';
import type { Attributes, TensorInfo } from './tfjs.js';

/** The dtypes of tfjs. */
export type TfjsDType = 'float32' | 'int32' | 'bool';

/** A kernel, bound to its device. */
export type Call = (
  inputs: Readonly<Record<string, TensorInfo>> | readonly TensorInfo[],
  attrs?: Attributes,
) => TensorInfo;

/** Runs an equation with `rows` rows in the batch axis; no operand and no result is empty. */
export type Run = (x: readonly TensorInfo[], rows: number) => TensorInfo[];

/** A composite as a kernel. */
export interface CompositeKernel {
  readonly run: Run;
  readonly dispose: () => void;
}

/** Our kernels on a device. */
export interface GpuKernels {
  /** Names of core's composites that have a kernel, for the backend's flags. */
  readonly names: readonly string[];
  /** The graph with small equations gathered into composites that have kernels; other composites are inlined. */
  fuse(graph: Graph): Graph;
  /** The kernel of a composite from `fuse`. */
  lower(equation: Equation<'composite'>): CompositeKernel;
  /** Replacements for tfjs' kernels of these names. */
  readonly kernels: Readonly<Record<string, Call>>;
  /** Replaces the storage's own `write`. */
  write(values: TypedArray, shape: number[], dtype: string): object;
}

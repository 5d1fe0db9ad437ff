// What kernels are, those of tfjs and our own: types that devices, lowerings and kernels share.

import type { Equation, Graph, TypedArray } from '@fkm/core/graph';
import type { Attributes, TensorInfo } from './tfjs.js';

/** Dtypes that tfjs knows. */
export type TfjsDType = 'float32' | 'int32' | 'bool';

/** A kernel, bound to its device. */
export type Call = (
  inputs: Readonly<Record<string, TensorInfo>> | readonly TensorInfo[],
  attrs?: Attributes,
) => TensorInfo;

/** Runs an equation whose batch axis has `rows` rows; no operand and no result is empty. */
export type Run = (x: readonly TensorInfo[], rows: number) => TensorInfo[];

/** A composite as a kernel. */
export interface CompositeKernel {
  readonly run: Run;
  readonly dispose: () => void;
}

/** Kernels of our own on a device. */
export interface GpuKernels {
  /** Names of the composites of core that have a kernel, as flags list them. */
  readonly names: readonly string[];
  /** The same graph with small equations gathered into composites, which all have a kernel: others are inlined. */
  fuse(graph: Graph): Graph;
  /** The kernel of a composite of `fuse`. */
  lower(equation: Equation<'composite'>): CompositeKernel;
  /** What takes the place of tfjs' kernels of these names. */
  readonly kernels: Readonly<Record<string, Call>>;
  /** Like the storage's own. */
  write(values: TypedArray, shape: number[], dtype: string): object;
}

// What a row of the table of kernels is: from an equation to something that runs it.

import type { Equation, NdArray, OpName, Var } from '@fkm/core/graph';
import type { Run } from './kernel-types.js';
import type { Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

/** What a lowering may know besides the equation. */
export interface Context {
  readonly primitives: Primitives;
  /** Values of the operands that are constants. */
  readonly constants: readonly (NdArray | undefined)[];
}

/** A closure for every run, or a tensor that is made once and kept. */
export type Lowered = Run | { readonly kept: TensorInfo };

export type Lowering<O extends OpName> = (equation: Equation<O>, context: Context) => Lowered;

export const input = (equation: Equation, i: number): Var => equation.inputs[i] as Var;
export const output = (equation: Equation): Var => equation.outputs[0] as Var;

/** The number that a constant operand holds everywhere, if it is one. */
export function numberOf(value: NdArray | undefined): number | undefined {
  if (!value || value.data.length === 0) return undefined;
  const first = value.data[0] as number;
  return value.data.every((x) => Object.is(x, first)) ? first : undefined;
}

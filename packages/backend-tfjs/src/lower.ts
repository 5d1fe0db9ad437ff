// The rows of the kernel table: from an equation to a function that runs it.

import type { Equation, NdArray, OpName, Var } from '@fkm/core/graph';
import type { Run } from './kernel-types.js';
import type { Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

/** What a lowering may use besides the equation. */
export interface Context {
  readonly primitives: Primitives;
  /** Values of constant operands. */
  readonly constants: readonly (NdArray | undefined)[];
}

/** A function for every run, or a tensor that is created once and kept. */
export type Lowered = Run | { readonly kept: TensorInfo };

export type Lowering<O extends OpName> = (equation: Equation<O>, context: Context) => Lowered;

export const input = (equation: Equation, i: number): Var => equation.inputs[i] as Var;
export const output = (equation: Equation): Var => equation.outputs[0] as Var;

/** The number that a constant operand holds in all its elements, if it is such a constant. */
export function numberOf(value: NdArray | undefined): number | undefined {
  if (!value || value.data.length === 0) return undefined;
  const first = value.data[0] as number;
  return value.data.every((x) => Object.is(x, first)) ? first : undefined;
}

// The intermediate representation: a graph is a list of equations over typed variables, in order of evaluation.
// Imports nothing but dtypes; everything else in this folder builds, checks, prints or rewrites what is declared here.

import type { DType, NdArray, Shape } from '../dtype.js';

/** The one symbolic axis size: the number of rows of a batch, bound when a graph runs. Printed as B. */
export const BATCH = -1;

/** A typed value of a graph. */
export interface Var {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A variable with the name by which hosts refer to it. */
export interface Port {
  readonly name: string;
  readonly variable: Var;
}

/** Attributes of every op: the closed op set. */
export interface OpAttrs {
  constant: { readonly value: NdArray };
  add: object;
  sub: object;
  mul: object;
  div: object;
  neg: object;
  exp: object;
  log: object;
  sqrt: object;
  abs: object;
  max: object;
  min: object;
  eq: object;
  lt: object;
  and: object;
  not: object;
  /** select(condition, a, b) */
  select: object;
  cast: { readonly dtype: DType };
  /** Over the last two axes; leading axes broadcast. */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  sum: ReduceAttrs;
  reduceMax: ReduceAttrs;
  /** Index of the largest along `axis`, which disappears; the lowest index wins a tie. */
  argMax: { readonly axis: number };
  /** The k largest along the last axis, descending, ties by lowest index: (values, indices). */
  topK: { readonly k: number };
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  /** broadcast(x) or broadcast(x, like): `like` has the wanted shape and binds the batch axis where x lacks it. */
  broadcast: { readonly shape: Shape };
  concat: { readonly axis: number };
  /** Half-open [begin, end) on one axis. */
  slice: { readonly axis: number; readonly begin: number; readonly end: number };
  /** gather(x, indices): x.shape[:axis] + indices.shape + x.shape[axis+1:]. */
  gather: { readonly axis: number };
  /** scatter(x, indices, updates): x with updates[i] added to row indices[i]; repeated indices add up. */
  scatter: object;
  /** oneHot(indices): a last axis of size depth; indices outside of it give zeros. */
  oneHot: { readonly depth: number; readonly dtype: DType };
  iota: { readonly length: number };
  stopGradient: object;
  /**
   * A named body of plain ops that a backend may replace by a kernel of its own. `derivative`, from inputs, outputs and cotangents
   * of the outputs to cotangents of the inputs, says it in fewer ops than the derivative of the body takes.
   */
  composite: { readonly name: string; readonly body: Graph; readonly derivative?: Graph };
}

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export type OpName = keyof OpAttrs;

/** One application of an op. */
export interface Equation<O extends OpName = OpName> {
  readonly op: O;
  readonly inputs: readonly Var[];
  readonly attrs: OpAttrs[O];
  readonly outputs: readonly Var[];
}

/** A pure function from inputs to outputs. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly equations: readonly Equation[];
  readonly outputs: readonly Port[];
}

/** Narrows an equation to its op. */
export function isOp<O extends OpName>(equation: Equation, op: O): equation is Equation<O> {
  return equation.op === op;
}

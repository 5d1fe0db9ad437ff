// The intermediate representation: a graph is a list of equations over typed variables, in order of evaluation. This file imports
// only dtypes; the rest of this folder builds, checks, prints and rewrites what is declared here.

import type { DType, NdArray, Shape } from '../dtype.js';

/** The one symbolic axis size: the number of rows of a batch, bound when a graph runs. Printed as B. */
export const BATCH = -1;

/** A typed value of a graph. */
export interface Var {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A variable with its external name. */
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
  /** broadcast(x) or broadcast(x, like): `like` has the target shape and supplies the batch axis if x has none. */
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
   * A named body of plain ops that a backend may replace by its own kernel. `derivative` maps inputs, outputs and cotangents of the
   * outputs to cotangents of the inputs, in fewer ops than differentiating the body.
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

// What an equation loops over: elements, rows that it reduces, or columns that it sums.

import { type Equation, isOp, type OpName, type Shape, type Var } from '@fkm/core/graph';
import { type Count, countOf, placeBefore, placeOf } from './indices.js';

/** The loop of an equation. */
export type Loop =
  /** Computes each element of the result. */
  | { readonly over: 'elements'; readonly count: Count }
  /** Rows of `width` elements, of which one is left. */
  | { readonly over: 'rows'; readonly count: Count; readonly width: number }
  /** Σ over the middle of [outer, length, columns]. */
  | { readonly over: 'columns'; readonly outer: Count; readonly length: Count; readonly columns: number };

/** Number of elements that a loop reads. */
export const wholeOf = (loop: Loop): Count =>
  loop.over === 'columns'
    ? {
        batched: loop.outer.batched || loop.length.batched,
        size: loop.outer.size * loop.length.size * loop.columns,
      }
    : loop.count;

const elementwise: ReadonlySet<OpName> = new Set<OpName>([
  'add',
  'sub',
  'mul',
  'div',
  'neg',
  'exp',
  'log',
  'sqrt',
  'abs',
  'max',
  'min',
  'eq',
  'lt',
  'and',
  'not',
  'select',
  'cast',
  'broadcast',
  'oneHot',
  'transpose',
]);

const dtypes: ReadonlySet<string> = new Set(['float32', 'int32', 'bool']);

/** Operands whose elements are read: `broadcast` uses only the shape of its second one. */
export const readBy = ({ op, inputs }: Equation): readonly Var[] =>
  op === 'broadcast' ? inputs.slice(0, 1) : inputs;

/** The index in operand `v` for element `i` of the equation's result, in WGSL. */
export function placeIn(equation: Equation, v: Var, i = 'i'): string {
  if (isOp(equation, 'transpose')) return placeBefore(v.shape, equation.attrs.permutation, i);
  // One index serves all of its classes.
  return placeOf(equation.op === 'oneHot' ? [...v.shape, 1] : v.shape, result(equation).shape, i);
}

export const result = (equation: Equation): Var => equation.outputs[0] as Var;

/** Sizes before, on and after the reduced axes, if these are contiguous. */
function aroundAxes(
  shape: Shape,
  axes: readonly number[],
): { before: Shape; on: Shape; after: Shape } | null {
  const own = axes.filter((axis) => shape[axis] !== 1);
  const [first, last] = [Math.min(...own), Math.max(...own)];
  for (let axis = first; axis <= last; axis++) if (shape[axis] !== 1 && !axes.includes(axis)) return null;
  if (own.length === 0) return null;
  return { before: shape.slice(0, first), on: shape.slice(first, last + 1), after: shape.slice(last + 1) };
}

/** The loop of an equation; null if it cannot be one. */
export function loopOf(equation: Equation): Loop | null {
  const out = result(equation);
  const all = [...equation.inputs, out];
  if (!all.every(({ dtype }) => dtypes.has(dtype))) return null;
  if (elementwise.has(equation.op)) {
    // Integer division has rules of its own.
    if (equation.op === 'div' && out.dtype !== 'float32') return null;
    return { over: 'elements', count: countOf(out.shape) };
  }
  if (!isOp(equation, 'sum') && !isOp(equation, 'reduceMax')) return null;
  if (out.dtype !== 'float32') return null;
  const parts = aroundAxes((equation.inputs[0] as Var).shape, equation.attrs.axes);
  if (!parts) return null;
  const [outer, length, columns] = [countOf(parts.before), countOf(parts.on), countOf(parts.after)];
  if (columns.batched) return null;
  if (columns.size === 1 && !length.batched) {
    return {
      over: 'rows',
      count: { batched: outer.batched, size: outer.size * length.size },
      width: length.size,
    };
  }
  if (isOp(equation, 'reduceMax')) return null;
  return { over: 'columns', outer, length, columns: columns.size };
}

/** Whether an equation returns the same elements in the same order: reshapes, and sums over axes of size 1. */
export const isView = (equation: Equation): boolean =>
  equation.op === 'reshape' ||
  equation.op === 'stopGradient' ||
  ((isOp(equation, 'sum') || isOp(equation, 'reduceMax')) &&
    equation.attrs.axes.every((axis) => equation.inputs[0]?.shape[axis] === 1));

/** A constant with one value everywhere, which is written into the code. */
export const numberIn = (equation: Equation | undefined): number | undefined => {
  if (!equation || !isOp(equation, 'constant')) return undefined;
  const { data, dtype } = equation.attrs.value;
  const [value] = data;
  if (data.length === 0 || !dtypes.has(dtype) || !data.every((x) => Object.is(x, value))) return undefined;
  return Number.isFinite(value) ? value : undefined;
};

/** Whether an equation is inlined into the code of its readers. */
export const isInlined = (equation: Equation): boolean =>
  equation.op === 'iota' || numberIn(equation) !== undefined;

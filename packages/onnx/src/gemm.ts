// Fuses equations into Gemm: Y = alpha · op(A) op(B) + C, in one pass over Y instead of two or three.

import {
  type Equation,
  fromBfloat16,
  fromFloat16,
  type Graph,
  isOp,
  type NdArray,
  type Shape,
  type Var,
} from '@fkm/core/graph';

/** A Gemm, written at the place of `last`. */
export interface Gemm {
  readonly product: Equation<'matmul'>;
  readonly last: Equation;
  readonly alpha: number;
  readonly c: Var | null;
}

export interface GemmPlan {
  /** Gemms by the equation at whose place they are written. */
  readonly at: ReadonlyMap<Equation, Gemm>;
  /** Equations computed by a later Gemm. */
  readonly absorbed: ReadonlySet<Equation>;
}

/** Whether C can be broadcast to Y: Gemm broadcasts only C. */
function reaches(c: Shape, y: Shape): boolean {
  if (c.length > y.length) return false;
  return c.every((dim, i) => dim === 1 || dim === y[y.length - c.length + i]);
}

function scalarOf({ data, dtype }: NdArray): number | null {
  if (data.length !== 1) return null;
  const value = data[0] as number;
  return dtype === 'float16' ? fromFloat16(value) : dtype === 'bfloat16' ? fromBfloat16(value) : value;
}

/** Extends each matrix product by a following scale and addition, as long as nothing else reads the intermediate. */
export function planGemms(graph: Graph): GemmPlan {
  const users = new Map<number, Equation[]>();
  for (const equation of graph.equations) {
    for (const v of equation.inputs) users.set(v.id, [...(users.get(v.id) ?? []), equation]);
  }
  const isOutput = new Set(graph.outputs.map((port) => port.variable.id));
  const constants = new Map<number, NdArray>();
  const at = new Map<Equation, Gemm>();
  const absorbed = new Set<Equation>();

  for (const equation of graph.equations) {
    if (isOp(equation, 'constant')) constants.set((equation.outputs[0] as Var).id, equation.attrs.value);
  }
  for (const product of graph.equations) {
    if (!isOp(product, 'matmul') || product.inputs.some((v) => v.shape.length !== 2)) continue;
    let gemm: Gemm = { product, last: product, alpha: 1, c: null };
    for (;;) {
      const y = gemm.last.outputs[0] as Var;
      const readers = users.get(y.id) ?? [];
      const next = readers[0];
      if (readers.length !== 1 || !next || isOutput.has(y.id)) break;
      // A sum of two products: the first has taken the addition, the second is its C.
      if (at.has(next) || absorbed.has(next)) break;
      const longer = extend(gemm, next, y, constants);
      if (!longer) break;
      absorbed.add(gemm.last);
      gemm = longer;
    }
    at.set(gemm.last, gemm);
  }
  return { at, absorbed };
}

/** The Gemm extended by `next`; null if it cannot be. */
function extend(gemm: Gemm, next: Equation, y: Var, constants: ReadonlyMap<number, NdArray>): Gemm | null {
  const [a, b] = next.inputs as readonly [Var, Var];
  const other = a === y ? b : a;
  if (gemm.c === null && next.op === 'neg') return { ...gemm, last: next, alpha: -gemm.alpha };
  if (other === undefined || other === y || !reaches(other.shape, y.shape)) return null;
  if (next.op === 'mul' && gemm.c === null) {
    const value = constants.get(other.id);
    const scale = value === undefined ? null : scalarOf(value);
    return scale === null ? null : { ...gemm, last: next, alpha: gemm.alpha * scale };
  }
  if (gemm.c !== null) return null;
  if (next.op === 'add') return { ...gemm, last: next, c: other };
  // c − y is fused, y − c is not: beta = −1 costs onnxruntime an extra pass, more than Sub.
  if (next.op === 'sub' && b === y) return { ...gemm, last: next, alpha: -gemm.alpha, c: other };
  return null;
}

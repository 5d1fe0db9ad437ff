// Rewrites matrix products with a single row or column as elementwise products and sums, which can join loops before and after
// them.

import { type Equation, type Graph, isOp, type OpName, type Shape, type Var } from '@fkm/core/graph';

/** The graph without vector products. */
export function thinProducts(graph: Graph): Graph {
  const writer = new Writer(graph);
  for (const equation of graph.equations) {
    if (!isOp(equation, 'matmul') || !writer.thin(equation)) writer.equations.push(equation);
  }
  return { ...graph, equations: writer.equations };
}

class Writer {
  readonly equations: Equation[] = [];
  private next: number;

  constructor({ inputs, equations }: Graph) {
    const variables = [
      ...inputs.map((port) => port.variable),
      ...equations.flatMap(({ outputs }) => outputs),
    ];
    this.next = 1 + variables.reduce((most, { id }) => Math.max(most, id), -1);
  }

  /** Writes c[m, n] = Σ_k a[m, k]·b[k, n] if one of the three sizes is 1; returns whether it is. */
  thin({ inputs, attrs: { transposeA, transposeB }, outputs }: Equation<'matmul'>): boolean {
    const [a, b] = inputs as readonly [Var, Var];
    const out = outputs[0] as Var;
    if (a.shape.length !== 2 || b.shape.length !== 2 || out.dtype !== 'float32') return false;
    const [m, n] = out.shape as readonly [number, number];
    const inner = a.shape[transposeA ? 0 : 1] as number;
    if (inner === 1) {
      // c = a·b, one column by one row
      this.write('mul', [this.view(a, [m, 1]), this.view(b, [1, n])], {}, out);
      return true;
    }
    if (n === 1) this.sumOf(a, transposeA, b, inner, out);
    else if (m === 1) this.sumOf(b, !transposeB, a, inner, out);
    else return false;
    return true;
  }

  /** Σ of a matrix times a vector along their common axis, which is the matrix's first if it is `down`. */
  private sumOf(matrix: Var, down: boolean, vector: Var, inner: number, out: Var): void {
    const along = this.view(vector, down ? [inner, 1] : [1, inner]);
    const terms = this.fresh(matrix.shape);
    this.write('mul', [matrix, along], {}, terms);
    const axes = [down ? 0 : 1];
    const kept = down ? [1, matrix.shape[1] as number] : [matrix.shape[0] as number, 1];
    if (kept.join() === out.shape.join()) {
      this.write('sum', [terms], { axes, keepDims: true }, out);
      return;
    }
    const sums = this.fresh(kept);
    this.write('sum', [terms], { axes, keepDims: true }, sums);
    this.write('reshape', [sums], { shape: out.shape }, out);
  }

  private view(v: Var, shape: Shape): Var {
    if (v.shape.join() === shape.join()) return v;
    const out = this.fresh(shape);
    this.write('reshape', [v], { shape }, out);
    return out;
  }

  private fresh(shape: Shape): Var {
    return { id: this.next++, shape, dtype: 'float32' };
  }

  private write(op: OpName, inputs: readonly Var[], attrs: object, out: Var): void {
    this.equations.push({ op, inputs, attrs, outputs: [out] } as Equation);
  }
}

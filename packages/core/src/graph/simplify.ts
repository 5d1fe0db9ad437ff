// Backend-independent rewrites: folds constants, removes neutral operations and dead equations.

import type { NdArray } from '../dtype.js';
import { evaluateEquation } from './evaluate.js';
import { BATCH, type Equation, type Graph, isOp, type Var } from './ir.js';
import { verify } from './verify.js';

/** Largest folded result: a larger one would make the graph grow by more than it saves. */
const largestFold = 4096;

/** An equal graph with fewer operations. */
export function simplify(graph: Graph): Graph {
  const constants = new Map<number, NdArray>();
  const renamed = new Map<number, Var>();
  const rename = (v: Var): Var => renamed.get(v.id) ?? v;
  const repeated = new Map<number, Var>();
  const equations: Equation[] = [];

  for (const original of graph.equations) {
    const equation = unrepeated({ ...original, inputs: original.inputs.map(rename) }, repeated);
    const same = neutral(equation, constants);
    if (same) {
      renamed.set((equation.outputs[0] as Var).id, same);
      continue;
    }
    const values = foldable(equation) ? equation.inputs.map((v) => constants.get(v.id)) : [undefined];
    if (isOp(equation, 'constant')) {
      constants.set((equation.outputs[0] as Var).id, equation.attrs.value);
      equations.push(equation);
    } else if (values.every((value) => value !== undefined)) {
      const results = evaluateEquation(equation, values);
      equation.outputs.forEach((v, i) => {
        const value = results[i] as NdArray;
        constants.set(v.id, value);
        equations.push({ op: 'constant', inputs: [], attrs: { value }, outputs: [v] });
      });
    } else {
      equations.push(isOp(equation, 'composite') ? withSimpleBody(equation) : equation);
      if (equation.op === 'broadcast')
        repeated.set((equation.outputs[0] as Var).id, equation.inputs[0] as Var);
    }
  }
  const outputs = graph.outputs.map((port) => ({ name: port.name, variable: rename(port.variable) }));
  return verify({
    ...graph,
    equations: live(
      equations,
      outputs.map((port) => port.variable),
    ),
    outputs,
  });
}

const withSimpleBody = (equation: Equation<'composite'>): Equation => ({
  ...equation,
  attrs: { ...equation.attrs, body: simplify(equation.attrs.body) },
});

const elementwise: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'eq',
  'lt',
  'and',
  'select',
]);

/** Elementwise ops broadcast implicitly: if another operand has the full shape, a broadcast operand is replaced by its source. */
function unrepeated(equation: Equation, repeated: ReadonlyMap<number, Var>): Equation {
  if (!elementwise.has(equation.op)) return equation;
  const shape = (equation.outputs[0] as Var).shape.join();
  const inputs = [...equation.inputs];
  inputs.forEach((v, i) => {
    const source = repeated.get(v.id);
    if (source && inputs.some((other, j) => j !== i && other.shape.join() === shape)) inputs[i] = source;
  });
  return { ...equation, inputs };
}

const foldable = (equation: Equation): boolean =>
  equation.op !== 'composite' &&
  equation.inputs.length > 0 &&
  equation.outputs.every(
    (v) => !v.shape.includes(BATCH) && v.shape.reduce((a, b) => a * b, 1) <= largestFold,
  );

/** The operand that the equation returns unchanged: x + 0, x − 0, 1·x, x / 1, −(−x); null if there is none. */
function neutral(equation: Equation, constants: ReadonlyMap<number, NdArray>): Var | null {
  const [a, b] = equation.inputs;
  const out = equation.outputs[0] as Var;
  const isAll = (v: Var | undefined, number: number): boolean => {
    const value = v && constants.get(v.id);
    return (
      value !== undefined &&
      value.dtype !== 'float16' &&
      value.dtype !== 'bfloat16' &&
      value.data.every((x) => x === number)
    );
  };
  const keeps = (v: Var | undefined): Var | null =>
    v && v.dtype === out.dtype && v.shape.join() === out.shape.join() ? v : null;
  switch (equation.op) {
    case 'add':
      return isAll(b, 0) ? keeps(a) : isAll(a, 0) ? keeps(b) : null;
    case 'sub':
      return isAll(b, 0) ? keeps(a) : null;
    case 'mul':
      return isAll(b, 1) ? keeps(a) : isAll(a, 1) ? keeps(b) : null;
    case 'div':
      return isAll(b, 1) ? keeps(a) : null;
    default:
      return null;
  }
}

/** The equations that the outputs depend on. */
function live(equations: readonly Equation[], outputs: readonly Var[]): Equation[] {
  const needed = new Set(outputs.map((v) => v.id));
  const kept: Equation[] = [];
  for (let i = equations.length - 1; i >= 0; i--) {
    const equation = equations[i] as Equation;
    if (!equation.outputs.some((v) => needed.has(v.id))) continue;
    for (const v of equation.inputs) needed.add(v.id);
    kept.push(equation);
  }
  return kept.reverse();
}

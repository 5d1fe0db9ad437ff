// Common subexpression elimination: inlined bodies of composites repeat computations on the same operands.

import { type Equation, type Graph, isOp, type Var } from '@fkm/core/graph';

/** An equal graph in which equal equations on equal operands are computed once. Variables are renumbered from the inputs on. */
export function computedOnce(graph: Graph): Graph {
  let next = 0;
  const fresh = (v: Var): Var => ({ ...v, id: next++ });
  const equations: Equation[] = [];
  const done = new Map<string, readonly Var[]>();
  const renamed = new Map<number, Var>();
  const rename = (v: Var): Var => renamed.get(v.id) as Var;

  const inputs = graph.inputs.map(({ name, variable }) => ({ name, variable: fresh(variable) }));
  for (const [i, { variable }] of graph.inputs.entries()) {
    renamed.set(variable.id, (inputs[i] as Graph['inputs'][number]).variable);
  }
  for (const original of graph.equations) {
    const equation = { ...original, inputs: original.inputs.map(rename) };
    const key = keyOf(equation);
    let outputs = key === null ? undefined : done.get(key);
    if (!outputs) {
      outputs = original.outputs.map(fresh);
      equations.push({ ...equation, outputs });
      if (key !== null) done.set(key, outputs);
    }
    for (const [i, v] of original.outputs.entries()) renamed.set(v.id, outputs[i] as Var);
  }
  const outputs = graph.outputs.map(({ name, variable }) => ({ name, variable: rename(variable) }));
  return { name: graph.name, inputs, equations, outputs };
}

/** Longer constants are not compared. */
const longest = 64;

/** Equal keys mean equal values; null if the equation is not compared. */
function keyOf(equation: Equation): string | null {
  if (equation.op === 'composite') return null;
  if (isOp(equation, 'constant')) {
    const { data, dtype, shape } = equation.attrs.value;
    if (data.length > longest) return null;
    return `constant ${dtype} ${shape} ${Array.from(data, (x) => (Object.is(x, -0) ? '-0' : x))}`;
  }
  return `${equation.op} ${equation.inputs.map((v) => v.id)} ${JSON.stringify(equation.attrs)}`;
}

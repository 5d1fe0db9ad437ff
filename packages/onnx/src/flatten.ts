// Composites resolved: their bodies take their place, but for those that the lowering knows by name. What a body computes that
// another one did already, from the same operands, is computed once.

import { type Equation, type Graph, isOp, type Var } from '@fkm/core/graph';

/** An equal graph without composites, except those for which `keep` is true. Variables are numbered anew. */
export function flatten(graph: Graph, keep: (name: string) => boolean): Graph {
  let next = 0;
  const equations: Equation[] = [];
  const fresh = (v: Var): Var => ({ ...v, id: next++ });
  const done = new Map<string, readonly Var[]>();

  const once = (equation: Equation): readonly Var[] => {
    const key = keyOf(equation);
    const before = key === null ? undefined : done.get(key);
    if (before) return before;
    const outputs = equation.outputs.map(fresh);
    equations.push({ ...equation, outputs });
    if (key !== null) done.set(key, outputs);
    return outputs;
  };

  const visit = (body: Graph, inputs: readonly Var[]): readonly Var[] => {
    const known = new Map(body.inputs.map((port, i) => [port.variable.id, inputs[i] as Var]));
    const lookup = (v: Var): Var => known.get(v.id) as Var;
    for (const equation of body.equations) {
      const operands = equation.inputs.map(lookup);
      const outputs =
        isOp(equation, 'composite') && !keep(equation.attrs.name)
          ? visit(equation.attrs.body, operands)
          : once({ ...equation, inputs: operands });
      equation.outputs.forEach((v, i) => {
        known.set(v.id, outputs[i] as Var);
      });
    }
    return body.outputs.map((port) => lookup(port.variable));
  };

  const inputs = graph.inputs.map((port) => ({ name: port.name, variable: fresh(port.variable) }));
  const results = visit(
    graph,
    inputs.map((port) => port.variable),
  );
  const outputs = graph.outputs.map((port, i) => ({ name: port.name, variable: results[i] as Var }));
  return { name: graph.name, inputs, equations, outputs };
}

/** Longer constants are not compared. */
const longest = 64;

/** Equal keys mean equal values; null where nothing is compared. */
function keyOf(equation: Equation): string | null {
  if (equation.op === 'composite') return null;
  if (isOp(equation, 'constant')) {
    const { data, dtype, shape } = equation.attrs.value;
    if (data.length > longest) return null;
    return `constant ${dtype} ${shape} ${Array.from(data, (x) => (Object.is(x, -0) ? '-0' : x))}`;
  }
  return `${equation.op} ${equation.inputs.map((v) => v.id)} ${JSON.stringify(equation.attrs)}`;
}

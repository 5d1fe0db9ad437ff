// Composites resolved: their bodies take their place, but for those that the lowering knows by name.

import { type Equation, type Graph, isOp, type Var } from '@fkm/core/graph';

/** An equal graph without composites, except those for which `keep` is true. Variables are numbered anew. */
export function flatten(graph: Graph, keep: (name: string) => boolean): Graph {
  let next = 0;
  const equations: Equation[] = [];
  const fresh = (v: Var): Var => ({ ...v, id: next++ });

  const visit = (body: Graph, inputs: readonly Var[]): Var[] => {
    const known = new Map(body.inputs.map((port, i) => [port.variable.id, inputs[i] as Var]));
    const lookup = (v: Var): Var => known.get(v.id) as Var;
    for (const equation of body.equations) {
      const operands = equation.inputs.map(lookup);
      const outputs =
        isOp(equation, 'composite') && !keep(equation.attrs.name)
          ? visit(equation.attrs.body, operands)
          : equation.outputs.map(fresh);
      equation.outputs.forEach((v, i) => {
        known.set(v.id, outputs[i] as Var);
      });
      if (!isOp(equation, 'composite') || keep(equation.attrs.name)) {
        equations.push({ ...equation, inputs: operands, outputs });
      }
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

// Composites that have no kernel, replaced by what they stand for.

import { type Equation, type Graph, isOp, type Port, type Var } from '@fkm/core/graph';

/** The same graph, with composites that are not `kept` replaced by their bodies. */
export function flatten(graph: Graph, kept: (equation: Equation<'composite'>) => boolean): Graph {
  const equations: Equation[] = [];
  let next = 1 + Math.max(-1, ...[...graph.inputs, ...graph.outputs].map((port) => port.variable.id));
  for (const { outputs } of graph.equations) for (const v of outputs) next = Math.max(next, v.id + 1);
  const names = new Map<number, Var>();
  const add = (part: readonly Equation[], rename: Map<number, Var>, own: boolean): void => {
    const find = (v: Var): Var => rename.get(v.id) ?? v;
    for (const equation of part) {
      const inputs = equation.inputs.map(find);
      if (isOp(equation, 'composite') && !kept(equation)) {
        const { body } = equation.attrs;
        const inner = new Map(body.inputs.map((port, i) => [port.variable.id, inputs[i] as Var]));
        add(body.equations, inner, false);
        equation.outputs.forEach((v, i) => {
          const out = (body.outputs[i] as Port).variable;
          rename.set(v.id, inner.get(out.id) ?? out);
        });
        continue;
      }
      const outputs = own ? equation.outputs : equation.outputs.map((v) => ({ ...v, id: next++ }));
      equation.outputs.forEach((v, i) => {
        if (!own) rename.set(v.id, outputs[i] as Var);
      });
      equations.push({ ...equation, inputs, outputs });
    }
  };
  add(graph.equations, names, true);
  const outputs = graph.outputs.map(({ name, variable }) => ({
    name,
    variable: names.get(variable.id) ?? variable,
  }));
  return { ...graph, equations, outputs };
}

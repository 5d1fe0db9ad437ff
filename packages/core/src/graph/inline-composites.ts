// Replaces composites by their bodies, for backends and exporters that have no kernel for them.

import { type Equation, type Graph, isOp, type Var } from './ir.js';

/** An equal graph without composites, except those for which `keep` is true. Variables are renumbered from the inputs on. */
export function inlineComposites(
  graph: Graph,
  keep: (equation: Equation<'composite'>) => boolean = () => false,
): Graph {
  let next = 0;
  const fresh = (v: Var): Var => ({ ...v, id: next++ });
  const equations: Equation[] = [];

  /** Adds the equations of a graph applied to these variables; returns its outputs. */
  const add = (part: Graph, inputs: readonly Var[]): readonly Var[] => {
    const renamed = new Map(part.inputs.map(({ variable }, i) => [variable.id, inputs[i] as Var]));
    const rename = (v: Var): Var => renamed.get(v.id) as Var;
    for (const equation of part.equations) {
      const operands = equation.inputs.map(rename);
      let results: readonly Var[];
      if (isOp(equation, 'composite') && !keep(equation)) {
        results = add(equation.attrs.body, operands);
      } else {
        results = equation.outputs.map(fresh);
        equations.push({ ...equation, inputs: operands, outputs: results });
      }
      for (const [i, v] of equation.outputs.entries()) renamed.set(v.id, results[i] as Var);
    }
    return part.outputs.map(({ variable }) => rename(variable));
  };

  const inputs = graph.inputs.map(({ name, variable }) => ({ name, variable: fresh(variable) }));
  const results = add(
    graph,
    inputs.map(({ variable }) => variable),
  );
  const outputs = graph.outputs.map(({ name }, i) => ({ name, variable: results[i] as Var }));
  return { name: graph.name, inputs, equations, outputs };
}

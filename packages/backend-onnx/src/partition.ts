// Splits a graph at equations that have our kernels: the parts before, the kernels, and the parts after, in order.

import { type Equation, type Graph, isOp, type Port, type Var } from '@fkm/core/graph';

type Composite = Equation<'composite'>;

/** A part that runs as one graph, followed by kernels that do not depend on each other. */
export interface Step {
  readonly graph: Graph;
  readonly kernels: readonly Composite[];
}

/**
 * The steps of a graph; null if there is nothing to split. An equation's step is the number of kernels that it has to wait for in
 * sequence. Equations without inputs are repeated in every step that needs them.
 */
export function partition(graph: Graph, hasKernel: (equation: Composite) => boolean): Step[] | null {
  const level = new Map<number, number>();
  const steps: { equations: Equation[]; kernels: Composite[] }[] = [];
  const constants = new Map<number, Equation>();
  for (const equation of graph.equations) {
    const at = Math.max(0, ...equation.inputs.map((v) => level.get(v.id) ?? 0));
    const kernel = isOp(equation, 'composite') && hasKernel(equation) ? equation : undefined;
    for (const v of equation.outputs) level.set(v.id, kernel ? at + 1 : at);
    while (steps.length <= at) steps.push({ equations: [], kernels: [] });
    const step = steps[at] as (typeof steps)[number];
    if (kernel) step.kernels.push(kernel);
    else if (equation.inputs.length > 0) step.equations.push(equation);
    else for (const v of equation.outputs) constants.set(v.id, equation);
  }
  if (!steps.some((step) => step.kernels.length > 0)) return null;
  const results = graph.outputs.map((port) => port.variable.id);
  // Each result is a separate value.
  if (
    new Set([...results, ...graph.inputs.map((port) => port.variable.id)]).size <
    results.length + graph.inputs.length
  ) {
    return null;
  }
  const wanted = new Set([...results, ...steps.flatMap(({ kernels }) => kernels.flatMap(idsOf))]);
  return steps.map(({ equations, kernels }, at) => {
    const read = new Set(equations.flatMap(idsOf));
    const needed = new Set(
      [...constants].filter(([id]) => read.has(id) || (at === 0 && wanted.has(id))).map(([, one]) => one),
    );
    const own = [...needed, ...equations];
    const made = own.flatMap((one) => one.outputs);
    const later = new Set(steps.slice(at + 1).flatMap((step) => step.equations.flatMap(idsOf)));
    const leaves = ({ id }: Var): boolean =>
      constants.has(id) ? at === 0 && wanted.has(id) : wanted.has(id) || later.has(id);
    const inside = new Set(made.map((v) => v.id));
    const enters = new Map(
      own.flatMap((one) => one.inputs.filter((v) => !inside.has(v.id)).map((v) => [v.id, v])),
    );
    return {
      graph: {
        name: `${graph.name}.${at}`,
        inputs: portsOf([...enters.values()]),
        equations: own,
        outputs: portsOf(made.filter(leaves)),
      },
      kernels,
    };
  });
}

const idsOf = (equation: Equation): number[] => equation.inputs.map((v) => v.id);

const portsOf = (variables: readonly Var[]): Port[] =>
  variables.map((variable) => ({ name: `v${variable.id}`, variable }));

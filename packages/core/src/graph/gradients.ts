// Reverse-mode differentiation: walks the equations of a trace backwards and appends the derivative to the same trace.

import { isFloat } from '../dtype.js';
import { GraphError } from '../errors.js';
import { zerosLike } from './functions.js';
import type { Graph, Var } from './ir.js';
import * as op from './ops.js';
import { simplify } from './simplify.js';
import { inline, Tensor, trace } from './trace.js';
import { type Cotangents, type Pullback, type VjpRule, vjp } from './vjp.js';

/**
 * Cotangents of `wrt` from those of `outputs`. With `closed`, the walk stops at `wrt`: if one of them depends on another, the
 * caller handles the path between them.
 */
function propagate(
  outputs: readonly Tensor[],
  cotangents: Cotangents,
  wrt: readonly Tensor[],
  closed: boolean,
): (Tensor | null)[] {
  const tracer = (wrt[0] as Tensor).trace;
  const equations = [...tracer.equations];
  const active = new Set(wrt.filter(({ dtype }) => isFloat(dtype)).map((tensor) => tensor.variable.id));
  for (const equation of equations) {
    if (equation.op !== 'stopGradient' && equation.inputs.some((v) => active.has(v.id))) {
      for (const v of equation.outputs) if (isFloat(v.dtype)) active.add(v.id);
    }
  }
  const ends = new Set(closed ? wrt.map((tensor) => tensor.variable.id) : []);
  const collected = new Map<number, Tensor>();
  const collect = (v: Var, g: Tensor | null | undefined): void => {
    if (!g || !active.has(v.id)) return;
    const known = collected.get(v.id);
    collected.set(v.id, known ? op.add(known, g) : g);
  };
  outputs.forEach((tensor, i) => {
    collect(tensor.variable, cotangents[i]);
  });
  for (const equation of equations.reverse()) {
    if (!equation.outputs.some((v) => collected.has(v.id)) || !equation.inputs.some((v) => active.has(v.id)))
      continue;
    if (equation.outputs.some((v) => ends.has(v.id))) continue;
    const asTensors = (list: readonly Var[]) =>
      list.map((v) => new Tensor(tracer, v)) as unknown as Parameters<VjpRule<'add'>>[0];
    const g = equation.outputs.map((v) => collected.get(v.id) ?? null);
    const rule = vjp[equation.op] as VjpRule<typeof equation.op>;
    const results = rule(
      asTensors(equation.inputs),
      asTensors(equation.outputs),
      g as never,
      equation.attrs,
      pullback,
    );
    equation.inputs.forEach((v, i) => {
      collect(v, results[i]);
    });
  }
  return wrt.map((tensor) => collected.get(tensor.variable.id) ?? null);
}

/** Pullback inside a composite. A variable that appears twice among the inputs gets its whole derivative at the first place. */
const pullback: Pullback = (outputs, cotangents, wrt) => {
  const results = propagate(outputs, cotangents, wrt, true);
  const ids = wrt.map((tensor) => tensor.variable.id);
  return results.map((g, i) => (ids.indexOf(ids[i] as number) === i ? g : null));
};

/** d loss / d wrt, each of the shape of its variable; appended to the trace of the loss. Errors: GraphError. */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new GraphError('gradients: the loss should be a scalar; sum it first.');
  const seed = op.constantLike(loss, 1);
  return propagate([loss], [seed], wrt, false).map((g, i) => g ?? zerosLike(wrt[i] as Tensor));
}

/** A graph of a scalar output and its derivatives by the named inputs, as `d.<name>`. */
export function gradientGraph(graph: Graph, output: string, wrt: readonly string[]): Graph {
  const specs = Object.fromEntries(graph.inputs.map((port) => [port.name, port.variable]));
  return simplify(
    trace(`${graph.name}.gradient`, specs, (inputs) => {
      const outputs = inline(graph, Object.values(inputs));
      const loss = outputs[output];
      if (!loss) throw new GraphError(`gradientGraph: ${graph.name} has no output ${output}.`);
      const variables = wrt.map((name) => {
        const tensor = inputs[name];
        if (!tensor) throw new GraphError(`gradientGraph: ${graph.name} has no input ${name}.`);
        return tensor;
      });
      const results = gradients(loss, variables);
      return {
        [output]: loss,
        ...Object.fromEntries(wrt.map((name, i) => [`d.${name}`, results[i] as Tensor])),
      };
    }),
  );
}

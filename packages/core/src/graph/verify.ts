// Checks a graph after tracing and after every transform.

import { GraphError, isFkmError } from '../errors.js';
import { formatType, inferTypes, type ResultType } from './infer.js';
import { BATCH, type Equation, type Graph, isOp, type Var } from './ir.js';

/** Inferred output types; errors become GraphErrors that name the place. */
function typesOf({ op, inputs, attrs }: Equation, where: string): ResultType[] {
  try {
    return inferTypes(op, inputs, attrs);
  } catch (error) {
    throw isFkmError(error)
      ? new GraphError(where + error.message.replace('[fkm/core] ', ''), error.details)
      : error;
  }
}

const sameType = (a: ResultType, b: ResultType): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]);

/** The same graph, if it is well-formed. Errors: GraphError naming the op, its operands and their shapes. */
export function verify(graph: Graph): Graph {
  const defined = new Map<number, Var>();
  // The place is put into words only for an error: most graphs are right, and large ones have a thousand places.
  const define = (v: Var, where: () => string): void => {
    if (defined.has(v.id)) throw new GraphError(`${graph.name}: ${where()} defines %${v.id} a second time.`);
    if (
      v.shape.some((dim) => !Number.isInteger(dim) || dim < BATCH) ||
      v.shape.filter((dim) => dim === BATCH).length > 1
    ) {
      throw new GraphError(`${graph.name}: ${where()} has the impossible type ${formatType(v)}.`);
    }
    defined.set(v.id, v);
  };
  const use = (v: Var, where: () => string): void => {
    const known = defined.get(v.id);
    if (known === undefined)
      throw new GraphError(`${graph.name}: ${where()} uses %${v.id} before it is defined.`);
    if (!sameType(known, v)) {
      throw new GraphError(
        `${graph.name}: ${where()} takes %${v.id} for ${formatType(v)}, but it is ${formatType(known)}.`,
      );
    }
  };
  const names = new Set<string>();
  for (const port of graph.inputs) {
    if (names.has(port.name)) throw new GraphError(`${graph.name}: two inputs are called ${port.name}.`);
    names.add(port.name);
    define(port.variable, () => `input ${port.name}`);
  }
  graph.equations.forEach((equation, at) => {
    const where = (): string =>
      `equation ${at}, ${equation.op}(${equation.inputs.map(formatType).join(', ')})`;
    for (const v of equation.inputs) use(v, where);
    if (isOp(equation, 'composite')) {
      verify(equation.attrs.body);
      if (equation.attrs.derivative) verify(equation.attrs.derivative);
    }
    const types = typesOf(equation, `${graph.name}: equation ${at}, `);
    const { outputs } = equation;
    if (types.length !== outputs.length || !types.every((type, i) => sameType(type, outputs[i] as Var))) {
      throw new GraphError(
        `${graph.name}: ${where()} gives ${types.map(formatType)}, but is declared as ${outputs.map(formatType)}.`,
      );
    }
    for (const v of equation.outputs) define(v, where);
  });
  const results = new Set<string>();
  for (const port of graph.outputs) {
    if (results.has(port.name)) throw new GraphError(`${graph.name}: two outputs are called ${port.name}.`);
    results.add(port.name);
    use(port.variable, () => `output ${port.name}`);
  }
  return graph;
}

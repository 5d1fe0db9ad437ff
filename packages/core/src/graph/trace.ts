// Tracing: runs a function once on Tensor proxies and records its operations as a graph.

import { type DType, type NdArray, ndarray, type Shape } from '../dtype.js';
import { GraphError } from '../errors.js';
import { formatType, inferTypes } from './infer.js';
import type { Equation, Graph, OpAttrs, OpName, Port, Var } from './ir.js';

/** Type of a graph input. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

const brand = Symbol.for('fkm.tensor');

/** True for tensors of any copy of the package: two copies can trace into one graph. */
export const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && brand in value;

/** A value of a graph under construction: it has a type but no numbers. */
export class Tensor {
  readonly trace: Trace;
  readonly variable: Var;

  constructor(trace: Trace, variable: Var) {
    Object.defineProperty(this, brand, { value: true });
    this.trace = trace;
    this.variable = variable;
  }

  get shape(): Shape {
    return this.variable.shape;
  }

  get dtype(): DType {
    return this.variable.dtype;
  }

  /** Size of an axis; negative axes count from the end. */
  dim(axis: number): number {
    const dim = this.shape[axis < 0 ? axis + this.shape.length : axis];
    if (dim === undefined) throw new GraphError(`axis ${axis} does not exist in ${formatType(this)}.`);
    return dim;
  }

  /** A traced value has no number on the host. Errors: GraphError, always. */
  [Symbol.toPrimitive](): never {
    throw new GraphError(
      `${formatType(this)} is traced and has no value yet: write select(condition, a, b) instead of if, ` +
        'and max, min, lt or eq instead of host comparisons.',
    );
  }
}

/** Records equations in order, each distinct one once. */
export class Trace {
  readonly equations: Equation[] = [];
  private readonly known = new Map<string, readonly Var[]>();
  private next = 0;

  variable(spec: TensorSpec): Var {
    return { id: this.next++, shape: spec.shape, dtype: spec.dtype };
  }

  /** Appends an equation and returns its outputs; an equation seen before returns the earlier outputs. */
  emit<O extends OpName>(op: O, inputs: readonly Tensor[], attrs: OpAttrs[O]): Tensor[] {
    for (const tensor of inputs) {
      if (tensor.trace !== this)
        throw new GraphError(`${op}: an operand belongs to another trace; pass it as an input.`);
    }
    const variables = inputs.map((tensor) => tensor.variable);
    const key = equationKey(op, variables, attrs);
    const outputs =
      (key === null ? undefined : this.known.get(key)) ??
      inferTypes(op, variables, attrs).map((type) => this.variable(type));
    if (key === null || !this.known.has(key)) {
      this.equations.push({ op, inputs: variables, attrs, outputs } as Equation);
      if (key !== null) this.known.set(key, outputs);
    }
    return outputs.map((variable) => new Tensor(this, variable));
  }
}

/** Equal keys mean equal values; null if comparing would cost more than computing twice. */
function equationKey(op: OpName, inputs: readonly Var[], attrs: OpAttrs[OpName]): string | null {
  if (op === 'composite') return null;
  if (op === 'constant') {
    const { data, dtype, shape } = (attrs as OpAttrs['constant']).value;
    return data.length > 64
      ? null
      : `constant ${dtype} ${shape} ${Array.from(data, (x) => (Object.is(x, -0) ? '-0' : x))}`;
  }
  return `${op} ${inputs.map((v) => v.id)} ${JSON.stringify(attrs)}`;
}

type Named<T> = Readonly<Record<string, T>>;

/** Traces `build` into a graph with named inputs of the given types and named outputs as returned. */
export function trace<I extends Named<TensorSpec>>(
  name: string,
  inputs: I,
  build: (inputs: { [N in keyof I]: Tensor }) => Named<Tensor>,
): Graph {
  const tracer = new Trace();
  const ports: Port[] = Object.entries(inputs).map(([port, spec]) => ({
    name: port,
    variable: tracer.variable(spec),
  }));
  const tensors = Object.fromEntries(ports.map((port) => [port.name, new Tensor(tracer, port.variable)]));
  const outputs = Object.entries(build(tensors as { [N in keyof I]: Tensor }));
  for (const [port, tensor] of outputs) {
    if (tensor.trace !== tracer)
      throw new GraphError(`trace ${name}: output ${port} belongs to another trace.`);
  }
  return {
    name,
    inputs: ports,
    equations: tracer.equations,
    outputs: outputs.map(([port, tensor]) => ({ name: port, variable: tensor.variable })),
  };
}

/** Replays a graph's equations on other tensors; returns its outputs by name. */
export function inline(
  graph: Graph,
  inputs: readonly Tensor[],
  tracer: Trace = (inputs[0] as Tensor).trace,
): Record<string, Tensor> {
  const tensors = new Map<number, Tensor>();
  graph.inputs.forEach((port, i) => {
    const tensor = inputs[i];
    if (!tensor) throw new GraphError(`inline ${graph.name}: input ${port.name} is missing.`);
    tensors.set(port.variable.id, tensor);
  });
  const lookup = (v: Var): Tensor => {
    const tensor = tensors.get(v.id);
    if (!tensor) throw new GraphError(`inline ${graph.name}: %${v.id} is used before it is defined.`);
    return tensor;
  };
  for (const equation of graph.equations) {
    const results = tracer.emit(equation.op, equation.inputs.map(lookup), equation.attrs);
    equation.outputs.forEach((v, i) => {
      tensors.set(v.id, results[i] as Tensor);
    });
  }
  return Object.fromEntries(graph.outputs.map((port) => [port.name, lookup(port.variable)]));
}

/** A constant of a trace. */
export function constant(tracer: Trace, values: number | NdArray, dtype: DType = 'float32'): Tensor {
  const value = typeof values === 'number' ? ndarray([values], [], dtype) : values;
  return tracer.emit('constant', [], { value })[0] as Tensor;
}

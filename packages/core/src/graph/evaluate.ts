// Runs equations on host arrays with the reference kernels.

import {
  allocate,
  type DType,
  decodeHalf,
  encodeHalf,
  isHalf,
  type NdArray,
  type Shape,
  sizeOf,
  type TypedArray,
} from '../dtype.js';
import { GraphError, ShapeError } from '../errors.js';
import { formatType } from './infer.js';
import { BATCH, type Equation, type Graph, isOp } from './ir.js';
import { type Dense, type Kernel, kernels } from './kernels.js';

/** Precision of arithmetic on the dtype 'float32'. */
export type Precision = 'float32' | 'float64';

const decode = (x: NdArray): Dense =>
  isHalf(x.dtype) ? { data: decodeHalf(x.data, x.dtype), shape: x.shape } : x;

function scratch(dtype: DType, size: number, precision: Precision): TypedArray {
  if (dtype === 'float32' && precision === 'float64') return new Float64Array(size);
  return isHalf(dtype) ? new Float32Array(size) : allocate(dtype, size);
}

const bind = (shape: Shape, rows: number): Shape =>
  shape.includes(BATCH) ? shape.map((d) => (d === BATCH ? rows : d)) : shape;

/** Outputs of one equation, with `rows` rows in the batch axis. */
export function evaluateEquation(
  equation: Equation,
  inputs: readonly NdArray[],
  rows = 0,
  precision: Precision = 'float32',
): NdArray[] {
  if (isOp(equation, 'composite')) return evaluateGraph(equation.attrs.body, inputs, precision);
  const outputs = equation.outputs.map((v) => {
    const shape = bind(v.shape, rows);
    return { data: scratch(v.dtype, sizeOf(shape), precision), shape };
  });
  const kernel = kernels[equation.op as keyof typeof kernels] as Kernel<never>;
  kernel(inputs.map(decode) as never, outputs as never, equation.attrs as never);
  return outputs.map(({ data, shape }, i) => {
    const { dtype } = equation.outputs[i] as (typeof equation.outputs)[0];
    return { data: isHalf(dtype) ? encodeHalf(data, dtype) : data, shape, dtype };
  });
}

/** The number of rows that the inputs give the batch axis. Errors: ShapeError if an input does not fit its port. */
export function bindRows(
  graph: Graph,
  inputs: readonly { readonly shape: Shape; readonly dtype: DType }[],
): number {
  let rows: number | undefined;
  if (inputs.length !== graph.inputs.length) {
    throw new GraphError(`${graph.name} wants ${graph.inputs.length} inputs, got ${inputs.length}.`);
  }
  graph.inputs.forEach(({ name, variable }, i) => {
    const given = inputs[i] as (typeof inputs)[0];
    const fits =
      given.dtype === variable.dtype &&
      given.shape.length === variable.shape.length &&
      variable.shape.every((dim, axis) => {
        if (dim !== BATCH) return dim === given.shape[axis];
        rows ??= given.shape[axis] as number;
        return rows === given.shape[axis];
      });
    if (!fits) {
      throw new ShapeError(
        `${graph.name}: input ${name} wants ${formatType(variable)}, got ${formatType(given)}.`,
        {
          input: name,
          expected: variable.shape,
          shape: given.shape,
          rows,
        },
      );
    }
  });
  return rows ?? 0;
}

/** Outputs of a graph, in order. */
export function evaluateGraph(
  graph: Graph,
  inputs: readonly NdArray[],
  precision: Precision = 'float32',
): NdArray[] {
  const rows = bindRows(graph, inputs);
  const values = new Map<number, NdArray>(
    graph.inputs.map((port, i) => [port.variable.id, inputs[i] as NdArray]),
  );
  const lastUse = new Map<number, number>();
  graph.equations.forEach((equation, at) => {
    for (const v of equation.inputs) lastUse.set(v.id, at);
  });
  for (const port of graph.outputs) lastUse.set(port.variable.id, Number.POSITIVE_INFINITY);
  graph.equations.forEach((equation, at) => {
    const results = evaluateEquation(
      equation,
      equation.inputs.map((v) => values.get(v.id) as NdArray),
      rows,
      precision,
    );
    equation.outputs.forEach((v, i) => {
      values.set(v.id, results[i] as NdArray);
    });
    for (const v of equation.inputs) if (lastUse.get(v.id) === at) values.delete(v.id);
  });
  return graph.outputs.map((port) => values.get(port.variable.id) as NdArray);
}

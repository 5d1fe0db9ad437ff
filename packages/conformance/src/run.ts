// Runs a graph on a backend and compares it with the reference in float64.

import {
  type Backend,
  type DType,
  evaluateGraph,
  type Graph,
  isFkmError,
  isOp,
  type NdArray,
} from '@fkm/core/graph';
import { expect } from 'vitest';
import { type Allowance, expectValue } from './compare.js';

/** The dtypes in a graph, including bodies of composites. */
function dtypesOf(graph: Graph): Set<DType> {
  const found = new Set<DType>();
  for (const port of graph.inputs) found.add(port.variable.dtype);
  for (const equation of graph.equations) {
    for (const v of equation.outputs) found.add(v.dtype);
    if (isOp(equation, 'composite')) for (const dtype of dtypesOf(equation.attrs.body)) found.add(dtype);
  }
  return found;
}

/** Expects a dtype that the backend does not list to be refused with a reason, before and by compile. */
async function expectRefusal(backend: Backend, graph: Graph, missing: ReadonlySet<DType>): Promise<void> {
  for (const equation of graph.equations) {
    if (![...equation.inputs, ...equation.outputs].some((v) => missing.has(v.dtype))) continue;
    const reason = backend.unsupported(equation);
    expect(
      reason?.trim(),
      `unsupported(${equation.op}) should say why ${[...missing]} is missing`,
    ).toBeTruthy();
  }
  const error = await backend.compile(graph).then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(isFkmError(error) && error.kind, `compile should reject with a BackendError, got ${error}`).toBe(
    'backend',
  );
}

/** Expects outputs to equal those of the reference, or the backend to refuse a missing dtype of the graph. */
export async function expectReference(
  backend: Backend,
  graph: Graph,
  inputs: readonly NdArray[],
  allowance: Allowance,
): Promise<void> {
  const missing = dtypesOf(graph);
  for (const dtype of backend.flags.dtypes) missing.delete(dtype);
  if (missing.size > 0) return expectRefusal(backend, graph, missing);
  const executable = await backend.compile(graph);
  const values = inputs.map((array) => backend.upload(array));
  const outputs = await executable.run(values);
  const wanted = evaluateGraph(graph, inputs, 'float64');
  expect(outputs.length, 'number of outputs').toBe(wanted.length);
  for (const [i, port] of graph.outputs.entries()) {
    await expectValue(backend, outputs[i], wanted[i] as NdArray, port, allowance);
  }
  for (const value of new Set([...outputs, ...values])) value.dispose();
  executable.dispose();
}

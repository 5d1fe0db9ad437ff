// The gradient of a case: d(Σ w·y) of its first output, with the weights w as an additional input.

import {
  BATCH,
  type Graph,
  gradients,
  inline,
  mul,
  type NdArray,
  ndarray,
  simplify,
  sizeOf,
  sum,
  type Tensor,
  type TensorSpec,
  trace,
} from '@fkm/core/graph';
import type { OpCase } from './case.js';
import { seeded, uniform } from './random.js';

/** The gradient of a case, for finite differences and backends. */
export interface GradientCase {
  /** (inputs, w) → Σ w·y */
  readonly loss: Graph;
  /** (inputs, w) → the derivative by each of `wrt`. */
  readonly gradient: Graph;
  readonly inputs: readonly NdArray[];
}

/** The gradient of a case with differentiable inputs. */
export function gradientCase({ graph, inputs, key, wrt, dtype }: OpCase): GradientCase {
  const [port] = graph.outputs;
  if (!port) throw new Error(`${key} has no output.`);
  const { shape, dtype: type } = port.variable;
  const specs: Record<string, TensorSpec> = {
    ...Object.fromEntries(graph.inputs.map((input) => [input.name, input.variable])),
    w: { shape, dtype: type },
  };
  const lossOf = (x: Record<string, Tensor>): Tensor => {
    const { w, ...rest } = x;
    return sum(mul(inline(graph, Object.values(rest))[port.name] as Tensor, w as Tensor));
  };
  const loss = trace(`${graph.name}.loss`, specs, (x) => ({ loss: lossOf(x) }));
  const gradient = trace(`${graph.name}.gradient`, specs, (x) => {
    const results = gradients(
      lossOf(x),
      wrt.map((input) => x[input] as Tensor),
    );
    return Object.fromEntries(wrt.map((input, i) => [`d.${input}`, results[i] as Tensor]));
  });
  const rows = graph.inputs.flatMap(({ variable }, i) =>
    variable.shape.flatMap((dim, axis) => (dim === BATCH ? [inputs[i]?.shape[axis] as number] : [])),
  )[0];
  const bound = shape.map((dim) => (dim === BATCH ? (rows as number) : dim));
  const weights = ndarray(uniform(0.5, 1.5)(sizeOf(bound), seeded(`${key} ${dtype} weights`)), bound, type);
  return { loss, gradient: simplify(gradient), inputs: [...inputs, weights] };
}

// Compares a derivative with a central difference in a random direction: (f(x + hv) − f(x − hv)) / 2h = ∇f·v, in float64 on the
// reference.

import { evaluateGraph, type Graph, type NdArray } from '@fkm/core/graph';
import { expect } from 'vitest';
import { seeded } from './random.js';

const step = 1e-5;

const float64 = (x: NdArray): NdArray =>
  x.dtype === 'float32' ? { ...x, data: Float64Array.from(x.data) } : x;

/** The first output at x + h·direction; `moves` has a direction for each input that moves. */
function lossAt(
  loss: Graph,
  inputs: readonly NdArray[],
  moves: ReadonlyMap<number, number[]>,
  h: number,
): number {
  const moved = inputs.map((x, i) => {
    const direction = moves.get(i);
    if (!direction) return x;
    return { ...x, data: Float64Array.from(x.data, (value, j) => value + h * (direction[j] as number)) };
  });
  return evaluateGraph(loss, moved, 'float64')[0]?.data[0] as number;
}

/** Expects the outputs of `gradient` to be the derivatives of the first output of `loss` by `wrt`. */
export function expectDerivative(
  key: string,
  loss: Graph,
  gradient: Graph,
  arrays: readonly NdArray[],
  wrt: readonly string[],
): void {
  const inputs = arrays.map(float64);
  const random = seeded(`${key} direction`);
  const results = evaluateGraph(gradient, inputs, 'float64');
  const moves = new Map<number, number[]>();
  let slope = 0;
  let size = 0;
  wrt.forEach((name, i) => {
    const at = loss.inputs.findIndex((port) => port.name === name);
    const direction = Array.from(inputs[at]?.data ?? [], () => 2 * random() - 1);
    moves.set(at, direction);
    direction.forEach((v, j) => {
      const term = v * (results[i]?.data[j] as number);
      slope += term;
      size += Math.abs(term);
    });
  });
  const difference = (lossAt(loss, inputs, moves, step) - lossAt(loss, inputs, moves, -step)) / (2 * step);
  expect(Number.isFinite(slope)).toBe(true);
  expect(
    Math.abs(difference - slope),
    `${difference} by differences, ${slope} by the derivative`,
  ).toBeLessThan(1e-6 * (1 + size));
}

import {
  add,
  BATCH,
  broadcast,
  concat,
  constantLike,
  type Equation,
  evaluateGraph,
  expandDims,
  type Graph,
  gather,
  mul,
  type NdArray,
  ndarray,
  nearest,
  softmax,
  sub,
  sum,
  sumsByIndex,
  type Tensor,
  trace,
  verify,
} from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { partition, type Step } from './partition.js';

const isSearch = ({ attrs }: Equation<'composite'>): boolean =>
  attrs.name.startsWith('nearest') || attrs.name === 'sumsByIndex';

const specs = {
  x: { shape: [BATCH, 2], dtype: 'float32' },
  w: { shape: [BATCH], dtype: 'float32' },
  prototypes: { shape: [3, 2], dtype: 'float32' },
} as const;
const inputs = [
  ndarray([0, 0, 1, 0, 0, 1, 2, 2, -1, 3], [5, 2]),
  ndarray([1, 2, 3, 4, 5], [5]),
  ndarray([0.1, 0.2, 1, 1, 2, 3], [3, 2]),
];

type Inputs = Record<keyof typeof specs, Tensor>;

/** Two searches one after the other with plain equations and constants before, between and after them; one that waits for neither. */
const chained = trace('chained', specs, ({ x, w, prototypes }: Inputs) => {
  const one = constantLike(x, 1);
  const first = nearest({ distance: 'euclidean', x: add(x, one), prototypes });
  const means = sumsByIndex({ index: first.index, weight: w, values: x }, 3);
  const moved = add(prototypes, mul(means, broadcast(one, [3, 2])));
  const second = nearest({ distance: 'l1', x, prototypes: moved });
  const beside = nearest({ distance: 'cosine', x, prototypes });
  return {
    delta: second.delta,
    way: sum(sub(gather(moved, second.index), gather(prototypes, beside.index)), 1),
    shares: softmax(concat([expandDims(first.delta, 1), x], 1)),
    index: first.index,
  };
});

/** What the steps give, by the reference. */
function stepped(graph: Graph, steps: readonly Step[]): NdArray[] {
  const values = new Map(graph.inputs.map((port, i) => [port.variable.id, inputs[i] as NdArray]));
  const set = (variables: readonly { id: number }[], results: NdArray[]): void =>
    variables.forEach((v, i) => {
      expect(values.has(v.id), `value ${v.id} is made once`).toBe(false);
      values.set(v.id, results[i] as NdArray);
    });
  const of = (variables: readonly { id: number }[]): NdArray[] =>
    variables.map((v) => values.get(v.id) as NdArray);
  for (const { graph: part, kernels } of steps) {
    const variables = (ports: Graph['inputs']) => ports.map((port) => port.variable);
    verify(part);
    set(variables(part.outputs), evaluateGraph(part, of(variables(part.inputs))));
    // All of a step read before any writes: none needs another.
    const results = kernels.map((one) => evaluateGraph(one.attrs.body, of(one.inputs)));
    kernels.forEach((one, i) => {
      set(one.outputs, results[i] as NdArray[]);
    });
  }
  return of(graph.outputs.map((port) => port.variable));
}

describe('partition', () => {
  it('gives steps that compute what the graph does', () => {
    const steps = partition(chained, isSearch) as Step[];
    expect(steps.map(({ kernels }) => kernels.map((one) => one.attrs.name))).toEqual([
      ['nearest.euclidean', 'nearest.cosine'],
      ['sumsByIndex'],
      ['nearest.l1'],
      [],
    ]);
    expect(stepped(chained, steps)).toEqual(evaluateGraph(chained, inputs));
  });

  it('hands no constant from step to step, and needs no graph where nothing comes before a kernel', () => {
    const only = trace('only', specs, ({ x, prototypes }: Inputs) => ({
      ...nearest({ distance: 'euclidean', x, prototypes }),
    }));
    const [step] = partition(only, isSearch) as [Step];
    expect([step.graph.equations, step.graph.outputs]).toEqual([[], []]);
    const steps = partition(chained, isSearch) as Step[];
    const constants = new Set(
      chained.equations
        .filter((one) => one.inputs.length === 0)
        .flatMap((one) => one.outputs.map((v) => v.id)),
    );
    expect(constants.size).toBeGreaterThan(0);
    for (const { graph } of steps) {
      for (const { variable } of [...graph.inputs, ...graph.outputs])
        expect(constants.has(variable.id)).toBe(false);
    }
  });

  it('cuts nothing where no kernel is, or where a result is an input or another result', () => {
    expect(partition(chained, () => false)).toBeNull();
    const same = trace('same', specs, ({ x, prototypes }: Inputs) => ({
      x,
      ...nearest({ distance: 'euclidean', x, prototypes }),
    }));
    expect(partition(same, isSearch)).toBeNull();
  });
});

// What is said of a softmax whose prototypes were not all looked at, beside the whole of it.

import { expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { backend } from '../estimators/testing.js';
import { exactIndex } from './exact-index.js';
import { SoftmaxTail } from './softmax-tail.js';

const count = 3000;
const grid = {
  prototypes: ndarray(
    Float32Array.from({ length: count }, (_, k) => k),
    [count, 1],
  ),
  featureWeights: undefined,
};
const bias = ndarray(new Float32Array(count), [count]);

/** The nearest `known` on a line, and the weight of all others as it is. */
function around(x: number, known: number, bandwidth: number) {
  const order = Array.from({ length: count }, (_, k) => k).sort((a, b) => (a - x) ** 2 - (b - x) ** 2);
  const weights = order.map((k) => Math.exp(-bandwidth * (k - x) ** 2));
  const sum = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0);
  return {
    candidates: order.slice(0, known),
    distances: order.slice(0, known).map((k) => (k - x) ** 2),
    others: sum(weights.slice(known)) / sum(weights),
    weights: weights.slice(0, known).map((w) => w / sum(weights)),
  };
}

it.each([
  ['wide', 0.0001],
  // None of the sample lies among the next ones.
  ['narrow', 0.3],
])('others are not thought little of where bandwidths are %s', (_, bandwidth) => {
  const left = new SoftmaxTail(
    'euclidean',
    grid,
    ndarray(new Float32Array(count).fill(Math.log(bandwidth)), [count]),
    bias,
  );
  for (let x = 1000.3; x < 1012; x++) {
    const { candidates, distances, others, weights } = around(x, 8, bandwidth);
    const split = left.split(0, Float32Array.of(x), candidates, distances, -1);
    expect(split.others).toBeGreaterThan(0.4 * others);
    expect(split.weights.reduce((a, b) => a + b, split.others)).toBeCloseTo(1, 6);
    expect((split.weights[3] as number) / (split.weights[0] as number)).toBeCloseTo(
      (weights[3] as number) / (weights[0] as number),
      5,
    );
    // Those beyond the largest two have no part in the answer.
    const two = left.split(0, Float32Array.of(x), candidates, distances, 2);
    expect(two.weights.filter((w) => w > 0)).toHaveLength(2);
  }
});

it('a class of many that are a little farther off wins over the nearest', async () => {
  const near = Array.from({ length: 64 }, (_, k) => [0.01 * k, 0]);
  const far = Array.from({ length: 900 }, (_, k) => [0.001 * k, 1]);
  const initMode = {
    prototypes: [...near, ...far],
    owners: [...near.map(() => 'near'), ...far.map(() => 'far')],
  };
  const model = new FastKMeansClassifier({
    backend,
    initMode,
    prototypeTargets: 'owners',
    index: exactIndex().index,
    useIndex: true,
  });
  expect((await model.predict([[0.3, 0.1]])).data).toEqual(['far']);
});

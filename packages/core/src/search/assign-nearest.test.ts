// Phase 1 by an index, beside phase 1 by all prototypes: the same choices, the same sums.

import { describe, expect, it } from 'vitest';
import type { NdArray } from '../dtype.js';
import { estimators, type Model } from '../estimators/testing.js';
import { distanceNames } from '../formulas/distances.js';
import { Random } from '../random.js';
import { exactIndex } from './exact-index.js';

const columns = 3;
const random = new Random(12);
const uniform = (rows: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => 2 * random.uniform() - 1));
const prototypes = uniform(90);
const X = uniform(200);
const sampleWeight = X.map((_, i) => i % 3);
const y = X.map(([a, b]) => [5 + (a as number), (b as number) ** 2]);

function expectClose(a: NdArray | undefined, b: NdArray | undefined): void {
  expect(a?.shape).toEqual(b?.shape);
  // δ of float32 in the graph, of float64 here: 1 − cos has lost digits by then, which the logarithm of a bandwidth shows.
  a?.data.forEach((value, i) => {
    expect(Math.abs(value - (b?.data[i] as number))).toBeLessThan(2e-5);
  });
}

async function expectSameGrid(
  indexed: Model,
  whole: Model,
  run: (model: Model) => Promise<unknown>,
): Promise<void> {
  for (const model of [indexed, whole]) await run(model);
  for (const name of ['prototypes', 'targets', 'ages', 'logBandwidth', 'featureWeights', 'slopes'] as const)
    expectClose(indexed.grid[name], whole.grid[name]);
}

const pair = (task: 'clusterer' | 'regressor', options: object) => {
  const watched = exactIndex();
  const initMode = {
    prototypes,
    ...(task === 'regressor' ? { targets: uniform(90).map((t) => t.slice(0, 2)) } : {}),
  };
  const all = { initMode, ...options };
  return {
    ...watched,
    indexed: estimators[task].make({ ...all, index: watched.index, useIndex: true }),
    whole: estimators[task].make(all),
  };
};

describe.each(distanceNames)('an EMA step by the index, %s', (distance) => {
  it('moves clusters as all prototypes do', async () => {
    for (const options of [
      {},
      { featureWeights: [1, 0.2, 0] },
      { autoFeatureWeights: true, halfLife: 100 },
    ]) {
      const { indexed, whole, calls } = pair('clusterer', { distance, ...options });
      await expectSameGrid(indexed, whole, async (model) => {
        for (let step = 0; step < 3; step++) await model.fitBatch(X, undefined, { sampleWeight });
      });
      expect(calls.filter((call) => call === 'search 200')).toHaveLength(3);
    }
  });

  it.each(['mean', 'scaled', 'softmax_scaled', 'hard'] as const)(
    'moves prototypes that say numbers, %s',
    async (targetAssignment) => {
      for (const options of [
        { softType: 'softmax_scaled', temperature: 0.5, topK: 3 },
        { heads: 3 },
        ...(distance === 'cosine' ? [] : [{ prototypeModel: 'linear' }]),
      ]) {
        const { indexed, whole, calls } = pair('regressor', { distance, targetAssignment, ...options });
        await expectSameGrid(indexed, whole, async (model) => {
          for (let step = 0; step < 2; step++) await model.fitBatch(X, y, { sampleWeight });
        });
        expect(calls.filter((call) => call === 'search 200').length).toBeGreaterThanOrEqual(2);
      }
    },
  );
});

describe('phase 1 looks at all prototypes', () => {
  it('of masked and sparse rows, of exact passes, and of a joint start', async () => {
    const csr = {
      indptr: X.map((_, i) => i * columns).concat(X.length * columns),
      indices: X.flatMap(() => [0, 1, 2]),
      values: X.flat(),
      shape: [X.length, columns],
    };
    const runs: ((model: Model) => Promise<unknown>)[] = [
      (model) => model.fitBatch(csr, undefined),
      (model) => model.fitBatch(X, undefined, { featureMask: X.map((_, i) => [1, i % 2, 1]) }),
      (model) => model.fit(X, undefined, { algorithm: 'lloyd', maxIters: 3 }),
    ];
    for (const run of runs) {
      const { indexed, whole, calls } = pair('clusterer', { distance: 'l1' });
      await expectSameGrid(indexed, whole, run);
      expect(calls).toEqual([]);
    }
    const { index, calls } = exactIndex();
    const joint = estimators.regressor.make({
      nPrototypes: 40,
      heads: 1,
      metric: 'none',
      index,
      useIndex: true,
    });
    await joint.fit(X, y, { maxIters: 2 });
    expect(calls).toEqual([]);
  });

  it("below the crossover with 'auto', however few rows there are", async () => {
    for (const [size, searches] of [
      [39_999, 0],
      [40_000, 1],
    ] as const) {
      const { index, calls } = exactIndex();
      const model = estimators.clusterer.make({ initMode: { prototypes: uniform(size) }, index });
      await model.fitBatch(X.slice(0, 3), undefined);
      expect(calls.filter((call) => call === 'search 3').length).toBe(searches);
    }
  });
});

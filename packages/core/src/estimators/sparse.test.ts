// CSR rows teach and ask every estimator what the same rows do when they are dense, without ever being them.

import { describe, expect, it } from 'vitest';
import type { Csr } from '../data/matrix.js';
import type { Grid } from '../estimators/grid.js';
import { similarity } from '../formulas/arrays.js';
import { distanceNames } from '../formulas/distances.js';
import { Random } from '../random.js';
import type { AnyOptions, MultiLabelOptions } from '../state/options.js';
import type { RowOptions } from './calls.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import type { PrototypeModel } from './model.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, expectError } from './testing.js';

const [count, columns, classes] = [150, 14, 3];

/** Rows of few values, more of them in the columns of their class. */
function data(seed = 1): { dense: number[][]; sparse: Csr; group: number[] } {
  const random = new Random(seed);
  const group = Array.from({ length: count }, () => random.below(classes));
  const dense = group.map((own) =>
    Array.from({ length: columns }, (_, j) =>
      random.uniform() < (j % classes === own ? 0.6 : 0.1) ? random.uniform() + 0.5 : 0,
    ),
  );
  const indptr = [0];
  const [indices, values]: [number[], number[]] = [[], []];
  for (const row of dense) {
    row.forEach((value, j) => {
      if (value === 0) return;
      indices.push(j);
      values.push(value);
    });
    indptr.push(indices.length);
  }
  return { dense, sparse: { indptr, indices, values, shape: [count, columns] }, group };
}

const { dense, sparse, group } = data();
const numbers = dense.map((row) => row.reduce((sum, value, j) => sum + value * Math.sin(j), 0));
const labels = dense.map((row, i) => [
  group[i] === 0 ? 1 : 0,
  (row[3] as number) > 0 ? 1 : 0,
  (row[7] as number) > 1 ? 1 : 0,
]);
const sampleWeight = dense.map((_, i) => (i % 5 === 0 ? 0 : 1 + (i % 3)));
const featureMask = Array.from({ length: columns }, (_, j) => (j % 4 === 1 ? 0 : 1));

type AnyModel = PrototypeModel<unknown> & {
  predict(X: unknown, options?: object): Promise<{ data: ArrayLike<number> }>;
  score(X: unknown, y: unknown): Promise<number>;
};
const build = (Model: unknown, options: object): AnyModel =>
  new (Model as new (options: AnyOptions) => AnyModel)({ backend, batchSize: 64, ...options });

/** [estimator, its y, options of the sparse and of the dense one] */
const cases: readonly (readonly [string, unknown, unknown, object])[] = [
  ['clusterer', FastKMeansClusterer, undefined, { kInit: 5 }],
  ['clusterer, kInit auto', FastKMeansClusterer, undefined, { kInit: 'auto' }],
  ['clusterer, cosine', FastKMeansClusterer, undefined, { kInit: 5, distance: 'cosine' }],
  ['clusterer, l1', FastKMeansClusterer, undefined, { kInit: 5, distance: 'l1', initMode: 'random' }],
  ['classifier', FastKMeansClassifier, group, { nPrototypes: 24 }],
  [
    'classifier, k-means++',
    FastKMeansClassifier,
    group,
    { initMode: 'kmeans++', kInit: 2, repulsionFactor: 0.1 },
  ],
  ['multi-label', FastMultiLabelKMeansClassifier, labels, { nPrototypes: 24 }],
  ['multi-label, scaled', FastMultiLabelKMeansClassifier, labels, { softType: 'scaled', kInit: 2 }],
  ['regressor', FastKMeansRegressor, numbers, { nPrototypes: 24 }],
  ['regressor, strata', FastKMeansRegressor, numbers, { softType: 'scaled', kTargets: 3, kFeatures: 'auto' }],
  ['regressor, feature weights', FastKMeansRegressor, numbers, { nPrototypes: 16, autoFeatureWeights: true }],
];

/** Trained by both phases, on rows and evaluation rows of one kind. */
async function trained(Model: unknown, X: unknown, y: unknown, options: object, rows: RowOptions) {
  const model = build(Model, options);
  const training = { maxIters: 3, ...rows };
  if (y === undefined) await (model as unknown as FastKMeansClusterer).fit(X as Csr, training);
  else await model.fit(X as Csr, y, training);
  const grid = model.grid;
  // Adam divides gradients by their size: where they are all but 0, their last bits decide the way, lr the distance.
  const gradients = { epochs: 2, lr: 1e-3, ...rows };
  if (y === undefined) await (model as unknown as FastKMeansClusterer).finetune(X as Csr, gradients);
  else await model.finetune(X as Csr, y, gradients);
  return { model, grid };
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const gap = Math.abs((got[i] as number) - (want[i] as number));
    expect(gap / (1 + Math.abs(want[i] as number))).toBeLessThan(tolerance);
  }
}

function expectSameGrid(got: Grid, want: Grid, tolerance: number): void {
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const name of ['prototypes', 'targets', 'ages', 'featureWeights'] as const) {
    const [a, b] = [got[name], want[name]];
    if (a && b) expectClose(a.data, b.data, tolerance);
  }
}

const plain = (y: unknown): object => ({ scaling: 'none', ...(y === undefined ? {} : { metric: 'none' }) });

describe.each([
  ['rows', {}],
  ['weighted rows', { sampleWeight }],
  ['masked rows', { featureMask }],
] as const)('%s', (_kind, rows) => {
  it.each(cases)('%s learns and answers the same from CSR', async (_, Model, y, options) => {
    const both = { ...plain(y), ...options };
    const a = await trained(Model, sparse, y, both, rows);
    const b = await trained(Model, dense, y, both, rows);
    expectSameGrid(a.grid, b.grid, 1e-4);
    expectSameGrid(a.model.grid, b.model.grid, 2e-3);
    const mask = 'featureMask' in rows ? rows : {};
    const want = await a.model.predict(dense, mask);
    expectClose((await a.model.predict(sparse, mask)).data, want.data, 1e-6);
    expectClose(
      (await a.model.transform(sparse, mask)).data,
      (await a.model.transform(dense, mask)).data,
      1e-6,
    );
  });
});

describe('CSR', () => {
  const classifier = (options: object = {}): FastKMeansClassifier =>
    new FastKMeansClassifier({ backend, nPrototypes: 24, ...options });

  it('is scored, evaluates, and takes batches and gradients', async () => {
    const model = classifier();
    await model.fitBatch(sparse, group);
    await model.fitBatch(sparse, group, { gradientStep: true });
    const { loss } = await model.lossAndGradients(sparse, group);
    expect(loss).toBeCloseTo((await model.lossAndGradients(dense, group)).loss, 5);
    await model.finetune(sparse, group, { epochs: 2, evalSet: { X: dense, y: group } });
    await model.finetune(dense, group, { epochs: 2, evalSet: { X: sparse, y: group } });
    expect(await model.score(sparse, group)).toBe(await model.score(dense, group));
    expect(await model.score(sparse, group)).toBeGreaterThan(0.8);
    expect((await model.findLearningRate(sparse, group)).curve.length).toBeGreaterThan(9);
  });

  it('is scaled by one factor, which goes with the model', async () => {
    const times = (factor: number): Csr => ({
      ...sparse,
      values: Float32Array.from(sparse.values as number[], (value) => factor * value),
    });
    const answers = async (options: object, X: Csr): Promise<ArrayLike<number>> => {
      const model = classifier(options);
      await model.fit(X, group, { maxIters: 2 });
      const again = await FastKMeansClassifier.load(await model.save(), { backend });
      expect((await again.predictProba(X)).data).toEqual((await model.predictProba(X)).data);
      return (await model.predictProba(X)).data;
    };
    const want = await answers({}, sparse);
    expectClose(await answers({}, times(1000)), want, 1e-4);
    const squares = (sparse.values as number[]).reduce((sum, value) => sum + value ** 2, 0);
    const unit = Math.sqrt(sparse.indices.length / squares);
    expectClose(await answers({ scaling: 'none' }, times(unit)), want, 1e-4);
  });

  it('asks a model of scaled dense rows, which it cannot teach', async () => {
    const model = classifier();
    await model.fit(dense, group, { maxIters: 2 });
    const want = (await model.predictProba(dense)).data;
    expectClose((await model.predictProba(sparse)).data, want, 1e-6);
    await expectError(() => model.fitBatch(sparse, group), {
      kind: 'option',
      says: ['X is sparse', "'dual'", 'fill'],
    });
  });

  it('refuses what would fill it, and leaves a fresh model as it was', async () => {
    for (const options of [{ scaling: 'standard' }, { metric: 'slopes' }]) {
      const [[name, value]] = Object.entries(options) as [[string, string]];
      const model = classifier(options);
      await expectError(() => model.fit(sparse, group), {
        kind: 'option',
        says: [`fit: ${name} '${value}'`, 'X is sparse'],
      });
      expect(() => model.grid).toThrow('has not been fitted');
    }
  });

  it.each([
    ['joint', { nPrototypes: 24 }],
    ['owners', { softType: 'scaled', kInit: 2 }],
    ['sampled', { negativeSampling: 1, kInit: 2 }],
  ])('says which labels hold: %s', async (_, options) => {
    const lists = labels.map((row) => row.flatMap((flag, c) => (flag ? [c] : [])));
    const indptr = [0];
    for (const list of lists) indptr.push((indptr.at(-1) as number) + list.length);
    const flags: Csr = { indptr, indices: lists.flat(), shape: [count, 3] };
    const build = (): FastMultiLabelKMeansClassifier =>
      new FastMultiLabelKMeansClassifier({ backend, ...options } as MultiLabelOptions);
    const [a, b] = [build(), build()];
    for (const [model, y] of [
      [a, flags],
      [b, labels],
    ] as const) {
      await model.fit(sparse, y, { maxIters: 2 });
      await model.finetune(sparse, y, { epochs: 1 });
    }
    expect(await a.save()).toEqual(await b.save());
    expect(await a.score(dense, flags)).toBe(await b.score(dense, labels));
    const wrong = { ...flags, values: Array.from(flags.indices, () => 2) };
    await expectError(() => a.fitBatch(sparse, wrong), {
      kind: 'data',
      says: ['y is 2 in row', 'labels are 0 or 1'],
    });
  });

  it('names the place of what it cannot read', async () => {
    const values = Array.from(sparse.values as number[]);
    values[0] = Number.NaN;
    const bad: Csr = { ...sparse, values };
    const column = sparse.indices[0] as number;
    await expectError(() => classifier().fit(bad, group), {
      kind: 'data',
      says: [`fit: X has NaN in row 0, column ${column}`],
    });
    const masked = featureMask.map((_, j) => (j === column ? 0 : 1));
    await classifier().fit(bad, group, { featureMask: masked, maxIters: 1 });
    await expectError(() => classifier().fit({ ...sparse, shape: [count, 3] }, group), {
      kind: 'data',
      says: ['X has 3 columns'],
    });
  });

  it.each(distanceNames)('has the similarities of dense rows, %s', (distance) => {
    const prototypes = dense.slice(0, 4);
    for (const options of [{ distance }, { distance, featureMask }, { distance, featureMask: dense }]) {
      const want = similarity(dense, prototypes, options);
      expect(similarity(sparse, prototypes, options)).toEqual(want);
    }
  });

  it('goes through in blocks where its rows are wide', async () => {
    const [rows, wide] = [33, 2 ** 18];
    const prototypes = new Float32Array(2 * wide);
    prototypes[1000] = 1;
    prototypes[wide + 2000] = 1;
    const matrix: Csr = {
      indptr: Uint32Array.from({ length: rows + 1 }, (_, i) => i),
      indices: Int32Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 1000 : 2000)),
      values: new Float32Array(rows).fill(3),
      shape: [rows, wide],
    };
    const model = new FastKMeansClusterer({
      backend,
      initMode: { prototypes: { data: prototypes, shape: [2, wide] } },
    });
    await model.fitBatch(matrix);
    const { data } = model.grid.prototypes;
    expect([data[1000], data[2000], data[wide + 1000], data[wide + 2000]]).toEqual([
      expect.closeTo((1 + 3 * 11) / 12, 5),
      0,
      0,
      expect.closeTo((1 + 3 * 22) / 23, 5),
    ]);
  });
});

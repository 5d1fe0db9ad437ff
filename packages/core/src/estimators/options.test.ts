// What the constructor takes: every option checked by name, type, range and against the others.

import { describe, expect, it } from 'vitest';
import { ownOptions } from '../checkpoint/checkpoint.js';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';
import { resolveOptions } from './options.js';
import { originalDefaults } from './original.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, estimators, expectError, rows, tasks } from './testing.js';

const resolve = (options: object, task: Task = 'regressor') =>
  resolveOptions({ backend, ...options }, estimators[task].family);
const optionNames = (task: Task): readonly string[] => estimators[task].family.options();
const grid = {
  prototypes: [
    [0, 0],
    [1, 1],
  ],
};

/** [option, values that it refuses] */
const wrong: Readonly<Record<string, readonly unknown[]>> = {
  backend: [null, 'js', 1, {}, { compile: 1 }],
  distance: ['l2', 1, null],
  initMode: ['kmeans', 1, null, {}, { points: [[1]] }],
  softType: ['soft', true, null],
  temperature: [0, -1, Number.NaN, Infinity, '1'],
  topK: [0, -2, 1.5, '5', null],
  heads: [0, 1.5, -1, '8'],
  nPrototypes: [0, 2.5, 'auto'],
  kTargets: [0, 1.5, 'many'],
  kFeatures: [0, -3, 'Auto'],
  targetDistance: ['l3'],
  targetAssignment: ['median'],
  prototypeModel: ['quadratic'],
  scaling: ['robust', true, null],
  metric: ['slope', false],
  featureWeights: [[1, 2], [-0.1], ['1'], 1, [Number.NaN], [0, 0], []],
  autoFeatureWeights: [1, 'yes', null],
  l2Reg: [-1, Infinity, Number.NaN, '0'],
  diversityReg: [-1, Infinity, Number.NaN],
  prototypeDropout: [1, -0.1, Number.NaN],
  minWeight: [-1, Infinity],
  pruneEvery: [-1, 0.5],
  halfLife: [0, -1, Number.NaN, '10'],
  batchSize: [0, 1.5, Infinity],
  learningRate: [0, -1, Infinity, Number.NaN],
  randomState: [-1, 0.5, 2 ** 53, '42'],
  useCompile: [false, 1],
  // Without an index there is nothing to use.
  useIndex: [true, 'yes', 1, null],
  index: ['hnsw', true, {}, null],
  dtype: ['float64', 16, null],
  arithmetic: ['exact', true, null],
  columns: [
    'category',
    ['a'],
    { a: 'text' },
    { a: { order: [] } },
    { a: { order: ['x', 'x'] } },
    { a: { decimal: ';' } },
    null,
  ],
  missing: ['ignore', true, null],
  kInit: [0, -1, 1.5, 'Auto', null],
  repulsionFactor: [-0.1, Infinity, Number.NaN, '0'],
  negativeSampling: [0, -1, 2.5, 'all'],
  prototypeTargets: ['logits', true, null],
  aslGammaNeg: [-1, Infinity, Number.NaN],
  aslGammaPos: [-1, Infinity, '1'],
  aslClip: [-0.1, 1.1, Number.NaN],
  aslVariant: ['ridnik', null],
  thresholdMetric: ['f1', null],
  algorithm: ['elkan', null],
  labelSmoothing: [1, -0.1, Number.NaN, '0'],
  quantiles: [[], [0], [1], [0.5, 0.1], [0.5, 0.5], [Number.NaN], ['0.5'], [-0.1], [0.5, 1], 0.5, null],
};

describe('checkOptions', () => {
  const own = tasks.flatMap((task) => optionNames(task).map((option) => [task, option] as const));

  it.each(own)('of a %s refuses wrong values of %s', async (task, option) => {
    for (const value of wrong[option] ?? []) {
      await expectError(() => resolve({ [option]: value }, task), {
        kind: 'option',
        says: [`${estimators[task].family.estimator}:`, option],
      });
    }
  });

  it('covers every option', () => {
    const all = new Set(tasks.flatMap((task) => optionNames(task)));
    expect([...all].sort()).toEqual(Object.keys(wrong).sort());
  });

  it.each(tasks)('of a %s refuses the options of others', async (task) => {
    const foreign = Object.keys(wrong).filter((name) => !optionNames(task).includes(name));
    expect(foreign.length).toBeGreaterThan(0);
    for (const name of foreign) {
      const value = ({ ...originalDefaults } as Readonly<Record<string, unknown>>)[name] ?? 1;
      await expectError(() => estimators[task].make({ [name]: value }), {
        kind: 'option',
        says: [`there is no option ${name}`, optionNames(task).join(', ')],
      });
    }
  });

  it.each(['kTarget', 'softtype', 'constructor', 'toString', '__proto__x'])(
    'refuses the name %s',
    async (name) => {
      await expectError(() => resolve({ [name]: 1 }), {
        kind: 'option',
        says: [`there is no option ${name}`, 'softType'],
      });
    },
  );

  it('refuses options that are none', async () => {
    for (const options of [undefined, null, 5, 'x']) {
      await expectError(() => new FastKMeansRegressor(options as never), {
        kind: 'option',
        says: ['FastKMeansRegressor:'],
      });
    }
    await expectError(() => new FastKMeansRegressor({} as never), {
      kind: 'option',
      says: ['backend is missing', 'jsBackend()'],
    });
  });
});

describe('resolveOptions', () => {
  it.each([
    ['heads', { softType: 'scaled', heads: 2 }],
    ['heads', { initMode: 'kmeans++', heads: 2 }],
    ['initMode', { softType: 'scaled', initMode: 'joint' }],
    ['prototypeDropout', { softType: 'scaled', prototypeDropout: 0.1 }],
    ['minWeight', { minWeight: 1 }],
    ['minWeight', { minWeight: 1, heads: 2 }],
    ['metric', { initMode: 'random', metric: 'slopes' }],
    ['kTargets', { kTargets: 'auto' }],
    ['targetDistance', { targetDistance: 'cosine' }],
    ['featureWeights', { scaling: 'none', featureWeights: [1, 0.5], autoFeatureWeights: true }],
    ['kFeatures', { kFeatures: 'auto' }],
    ['featureWeights', { featureWeights: [1, 0.5], scaling: 'dual' }],
    ['featureWeights', { featureWeights: [1, 0.5], scaling: 'quantile' }],
    ['scaling', { initMode: grid, scaling: 'standard' }],
    ['nPrototypes', { softType: 'scaled', nPrototypes: 5 }],
    ['nPrototypes', { initMode: grid, nPrototypes: 2 }],
    ['nPrototypes', { nPrototypes: 5, kTargets: 2, kFeatures: 2 }],
  ])('refuses an impossible %s: %o', async (option, options) => {
    await expectError(() => resolve(options), {
      kind: 'option',
      says: ['FastKMeansRegressor:', option],
    });
  });

  it.each<[Task, string, object]>([
    ['classifier', 'kInit', { kInit: 'auto' }],
    ['classifier', 'nPrototypes', { kInit: 3, nPrototypes: 9 }],
    ['classifier', 'nPrototypes', { initMode: 'kmeans++', nPrototypes: 9 }],
    ['classifier', 'prototypeTargets', { softType: 'scaled', prototypeTargets: 'vectors' }],
    ['classifier', 'minWeight', { minWeight: 1 }],
    ['classifier', 'metric', { initMode: 'kmeans++', metric: 'auto' }],
    ['multiLabel', 'prototypeDropout', { negativeSampling: 1, prototypeDropout: 0.5 }],
    ['multiLabel', 'heads', { softType: 'hard', heads: 4 }],
    ['multiLabel', 'kInit', { initMode: 'joint', kInit: 'auto' }],
    ['multiLabel', 'initMode', { softType: 'scaled', initMode: 'joint' }],
    ['clusterer', 'initMode', { initMode: 'joint' }],
    ['clusterer', 'kInit', { initMode: grid, kInit: 2 }],
    ['clusterer', 'scaling', { initMode: grid, scaling: 'dual' }],
    ['clusterer', 'featureWeights', { featureWeights: [1], scaling: 'dual' }],
  ])('refuses of a %s an impossible %s: %o', async (task, option, options) => {
    await expectError(() => resolve(options, task), {
      kind: 'option',
      says: [`${estimators[task].family.estimator}:`, option],
    });
  });

  it('resolves to itself, as a checkpoint needs it', () => {
    const all = [
      {},
      { softType: 'hard' },
      { softType: 'scaled', kTargets: 'auto', kFeatures: 3 },
      { kTargets: 4 },
      { nPrototypes: 40, heads: 4 },
      { initMode: grid, softType: 'mean', kTargets: 20 },
      { distance: 'cosine' },
      { initMode: 'random', featureWeights: [1, 0.5], scaling: 'none' },
    ];
    for (const options of all) {
      const once = resolve(options);
      expect(resolve(ownOptions(estimators.regressor.family, once))).toEqual(once);
    }
  });

  it.each([
    ['rows', { prototypes: [] }, 'shape', ['initMode.prototypes has no rows']],
    ['columns', { prototypes: [[], []] }, 'shape', ['initMode.prototypes', 'without any column']],
    ['NaN', { prototypes: [[1], [Number.NaN]] }, 'data', ['initMode.prototypes has NaN in row 1, column 0']],
    ['ragged rows', { prototypes: [[1], [1, 2]] }, 'shape', ['row 1 of initMode.prototypes']],
    [
      'too few targets',
      { ...grid, targets: [1] },
      'shape',
      ['initMode.targets has 1 rows, there are 2 prototypes'],
    ],
    [
      'targets of NaN',
      { ...grid, targets: [[1], [Number.NaN]] },
      'data',
      ['initMode.targets has NaN in row 1'],
    ],
    ['too few ages', { ...grid, ages: [1] }, 'shape', ['initMode.ages has 1 values, there are 2 prototypes']],
    ['a negative age', { ...grid, ages: [1, -1] }, 'data', ['initMode.ages is -1 in row 1']],
    ['an age of NaN', { ...grid, ages: [Number.NaN, 1] }, 'data', ['initMode.ages is NaN in row 0']],
    ['ages that are none', { ...grid, ages: 5 }, 'shape', ['initMode.ages should be']],
    ['an unknown part', { ...grid, target: [1, 2] }, 'option', ['initMode has no target']],
  ] as const)('refuses a grid: %s', async (_what, initMode, kind, says) => {
    await expectError(() => resolve({ initMode }), {
      kind,
      says: ['FastKMeansRegressor:', ...says],
    });
  });

  it('refuses heads that do not divide a grid, and featureWeights of another length', async () => {
    const build = (options: object) => () => new FastKMeansRegressor({ backend, initMode: grid, ...options });
    await expectError(build({ heads: 3 }), { kind: 'option', says: ['heads is 3', '2 prototypes'] });
    await expectError(build({ featureWeights: [1] }), {
      kind: 'option',
      says: ['featureWeights has 1 values', '2 columns'],
    });
    const { X, y } = rows(8);
    const model = new FastKMeansRegressor({ backend, scaling: 'standard', featureWeights: [1, 1] });
    const before = await model.save();
    await expectError(() => model.fitBatch(X, y), {
      kind: 'option',
      says: ['fitBatch:', 'featureWeights has 2 values', '3 columns'],
    });
    expect(await model.save()).toEqual(before);
  });

  it.each(tasks)('of a %s resolves to itself', (task) => {
    const all = [
      {},
      { softType: 'hard' },
      { initMode: 'random', featureWeights: [1, 0.5], scaling: 'none' },
      { ...originalDefaults },
      ...(optionNames(task).includes('repulsionFactor')
        ? [{ initMode: 'kmeans++', kInit: 'auto' }, { kInit: 4 }, { nPrototypes: 40, heads: 4 }]
        : []),
    ];
    for (const options of all) {
      const once = resolve(options, task);
      expect(resolve(ownOptions(estimators[task].family, once), task)).toEqual(once);
    }
  });

  it('copies what it is given', async () => {
    const initMode = {
      prototypes: [new Float32Array([0, 0]), new Float32Array([1, 1])],
      ages: new Float64Array([1, 2]),
    };
    const featureWeights = new Float32Array([1, 0.5]);
    const model = new FastKMeansRegressor({ backend, initMode, featureWeights });
    const before = await model.save();
    initMode.prototypes[0]?.fill(9);
    initMode.ages.fill(9);
    featureWeights.fill(0);
    expect(await model.save()).toEqual(before);
    model.grid.prototypes.data.fill(9);
    expect(await model.save()).toEqual(before);
  });
});

describe('originalDefaults', () => {
  const { X } = rows(60);

  it.each(tasks)('spread into a %s, which takes those that it has', async (task) => {
    const resolved = resolve(originalDefaults, task);
    for (const [name, value] of Object.entries(originalDefaults)) {
      const own = optionNames(task).includes(name);
      if (own) expect(resolved[name as keyof typeof resolved], name).toEqual(value);
    }
    // Of the others nothing is left: a model is what its checkpoint says.
    expect(resolve(ownOptions(estimators[task].family, resolved), task)).toEqual(resolved);
    const y = estimators[task].targets(X);
    const model = estimators[task].make({ ...originalDefaults, randomState: 3 });
    await model.fit(X, y, { maxIters: 2 });
    await model.finetune(X, y, { epochs: 1 });
    const again = await estimators[task].load(await model.save());
    expect(await again.predict(X)).toEqual(await model.predict(X));
    for (const each of [model, again]) await each.fit(X, y, { maxIters: 1 });
    expect(await again.save()).toEqual(await model.save());
  });

  it.each(tasks)('do not open a %s to unknown options, nor to others of a foreign name', async (task) => {
    const foreign = Object.keys(originalDefaults).find((name) => !optionNames(task).includes(name)) as string;
    for (const options of [{ kTarget: 5 }, { softtype: 'hard' }, { [foreign]: 'x' }]) {
      const [name] = Object.keys(options) as [string];
      await expectError(() => estimators[task].make({ ...originalDefaults, ...options }), {
        kind: 'option',
        says: [`there is no option ${name}`],
      });
    }
  });

  it('say nothing of the size of another estimator', async () => {
    const joint = { ...originalDefaults, softType: 'gaussian', initMode: 'joint' };
    const one = estimators.classifier.make(joint);
    await one.fit(X, estimators.classifier.targets(X), { maxIters: 1 });
    // kInit 3 of three classes, whatever kTargets and kFeatures are.
    expect(one.grid.prototypes.shape[0]).toBe(9);
    const other = estimators.regressor.make({ ...joint, kTargets: undefined, kFeatures: undefined });
    await other.fit(X, estimators.regressor.targets(X), { maxIters: 1 });
    expect(other.grid.prototypes.shape[0]).toBe(16);
  });
});

describe("kInit 'auto'", () => {
  it.each(['classifier', 'multiLabel', 'clusterer'] as const)('of a %s follows the rows', async (task) => {
    const random = new Random(2);
    const { X } = rows(90);
    const near = X.map((x) => x.map((v) => 10 + 0.01 * v * random.uniform()));
    const y = estimators[task].targets(X);
    const count = async (at: number[][], limit?: number): Promise<number> => {
      const model = estimators[task].make({ initMode: 'kmeans++', scaling: 'none', kInit: 'auto' });
      await model.fit(at.slice(0, limit), y && (y as unknown[]).slice(0, limit), { maxIters: 1 });
      return model.grid.prototypes.shape[0] as number;
    };
    const [few, many, fewer] = [await count(near), await count(X), await count(X, 30)];
    expect(few).toBeLessThan(many);
    expect(fewer).toBeLessThan(many);
    expect(many).toBeGreaterThan(task === 'clusterer' ? 5 : 15);
  });
});

// What the constructor takes: every option checked by name, type, range and against the others.

import { describe, expect, it } from 'vitest';
import { ownOptions } from './checkpoint.js';
import { resolveOptions } from './options.js';
import { FastKMeansRegressor } from './regressor.js';
import { optionNames } from './rules.js';
import { backend, expectError, rows } from './testing.js';

const resolve = (options: object) => resolveOptions({ backend, ...options }, 'Test', 'regressor');
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
  useIndex: [true, 'auto'],
  dtype: ['float64', 16, null],
};

describe('checkOptions', () => {
  it.each(Object.entries(wrong))('refuses wrong values of %s', async (option, values) => {
    for (const value of values) {
      await expectError(() => resolve({ [option]: value }), { kind: 'option', says: ['Test:', option] });
    }
  });

  it('covers every option', () => {
    expect([...optionNames.regressor].sort()).toEqual(Object.keys(wrong).sort());
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
    ['kFeatures', { kFeatures: 'auto' }],
    ['featureWeights', { featureWeights: [1, 0.5], scaling: 'dual' }],
    ['featureWeights', { featureWeights: [1, 0.5], scaling: 'quantile' }],
    ['scaling', { initMode: grid, scaling: 'standard' }],
    ['nPrototypes', { softType: 'scaled', nPrototypes: 5 }],
    ['nPrototypes', { initMode: grid, nPrototypes: 2 }],
    ['nPrototypes', { nPrototypes: 5, kTargets: 2, kFeatures: 2 }],
  ])('refuses an impossible %s: %o', async (option, options) => {
    await expectError(() => resolve(options), { kind: 'option', says: ['Test:', option] });
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
      expect(resolve(ownOptions('regressor', once))).toEqual(once);
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
    await expectError(() => resolve({ initMode }), { kind, says: ['Test:', ...says] });
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

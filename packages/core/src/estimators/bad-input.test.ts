// SPEC §9: what bad input gets. A typed error that names argument, place and value, and the model as it was; or, where the
// request makes sense, the result that the documentation says.

import { describe, expect, it } from 'vitest';
import { FastKMeansRegressor } from './regressor.js';
import { backend, type Expected, expectError, given, rows, small } from './testing.js';

type Arguments = readonly [X: unknown, y: unknown, options?: object];
/** [what is wrong, arguments, kind of the error, what its message says] */
type Case = readonly [string, Arguments, Expected['kind'], readonly string[]];

const { X, y } = rows(24);
const spoiled = (row: number, column: number, value: unknown): unknown[][] =>
  X.map((x, i) => (i === row ? x.map((v, j) => (j === column ? value : v)) : x));
const ones = (value = 1): number[] => X.map(() => value);

/** What every call with rows refuses. */
const rowCases: readonly Case[] = [
  ['NaN', [spoiled(5, 1, Number.NaN), y], 'data', ['X has NaN in row 5, column 1', 'featureMask']],
  ['infinity', [spoiled(0, 2, -Infinity), y], 'data', ['X has -Infinity in row 0, column 2']],
  ['a number beyond float32', [spoiled(3, 0, 1e39), y], 'data', ['X has Infinity in row 3, column 0']],
  ['a text for a number', [spoiled(2, 2, '1'), y], 'data', ['X has NaN in row 2, column 2']],
  ['a hole', [spoiled(2, 2, undefined), y], 'data', ['row 2, column 2']],
  [
    'a ragged row',
    [X.map((x, i) => (i === 7 ? [1, 2] : x)), y],
    'shape',
    ['row 7 of X has 2 values, row 0 has 3'],
  ],
  [
    'too many columns',
    [X.map((x) => [...x, 1]), y],
    'shape',
    ['X has 4 columns, this model was fitted on 3'],
  ],
  ['no columns', [X.map(() => []), y], 'shape', ['X has 24 rows without any column']],
  ['numbers for rows', [[1, 2, 3], y], 'shape', ['X should be number[][]']],
  ['null', [null, y], 'shape', ['X should be', 'got null']],
  ['a text', ['X', y], 'shape', ['X should be', 'got string']],
  ['an object', [{}, y], 'shape', ['X should be']],
  [
    'a flat matrix of another length',
    [{ data: [1, 2, 3, 4], shape: [2, 3] }, y],
    'shape',
    ['X.data has 4 values', '[2, 3] wants 6'],
  ],
  [
    'a shape of three axes',
    [{ data: [1], shape: [1, 1, 1] }, y],
    'shape',
    ['X.shape should be [rows, columns]'],
  ],
  ['a fractional shape', [{ data: [1], shape: [0.5, 2] }, y], 'shape', ['X.shape', '0.5']],
  [
    'a mask of other columns',
    [X, y, { featureMask: [1, 1] }],
    'shape',
    ['featureMask is [1, 2], X is [24, 3]'],
  ],
  [
    'a mask of other rows',
    [
      X,
      y,
      {
        featureMask: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      },
    ],
    'shape',
    ['featureMask is [2, 3]'],
  ],
  [
    'a mask with NaN',
    [X, y, { featureMask: [1, Number.NaN, 1] }],
    'data',
    ['featureMask has NaN in row 0, column 1'],
  ],
  ['a mask that is null', [X, y, { featureMask: null }], 'shape', ['featureMask should be']],
  [
    'NaN where the mask is 1',
    [spoiled(4, 1, Number.NaN), y, { featureMask: [0, 1, 0] }],
    'data',
    ['X has NaN in row 4, column 1'],
  ],
  [
    'an unknown option',
    [X, y, { sampleWeights: ones() }],
    'option',
    ['there is no option sampleWeights', 'featureMask'],
  ],
  ['options that are none', [X, y, 5 as unknown as object], 'option', ['options should be an object', '5']],
];

/** What calls with targets refuse besides. */
const targetCases: readonly Case[] = [
  ['no rows', [[], []], 'data', ['X has no rows']],
  ['y too short', [X, y.slice(1)], 'shape', ['y has 23 rows, X has 24']],
  ['y of other columns', [X, y.map((v) => [v, v])], 'shape', ['y has 2 columns, this model was fitted on 1']],
  ['a ragged y', [X, y.map((v, i) => (i === 3 ? [v, v] : [v]))], 'shape', ['row 3 of y has 2 values']],
  ['NaN in y', [X, y.map((v, i) => (i === 9 ? Number.NaN : v))], 'data', ['y has NaN in row 9, column 0']],
  ['infinity in y', [X, y.map((v, i) => (i === 9 ? Infinity : v))], 'data', ['y has Infinity in row 9']],
  ['a text in y', [X, y.map((v, i) => (i === 9 ? 'a' : v))], 'data', ['y has NaN in row 9']],
  ['no y', [X, undefined], 'shape', ['y should be', 'undefined']],
  ['null for y', [X, null], 'shape', ['y should be', 'null']],
  [
    'weights too short',
    [X, y, { sampleWeight: [1, 2] }],
    'shape',
    ['sampleWeight has 2 values, X has 24 rows'],
  ],
  [
    'a negative weight',
    [X, y, { sampleWeight: ones().map((w, i) => (i === 6 ? -0.5 : w)) }],
    'data',
    ['sampleWeight is -0.5 in row 6'],
  ],
  ['a weight of NaN', [X, y, { sampleWeight: ones(Number.NaN) }], 'data', ['sampleWeight is NaN in row 0']],
  [
    'an infinite weight',
    [X, y, { sampleWeight: ones(Infinity) }],
    'data',
    ['sampleWeight is Infinity in row 0'],
  ],
  ['weights that are all zero', [X, y, { sampleWeight: ones(0) }], 'data', ['all weights are zero']],
  [
    'weights that are no array',
    [X, y, { sampleWeight: 1 }],
    'shape',
    ['sampleWeight should be an array of numbers'],
  ],
];

const evalSet = (options: object): Arguments => [X, y, { evalSet: { X, y, ...options } }];
/** What calls that evaluate refuse besides. */
const evaluationCases: readonly Case[] = [
  [
    'an evalSet without y',
    [X, y, { evalSet: { X } }],
    'option',
    ['evalSet is an object; allowed is { X, y }'],
  ],
  [
    'NaN in evalSet.X',
    evalSet({ X: spoiled(2, 1, Number.NaN) }),
    'data',
    ['evalSet', 'X has NaN in row 2, column 1'],
  ],
  ['evalSet of other columns', evalSet({ X: X.map(() => [1]) }), 'shape', ['evalSet', 'X has 1 columns']],
  [
    'evalSet.y of other columns',
    evalSet({ y: y.map((v) => [v, v]) }),
    'shape',
    ['evalSet', 'y has 2 columns'],
  ],
  ['evalSet.y too short', evalSet({ y: [1] }), 'shape', ['evalSet', 'y has 1 rows, X has 24']],
  ['an empty evalSet', evalSet({ X: [], y: [] }), 'data', ['evalSet', 'X has no rows']],
  ['an unknown option of evalSet', evalSet({ weight: ones() }), 'option', ['there is no option weight']],
  [
    'a mask for evalSet alone',
    evalSet({ featureMask: [1, 1, 0] }),
    'option',
    ['evalSet has a featureMask, X has none'],
  ],
  ['evalFraction of 1', [X, y, { evalFraction: 1 }], 'option', ['evalFraction is 1; allowed is']],
  [
    'onProgress that is no function',
    [X, y, { onProgress: 1 }],
    'option',
    ['onProgress is 1; allowed is a function'],
  ],
  ['a signal that is none', [X, y, { signal: {} }], 'option', ['signal is an object']],
];

const fitCases: readonly Case[] = [
  ['no passes', [X, y, { maxIters: 0 }], 'option', ['maxIters is 0; allowed is a positive integer']],
  ['a negative tolerance', [X, y, { tol: -1 }], 'option', ['tol is -1']],
  ['a tolerance of NaN', [X, y, { tol: Number.NaN }], 'option', ['tol is NaN']],
  ['shuffle by number', [X, y, { shuffle: 1 }], 'option', ['shuffle is 1; allowed is true or false']],
  ['an option of finetune', [X, y, { epochs: 1 }], 'option', ['there is no option epochs']],
];
const finetuneCases: readonly Case[] = [
  ['half an epoch', [X, y, { epochs: 0.5 }], 'option', ['epochs is 0.5']],
  ['a rate of 0', [X, y, { lr: 0 }], 'option', ['lr is 0; allowed is a positive finite number']],
  ['an infinite rate', [X, y, { lr: Infinity }], 'option', ['lr is Infinity']],
  ['an unknown schedule', [X, y, { schedule: 'linear' }], 'option', ["schedule is 'linear'", "'oneCycle'"]],
  ['early stopping after 0', [X, y, { earlyStoppingRounds: 0 }], 'option', ['earlyStoppingRounds is 0']],
  [
    'a rate that blows up',
    [X.map((x) => x.map((v) => v * 1e15)), y.map((v) => v * 1e25), { evalFraction: 0 }],
    'data',
    ['the loss became'],
  ],
];

const calls: Readonly<Record<string, readonly Case[]>> = {
  fitBatch: [
    ...rowCases,
    ...targetCases,
    ['a step that is no boolean', [X, y, { gradientStep: 1 }], 'option', ['gradientStep is 1']],
  ],
  fit: [...rowCases, ...targetCases, ...evaluationCases, ...fitCases],
  finetune: [...rowCases, ...targetCases, ...evaluationCases, ...finetuneCases],
  findLearningRate: [...rowCases, ...targetCases],
  lossAndGradients: [...rowCases, ...targetCases],
  score: [...rowCases, ...targetCases],
};

/** The first argument is X, y the second, where the call takes one. */
type Calls = Readonly<Record<string, (...given: readonly unknown[]) => Promise<unknown>>>;

const invoke = (model: FastKMeansRegressor, call: string, given: readonly unknown[]): Promise<unknown> =>
  (model as unknown as Calls)[call]?.(...given) as Promise<unknown>;

async function fitted(): Promise<FastKMeansRegressor> {
  const model = small();
  await model.fitBatch(X, y);
  await model.fitBatch(X, y, { gradientStep: true });
  return model;
}

describe.each(Object.entries(calls))('%s', (call, cases) => {
  it.each(cases)('refuses %s', async (_what, [rowsX, targets, options], kind, says) => {
    const model = await fitted();
    const before = await model.save();
    await expectError(() => invoke(model, call, [rowsX, targets, options]), {
      kind,
      says: [`${call}:`, ...says],
    });
    expect(await model.save()).toEqual(before);
  });
});

const starting = Object.entries(calls).filter(([call]) => call !== 'score' && call !== 'lossAndGradients');
describe.each(starting)('%s of a new model', (call, cases) => {
  it('refuses the same', async () => {
    for (const [what, [rowsX, targets, options], kind, says] of cases) {
      // What a fitted model expects, a new one cannot; and it takes its scale from what it sees.
      if (what.endsWith('columns') && what !== 'no columns') continue;
      if (what === 'a rate that blows up') continue;
      const model = small();
      const before = await model.save();
      await expectError(() => invoke(model, call, [rowsX, targets, options]), { kind, says });
      expect(await model.save(), what).toEqual(before);
    }
  });
});

describe.each(['predict', 'transform'])('%s', (call) => {
  it.each(rowCases)('refuses %s', async (_what, [rowsX, , options], kind, says) => {
    const model = await fitted();
    const before = await model.save();
    await expectError(() => invoke(model, call, [rowsX, options]), { kind, says: [`${call}:`, ...says] });
    expect(await model.save()).toEqual(before);
  });

  it('gives nothing for no rows', async () => {
    const model = await fitted();
    for (const none of [[], { data: [], shape: [0, 3] }]) {
      const { data, shape } = (await invoke(model, call, [none])) as { data: Float32Array; shape: number[] };
      expect(data).toHaveLength(0);
      expect(shape).toEqual(call === 'predict' ? [0] : [0, 6]);
    }
  });
});

describe('before fit', () => {
  it.each(['predict', 'transform', 'score', 'lossAndGradients'])(
    '%s says what to call first',
    async (call) => {
      await expectError(
        () => invoke(small(), call, call === 'predict' || call === 'transform' ? [X] : [X, y]),
        {
          kind: 'state',
          says: [`${call}:`, 'has not been fitted', 'fit(X, y)'],
        },
      );
    },
  );
  it('neither has a grid nor anything to freeze', async () => {
    await expectError(() => small().grid, { kind: 'state', says: ['grid:', 'fit'] });
    await expectError(() => small().freezePrototypes(), {
      kind: 'state',
      says: ['freezePrototypes:', 'fit'],
    });
  });
});

describe('freezePrototypes', () => {
  it.each([
    ['too few flags', [true], 'shape', ['mask has 1 values, there are 3 prototypes']],
    ['null', null, 'shape', ['mask should be']],
    ['numbers beyond 0 and 1', [1, 0, 2], 'data', ['mask is 2 in row 2']],
  ] as const)('refuses %s', async (_what, mask, kind, says) => {
    const model = given();
    const before = await model.save();
    await expectError(() => model.freezePrototypes(mask as never), { kind, says });
    expect(await model.save()).toEqual(before);
  });
});

describe('requests that make sense', () => {
  const finite = async (model: FastKMeansRegressor, at: number[][] = X): Promise<number[]> => {
    const { data } = await model.predict(at);
    expect(data.every(Number.isFinite)).toBe(true);
    return Array.from(data);
  };

  it.each(['none', 'standard', 'quantile', 'dual'] as const)('a constant feature, %s', async (scaling) => {
    const flat = X.map(([a, b]) => [a as number, 5, b as number]);
    const model = small({ scaling });
    await model.fit(flat, y, { maxIters: 2 });
    await model.finetune(flat, y, { epochs: 2 });
    await finite(model, flat);
    // Another value there is as good: a dropped column is not compared.
    if (scaling !== 'none') {
      const moved = flat.map(([a, , b]) => [a as number, -7, b as number]);
      expect(await finite(model, moved)).toEqual(await finite(model, flat));
    }
  });

  it.each(['none', 'standard', 'quantile', 'dual'] as const)(
    'all features constant, %s: the mean',
    async (scaling) => {
      const flat = X.map(() => [1, 2, 3]);
      const model = small({ scaling, nPrototypes: 1 });
      await model.fit(flat, y);
      const mean = y.reduce((a, b) => a + b, 0) / y.length;
      for (const value of await finite(model, flat)) expect(value).toBeCloseTo(mean, 4);
    },
  );

  it.each([
    {},
    { softType: 'scaled', initMode: 'kmeans++' },
    { distance: 'cosine' },
    { distance: 'l1' },
  ] as const)('one row, %o', async (options) => {
    const model = new FastKMeansRegressor({ backend, ...options });
    await model.fit([[1, 2, 3]], [7]);
    expect(model.grid.prototypes.shape[0]).toBe(1);
    expect((await finite(model, [[1, 2, 3]]))[0]).toBeCloseTo(7, 5);
    await model.finetune([[1, 2, 3]], [7], { epochs: 2 });
    expect((await finite(model, [[1, 2, 3]]))[0]).toBeCloseTo(7, 1);
  });

  it('fewer rows than prototypes: one prototype a row', async () => {
    for (const options of [
      { nPrototypes: 50 },
      { softType: 'scaled', kTargets: 20, kFeatures: 10 },
    ] as const) {
      const model = new FastKMeansRegressor({ backend, ...options });
      await model.fit(X.slice(0, 9), y.slice(0, 9));
      expect(model.grid.prototypes.shape[0]).toBeLessThanOrEqual(9);
      await finite(model);
    }
  });

  it('a constant target: that constant', async () => {
    const model = small();
    await model.fit(X, ones(3));
    await model.finetune(X, ones(3), { epochs: 2 });
    for (const value of await finite(model)) expect(value).toBeCloseTo(3, 4);
    expect(await model.score(X, ones(4))).toBe(0);
  });

  it('a target that is constant in the first batch alone', async () => {
    const model = small();
    await model.fitBatch(X, ones(0.1));
    for (let i = 0; i < 20; i++) await model.fitBatch(X, y);
    expect(await model.score(X, y)).toBeGreaterThan(0.3);
    await model.finetune(X, y, { epochs: 5 });
    expect(await model.score(X, y)).toBeGreaterThan(0.3);
  });

  it('a row with nothing in it but masked values', async () => {
    for (const distance of ['euclidean', 'l1', 'cosine'] as const) {
      const model = small({ distance });
      const featureMask = X.map((x, i) => x.map(() => (i === 3 ? 0 : 1)));
      const holed = spoiled(3, 0, Number.NaN) as number[][];
      await model.fit(holed, y, { featureMask, maxIters: 2 });
      const { data } = await model.predict(holed, { featureMask });
      expect(data.every(Number.isFinite)).toBe(true);
    }
  });

  it('weights that leave a single row', async () => {
    const model = small();
    const sampleWeight = ones(0).map((_, i) => (i === 5 ? 2 : 0));
    await model.fit(X, y, { sampleWeight });
    await model.finetune(X, y, { sampleWeight, epochs: 2 });
    await finite(model);
  });

  it('a feature of nearly equal, tiny values', async () => {
    const tiny = X.map(([a, b], i) => [a as number, b as number, i % 2 === 0 ? 1e-41 : 0]);
    const model = small();
    await model.fit(tiny, y);
    await finite(model, tiny);
  });
});

describe('what would leave the numbers', () => {
  it('is refused in phase 1, the model as it was', async () => {
    const model = given();
    const before = await model.save();
    const huge = Array.from({ length: 8 }, () => [3e38, -3e38]);
    await expectError(
      () =>
        model.fitBatch(
          huge,
          huge.map(() => 1),
        ),
      { kind: 'data', says: ['fitBatch:', 'float32'] },
    );
    expect(await model.save()).toEqual(before);
  });
});

// docs/method.md §9: what bad rows and options of calls get, from every estimator: a typed error that names argument, place and
// value, and the model as it was. Bad targets are in bad-targets.test.ts, odd requests that make sense in odd-input.test.ts.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Task } from '../state/options.js';
import {
  type Expected,
  estimators,
  expectError,
  given,
  givenOf,
  type Model,
  rows,
  smallOf,
  tasks,
} from './testing.js';

type Arguments = readonly [X: unknown, y: unknown, options?: object];
/** [what is wrong, arguments, kind of the error, what its message says] */
type Case = readonly [string, Arguments, Expected['kind'], readonly string[]];

const { X } = rows(24);
const spoiled = (row: number, column: number, value: unknown): unknown[][] =>
  X.map((x, i) => (i === row ? x.map((v, j) => (j === column ? value : v)) : x));
const ones = (value = 1): number[] => X.map(() => value);

/** What the calls refuse, y being right. */
function casesOf(y: unknown): Record<string, readonly Case[]> {
  /** What every call with rows refuses. */
  const rowCases: readonly Case[] = [
    ['NaN', [spoiled(5, 1, Number.NaN), y], 'data', ['X has NaN in row 5, column 1', 'featureMask']],
    ['infinity', [spoiled(0, 2, -Infinity), y], 'data', ['X has -Infinity in row 0, column 2']],
    [
      'a number beyond float32',
      [spoiled(3, 0, 1e39), y],
      'data',
      ['X has 1e+39 in row 3, column 0, beyond float32', '3.4e38'],
    ],
    [
      'a text for a number',
      [spoiled(2, 2, '1'), y],
      'data',
      ["X has '1' in row 2, column 2, which is no number"],
    ],
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
    ['numbers for rows', [[1, 2, 3], y], 'shape', ['X should be number[][]', 'got an array with 1 at 0']],
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

  /** What calls that train or score refuse besides. */
  const weightCases: readonly Case[] = [
    ['no rows', [[], y && []], 'data', ['X has no rows']],
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
    ['an evalSet without X', [X, y, { evalSet: { y } }], 'option', ['evalSet is an object; allowed is']],
    [
      'NaN in evalSet.X',
      evalSet({ X: spoiled(2, 1, Number.NaN) }),
      'data',
      ['evalSet', 'X has NaN in row 2, column 1'],
    ],
    ['evalSet of other columns', evalSet({ X: X.map(() => [1]) }), 'shape', ['evalSet', 'X has 1 columns']],
    ['an empty evalSet', evalSet({ X: [], y: y && [] }), 'data', ['evalSet', 'X has no rows']],
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
  ];
  return {
    predict: rowCases,
    transform: rowCases,
    fitBatch: [
      ...rowCases,
      ...weightCases,
      ['a step that is no boolean', [X, y, { gradientStep: 1 }], 'option', ['gradientStep is 1']],
    ],
    fit: [...rowCases, ...weightCases, ...evaluationCases, ...fitCases],
    finetune: [...rowCases, ...weightCases, ...evaluationCases, ...finetuneCases],
    findLearningRate: [...rowCases, ...weightCases],
    lossAndGradients: [...rowCases, ...weightCases],
    score: [...rowCases, ...weightCases],
  };
}

const readOnly = ['predict', 'transform', 'predictProba'];
/** X first, y second where the call takes one, options last. */
const invoke = (model: Model, call: string, [x, y, options]: Arguments): Promise<unknown> => {
  const calls = model as unknown as Readonly<Record<string, (...given: unknown[]) => Promise<unknown>>>;
  return calls[call]?.(...(readOnly.includes(call) ? [x, options] : [x, y, options])) as Promise<unknown>;
};

const table = (task: Task): [string, readonly Case[]][] => {
  const all = Object.entries(casesOf(estimators[task].targets(X)));
  const [, rowCases] = all[0] as (typeof all)[number];
  return estimators[task].family.numeric ? all : [...all, ['predictProba', rowCases]];
};

describe.each(tasks)('%s', (task) => {
  const y = estimators[task].targets(X);
  let model: Model;
  beforeAll(async () => {
    model = smallOf(task);
    await model.fitBatch(X, y);
    await model.fitBatch(X, y, { gradientStep: true });
  });

  describe.each(table(task))('%s', (call, cases) => {
    it.each(cases)('refuses %s', async (_what, given, kind, says) => {
      const before = await model.save();
      await expectError(() => invoke(model, call, given), { kind, says: [`${call}:`, ...says] });
      expect(await model.save()).toEqual(before);
    });

    if (readOnly.includes(call)) {
      it('gives nothing for no rows', async () => {
        const width = call === 'transform' || task === 'clusterer' ? 6 : 3;
        for (const none of [[], { data: [], shape: [0, 3] }]) {
          const got = (await invoke(model, call, [none, y])) as { data: ArrayLike<number>; shape: number[] };
          expect(got.data).toHaveLength(0);
          const list = call === 'predict' && task !== 'multiLabel' && task !== 'quantileRegressor';
          expect(got.shape).toEqual(list ? [0] : [0, width]);
        }
      });
    }

    if ([...readOnly, 'score', 'lossAndGradients'].includes(call)) {
      it('says what to call before it', async () => {
        await expectError(() => invoke(smallOf(task), call, [X, y]), {
          kind: 'state',
          says: [`${call}:`, 'has not been fitted', 'fit(X, y)'],
        });
      });
    } else {
      it('refuses the same of a new model', async () => {
        for (const [what, given, kind, says] of cases) {
          // What a fitted model expects, a new one cannot.
          if (what.endsWith('columns') && what !== 'no columns') continue;
          const fresh = smallOf(task);
          const before = await fresh.save();
          await expectError(() => invoke(fresh, call, given), { kind, says });
          expect(await fresh.save(), what).toEqual(before);
        }
      });
    }
  });

  it('has no grid and no prototypes to freeze before fit', async () => {
    await expectError(() => smallOf(task).grid, { kind: 'state', says: ['grid:', 'fit'] });
    await expectError(() => smallOf(task).freezePrototypes(), {
      kind: 'state',
      says: ['freezePrototypes:', 'fit'],
    });
  });

  it('refuses sums that overflow in phase 1, and the model stays as it was', async () => {
    const huge = Array.from({ length: 8 }, () => [3e38, -3e38]);
    const other = givenOf(task);
    const before = await other.save();
    await expectError(() => other.fitBatch(huge, estimators[task].targets(X.slice(0, 8))), {
      kind: 'data',
      says: ['fitBatch:', 'float32'],
    });
    expect(await other.save()).toEqual(before);
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

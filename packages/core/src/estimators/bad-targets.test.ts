// docs/method.md §9: what bad targets get, estimator by estimator: a typed error that names place and value, and the model as it was.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Task } from '../state/options.js';
import {
  type Expected,
  estimators,
  expectError,
  givenOf,
  type Model,
  rows,
  small,
  smallOf,
  tasks,
} from './testing.js';

/** [what is wrong, y, kind of the error, what its message says] */
type Case = readonly [string, unknown, Expected['kind'], readonly string[]];

const { X, y } = rows(24);
/** The targets with another value in row 9. */
const spoil = (task: Task, value: unknown): unknown[] =>
  (estimators[task].targets(X) as unknown[]).map((v, i) => (i === 9 ? value : v));
const flags = X.map(([a, b]) => [Number((a as number) > 0), Number((b as number) > 0), 1]);
const spoiledFlags = (value: unknown): unknown[][] => flags.map((row, i) => (i === 9 ? [0, value, 1] : row));

/** Refused by a new model and by one that is fitted. */
const numbers = (task: Task): readonly Case[] => [
  ['too few', y.slice(1), 'shape', ['y has 23 rows, X has 24']],
  ['a ragged row', y.map((v, i) => (i === 3 ? [v, v] : [v])), 'shape', ['row 3 of y has 2 values']],
  ['NaN', spoil(task, Number.NaN), 'data', ['y has NaN in row 9, column 0']],
  ['infinity', spoil(task, Infinity), 'data', ['y has Infinity in row 9']],
  ['a text', spoil(task, 'a'), 'data', ["y has 'a' in row 9, column 0, which is no number"]],
  ['nothing', undefined, 'shape', ['y should be', 'undefined']],
  ['null', null, 'shape', ['y should be', 'null']],
];

const always: Readonly<Record<Task, readonly Case[]>> = {
  regressor: numbers('regressor'),
  quantileRegressor: [
    ...numbers('quantileRegressor'),
    ['several columns', y.map((v) => [v, v]), 'shape', ['y has 2 columns', '1']],
  ],
  classifier: [
    ['too few', spoil('classifier', 'a').slice(1), 'shape', ['y has 23 rows, X has 24']],
    ['too many', [...spoil('classifier', 'a'), 'a'], 'shape', ['y has 25 rows, X has 24']],
    ['none for some rows', [], 'shape', ['y has 0 rows, X has 24']],
    ['NaN', spoil('classifier', Number.NaN), 'data', ['y is NaN in row 9; labels are numbers or strings']],
    ['infinity', spoil('classifier', -Infinity), 'data', ['y is -Infinity in row 9']],
    ['booleans', X.map(() => true), 'data', ['y is true in row 0; labels are numbers or strings']],
    ['a boolean among labels', spoil('classifier', false), 'data', ['y is false in row 9']],
    ['a hole', spoil('classifier', undefined), 'data', ['y is undefined in row 9']],
    ['null among labels', spoil('classifier', null), 'data', ['y is null in row 9']],
    ['rows of one label', X.map(() => [1]), 'data', ['y is an array in row 0']],
    ['an object', spoil('classifier', {}), 'data', ['y is an object in row 9']],
    ['bigints', new BigInt64Array(24), 'data', ['y is 0 in row 0', 'numbers or strings']],
    ['a list of bigints', X.map(() => 1n), 'data', ['y is 1 in row 0', 'numbers or strings']],
    [
      'integers that float64 rounds',
      X.map((_, i) => 2 ** 53 - 1 + (i % 3)),
      'data',
      ['y is 9007199254740992 in row 1; integers from 9007199254740992 on are not told apart as float64'],
    ],
    ['negative ones', X.map((_, i) => -(2 ** 53) + (i % 2)), 'data', ['not told apart as float64']],
    [
      'integers that float32 rounds',
      Float32Array.from(X, (_, i) => 2 ** 24 + (i % 2)),
      'data',
      ['y is 16777216 in row 0; integers from 16777216 on are not told apart as float32'],
    ],
    ["'1' and 1", X.map((_, i) => (i % 2 ? '1' : 1)), 'data', ['y']],
    ['a text', 'abc', 'shape', ['y should be an array of numbers or strings, got string']],
    ['a matrix', { data: [1], shape: [1, 1] }, 'shape', ['y should be an array', 'got object']],
    ['nothing', undefined, 'shape', ['y should be', 'undefined']],
    ['null', null, 'shape', ['y should be', 'null']],
  ],
  multiLabel: [
    ['too few lists', spoil('multiLabel', []).slice(1), 'shape', ['y has 23 rows, X has 24']],
    ['none for some rows', [], 'shape', ['y has 0 rows, X has 24']],
    ['too few rows', flags.slice(1), 'shape', ['y has 23 rows, X has 24']],
    [
      'a number in a list of names',
      spoil('multiLabel', [1]),
      'data',
      ['y is 1 in row 9; lists of labels hold'],
    ],
    [
      'a name behind a number',
      flags.map(() => [1, 'a']),
      'data',
      ["y has 'a' in row 0, column 1, which is no number"],
    ],
    ['a two', spoiledFlags(2), 'data', ['y is 2 in row 9, column 1; labels are 0 or 1']],
    ['a half', spoiledFlags(0.5), 'data', ['y is 0.5 in row 9, column 1']],
    ['a negative one', spoiledFlags(-1), 'data', ['y is -1 in row 9, column 1']],
    ['NaN', spoiledFlags(Number.NaN), 'data', ['y has NaN in row 9, column 1']],
    ['a ragged row', flags.map((row, i) => (i === 3 ? [1] : row)), 'shape', ['row 3 of y has 1 values']],
    ['one label a row', X.map(() => 'a'), 'shape', ['y should be']],
    ['one number a row', X.map(() => 1), 'shape', ['y should be']],
    ['nothing', undefined, 'shape', ['y should be', 'undefined']],
    ['null', null, 'shape', ['y should be', 'null']],
  ],
  clusterer: [
    ['numbers', y, 'shape', ['y should be undefined', '(X, options)']],
    ['typed numbers', new Float32Array(24), 'shape', ['y should be undefined']],
    ['names', X.map(() => 'a'), 'shape', ['y should be undefined']],
    ['a matrix', { data: [1], shape: [1, 1] }, 'shape', ['y should be undefined']],
    ['a number', 5, 'shape', ['y should be undefined']],
    ['a text', 'y', 'shape', ['y should be undefined']],
  ],
};

/** Refused by a model that is fitted to other targets. */
const fitted: Readonly<Record<Task, readonly Case[]>> = {
  regressor: [
    ['other columns', y.map((v) => [v, v]), 'shape', ['y has 2 columns, this model was fitted on 1']],
  ],
  quantileRegressor: [],
  classifier: [['numbers after names', X.map((_, i) => i % 2), 'data', ['y']]],
  multiLabel: [
    [
      'more columns than it has names',
      flags.map((row) => [...row, 0]),
      'shape',
      ['y has 4 columns', '3 labels'],
    ],
    ['fewer columns than labels', flags.map(([a]) => [a]), 'shape', ['y has 1 columns', '3 labels']],
  ],
  clusterer: [],
};

/** Refused where nothing is learned. */
const unseen: Readonly<Record<Task, readonly Case[]>> = {
  regressor: [],
  quantileRegressor: [],
  classifier: [
    ['an unseen class', spoil('classifier', 'z'), 'data', ["y is 'z' in row 9, a class that this model"]],
  ],
  multiLabel: [
    [
      'an unseen label',
      spoil('multiLabel', ['a', 'z']),
      'data',
      ["y is 'z' in row 9, a label that this model"],
    ],
  ],
  clusterer: [],
};

const calls: Readonly<Record<string, (model: Model, y: unknown) => Promise<unknown>>> = {
  fitBatch: (m, t) => m.fitBatch(X, t),
  'fitBatch with a gradient step': (m, t) => m.fitBatch(X, t, { gradientStep: true }),
  finetune: (m, t) => m.finetune(X, t, { epochs: 1 }),
  findLearningRate: (m, t) => m.findLearningRate(X, t),
  lossAndGradients: (m, t) => m.lossAndGradients(X, t),
  score: (m, t) => m.score(X, t),
};
const fit = (m: Model, t: unknown): Promise<unknown> => m.fit(X, t);
const nothingLearned = ['lossAndGradients', 'score'];

describe.each(tasks)('%s', (task) => {
  let model: Model;
  beforeAll(async () => {
    model = smallOf(task);
    await model.fitBatch(X, estimators[task].targets(X));
  });
  const refuses = async (
    call: (model: Model, y: unknown) => Promise<unknown>,
    at: Model,
    [what, targets, kind, says]: Case,
  ): Promise<void> => {
    const before = await at.save();
    await expectError(() => call(at, targets), { kind, says });
    expect(await at.save(), what).toEqual(before);
  };

  it.each(Object.keys(calls))('%s refuses', async (name) => {
    const call = calls[name] as (model: Model, y: unknown) => Promise<unknown>;
    const cases = [...always[task], ...fitted[task], ...(nothingLearned.includes(name) ? unseen[task] : [])];
    for (const one of cases) await refuses(call, model, one);
    if (nothingLearned.includes(name)) return;
    for (const one of always[task]) await refuses(call, smallOf(task), one);
  });

  it('fit refuses, of a new model and of one that is fitted', async () => {
    for (const one of always[task]) {
      await refuses(fit, model, one);
      await refuses(fit, smallOf(task), one);
    }
  });

  it.each(['fit', 'finetune'] as const)('%s refuses them in an evalSet', async (call) => {
    const own = estimators[task].targets(X);
    const evaluate = (m: Model, t: unknown) => m[call](X, own, { evalSet: { X, y: t } });
    for (const [what, targets, kind, says] of [...always[task], ...unseen[task]]) {
      const place = task === 'clusterer' ? 'y should be undefined' : 'evalSet: ';
      await refuses(evaluate, model, [what, targets, kind, [place, ...says.slice(0, 1)]]);
    }
  });
});

describe('labels', () => {
  it('are strings or numbers, not both', async () => {
    const mixed = X.map((_, i) => (i % 2 ? 'a' : 1));
    await expectError(() => smallOf('classifier').fit(X, mixed), {
      kind: 'data',
      says: ['fit: y mixes numbers and strings'],
    });
    const model = smallOf('classifier');
    await model.fitBatch(
      X,
      X.map((_, i) => i % 3),
    );
    await expectError(() => model.fitBatch(X, mixed), { kind: 'data', says: ['fitBatch: y mixes numbers'] });
    await expectError(
      () =>
        model.fitBatch(
          X,
          X.map(() => 'a'),
        ),
      { kind: 'data', says: ['fitBatch: y mixes numbers'] },
    );
  });

  it('are columns or names, not both', async () => {
    const model = smallOf('multiLabel');
    await model.fitBatch(X, flags);
    const before = await model.save();
    await expectError(() => model.fitBatch(X, spoil('multiLabel', ['a'])), {
      kind: 'data',
      says: ['fitBatch: y holds names, this model was fitted on columns', 'pass 3 columns or more'],
    });
    expect(await model.save()).toEqual(before);
    // Rows without any label are columns as well as names.
    await model.fitBatch(
      X,
      X.map(() => []),
    );
  });

  it('are at least one, and in the first rows where prototypes are drawn for labels', async () => {
    await expectError(
      () =>
        smallOf('multiLabel').fit(
          X,
          X.map(() => []),
        ),
      { kind: 'data', says: ['fit: y holds no label at all'] },
    );
    const none = X.map(() => [0, 0]);
    const drawn = estimators.multiLabel.make({ softType: 'scaled' });
    for (const call of ['fit', 'fitBatch', 'finetune'] as const) {
      await expectError(() => drawn[call](X, none), {
        kind: 'data',
        says: [`${call}: y holds no label in the first rows`],
      });
    }
    await drawn.fit(X, flags);
    // A joint start clusters features alone then, and says of both labels that nobody has them.
    const joint = smallOf('multiLabel');
    await joint.fit(X, none);
    expect(Math.max(...((await joint.predict(X)).data as ArrayLike<number> as Int32Array))).toBe(0);
  });
});

describe('a grid', () => {
  it.each([
    [
      'owners of a kind that is none',
      'classifier',
      { owners: [true, false, true] },
      'data',
      ['owners is true'],
    ],
    ['too few owners', 'classifier', { owners: ['a'] }, 'shape', ['owners has 1 values', '3 prototypes']],
    ['mixed owners', 'classifier', { owners: ['a', 1, 2] }, 'data', ['mixes numbers and strings']],
    ['neither owners nor targets', 'classifier', {}, 'option', ['neither owners nor targets']],
    ['a column below 0', 'multiLabel', { owners: [0, -1, 2] }, 'data', ['columns of y, from 0']],
    ['half a column', 'multiLabel', { owners: [0, 0.5, 2] }, 'data', ['columns of y, from 0']],
    ['owners of clusters', 'clusterer', { owners: [0, 1, 2] }, 'option', ['initMode has no owners']],
    ['targets of clusters', 'clusterer', { targets: [0, 1, 2] }, 'option', ['initMode has no targets']],
    ['owners of numbers', 'regressor', { owners: [0, 1, 2] }, 'option', ['initMode has no owners']],
    [
      'logits where the options have no use for them',
      'classifier',
      {
        owners: [0, 1, 1],
        targets: [
          [1, 2],
          [1, 2],
          [1, 2],
        ],
      },
      'option',
      ['logits', 'leave them out'],
    ],
  ] as const)('refuses %s', async (_what, task, grid, kind, says) => {
    const prototypes = [
      [0, 0],
      [4, 0],
      [0, 4],
    ];
    await expectError(
      () => estimators[task].make({ softType: 'scaled', initMode: { prototypes, ...grid } }),
      { kind, says: ['initMode', ...says] },
    );
  });

  it('refuses logits of another width than its owners have classes', async () => {
    const initMode = { prototypes: [[0], [1]], owners: ['a', 'b'], targets: [[1], [2]] };
    await expectError(() => estimators.classifier.make({ initMode }), {
      kind: 'option',
      says: ['initMode.targets has 1 columns', '2 classes'],
    });
  });

  it.each(tasks)('of a %s copies what it is given', async (task) => {
    const flat = X.map((x) => x.slice(0, 2));
    const model = givenOf(task);
    const before = await model.save();
    model.grid.prototypes.data.fill(9);
    model.grid.owners?.data.fill(1);
    expect(await model.save()).toEqual(before);
    await model.fitBatch(flat, estimators[task].targets(flat));
  });
});

describe('a rate that blows up', () => {
  it('is refused, the model as it was', async () => {
    const model = small();
    await model.fitBatch(X, y);
    const before = await model.save();
    await expectError(
      () =>
        model.finetune(
          X.map((x) => x.map((v) => v * 1e15)),
          y.map((v) => v * 1e25),
          { evalFraction: 0 },
        ),
      { kind: 'data', says: ['finetune:', 'the loss became'] },
    );
    expect(await model.save()).toEqual(before);
  });
});

// Whatever can be trained can be saved, loaded and answers the same bits; what no file could hold is refused before it trains.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answers, estimators, expectError, type Model, rows, smallOf, tasks } from '../estimators/testing.js';
import type { Encoding, FeatureEncoding } from '../state/encoding.js';
import type { Task } from '../state/options.js';
import type { Source } from '../state/source.js';

const { X } = rows(24);

const texts = [
  '',
  'Infinity',
  '-Infinity',
  'NaN',
  'null',
  '__proto__',
  'constructor',
  'given',
  '\0',
  '\ud800',
  '😀',
  '"\\',
  'é'.repeat(999),
];
const text = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: 'binary' }));
/** Below 2^53, from where on whole numbers are refused as labels. */
const number = fc.oneof(
  fc.constantFrom(0, -1, 5e-324, 0.1, 1e15, 2 ** 53 - 1, -(2 ** 53) + 1),
  fc.double({ noNaN: true, min: -1e15, max: 1e15 }).map((value) => value + 0),
);
const classes = fc.oneof(
  fc.uniqueArray(text, { minLength: 2, maxLength: 4 }),
  fc.uniqueArray(number, { minLength: 2, maxLength: 4 }),
);

const feature: fc.Arbitrary<FeatureEncoding> = fc.oneof(
  text.map((column) => ({ column, kind: 'number' as const })),
  fc.tuple(text, fc.uniqueArray(text, { minLength: 1, maxLength: 3 })).map(([column, categories]) => ({
    column,
    kind: 'ordinal' as const,
    categories,
  })),
);
const encoding: fc.Arbitrary<Encoding> = fc
  .tuple(feature, feature, feature)
  .map((features) => ({ version: 1, features }));

const options = fc.record(
  {
    scaling: fc.constantFrom('none', 'standard', 'quantile', 'dual'),
    halfLife: fc.constantFrom(1, 1e-3, 1e300, Number.POSITIVE_INFINITY),
    distance: fc.constantFrom('euclidean', 'cosine', 'l1'),
    dtype: fc.constantFrom('float32', 'float16', 'bfloat16'),
    randomState: fc.constantFrom(0, 1, 2 ** 32, 2 ** 53 - 1),
    autoFeatureWeights: fc.boolean(),
  },
  { requiredKeys: [] },
);

async function expectLoadable(task: Task, model: Model): Promise<void> {
  const bytes = await model.save();
  const again = await estimators[task].load(bytes);
  expect(await again.save()).toEqual(bytes);
  expect(await answers(again, X)).toEqual(await answers(model, X));
}

/** Targets in these classes, each of which comes. */
const targets = (task: Task, names: readonly (string | number)[]): unknown => {
  const all = X.map((_, i) => names[i % names.length] as string | number);
  if (task === 'classifier') return all;
  if (task === 'multiLabel') return all.map((name) => [`${name}`]);
  return estimators[task].targets(X);
};

const source = (y: unknown, more: object): Source => ({
  columns: ['a', 'b', 'c'],
  async *[Symbol.asyncIterator]() {
    yield { X: { data: Float32Array.from(X.flat()), shape: [X.length, 3] as const }, y: y as number[] };
  },
  ...more,
});

describe.each(tasks)('%s', (task) => {
  it('of any classes, options and encoding comes back', async () => {
    await fc.assert(
      fc.asyncProperty(classes, options, encoding, async (names, given, made) => {
        const model = smallOf(task, given);
        const y = targets(task, names);
        await (model as unknown as { fitStream(source: Source): Promise<unknown> }).fitStream(
          source(y, { encoding: made }),
        );
        await expectLoadable(task, model);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it('of a grid whose owners have any names comes back', async () => {
    const { numeric, supervised } = estimators[task].family;
    if (numeric || !supervised) return;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(text, { minLength: 2, maxLength: 4 }), async (owners) => {
        const prototypes = owners.map((_, i) => [i, i, 1]);
        await expectLoadable(
          task,
          estimators[task].make({ softType: 'scaled', initMode: { prototypes, owners } }),
        );
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  const bad: readonly (readonly [string, object])[] = [
    ['encoding is an array', { encoding: [] }],
    ['encoding is an object', { encoding: {} }],
    ['encoding is an object', { encoding: { version: 2, features: [{ column: 'a', kind: 'number' }] } }],
    ['encoding is an object', { encoding: { version: 1, features: [] } }],
    ['encoding is an object', { encoding: { version: 1, features: [{ column: 7, kind: 'number' }] } }],
    ['encoding is an object', { encoding: { version: 1, features: [{ column: 'a', kind: 'date' }] } }],
    [
      'encoding is an object',
      { encoding: { version: 1, features: [{ column: 'a', kind: 'oneHot', categories: ['x', 'x'] }] } },
    ],
    ["encoding is 'x'", { encoding: 'x' }],
    ['encoding is null', { encoding: null }],
    ['encoding makes 1 columns', { encoding: { version: 1, features: [{ column: 'a', kind: 'number' }] } }],
    ['columns has 7 at place 1', { columns: ['a', 7, 'c'] }],
  ];
  it.each(bad)('refuses a source whose %s in every call, and stays as it was', async (says, more) => {
    const model = smallOf(task);
    const y = estimators[task].targets(X);
    await model.fitBatch(X, y);
    const before = await model.save();
    const given = source(y, more);
    const calls = model as unknown as Record<string, (source: Source) => unknown>;
    for (const name of ['fit', 'finetune', 'fitStream', 'score', 'predict', 'predictProba']) {
      if (estimators[task].family.numeric && name === 'predictProba') continue;
      const call = async (): Promise<void> => {
        const answer = calls[name]?.(given);
        if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer)
          for await (const _ of answer as AsyncIterable<unknown>);
        else await answer;
      };
      await expectError(call, {
        kind: 'option',
        says: [`${name === 'finetune' || name === 'score' ? name : ''}`, `source.${says}`],
      });
    }
    expect(await model.save()).toEqual(before);
  });
});

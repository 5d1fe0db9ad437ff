// What sources do with rows besides reading them: missing values, categories, order, reading ahead, stopping.

import { describe, expect, it } from 'vitest';
import { type Encoding, encodeRows, fromIterable, type SourceOptions } from './index.js';
import { everything, expectError } from './testing.js';

const people = [
  { age: 30, job: 'cook', pay: 1 },
  { age: null, job: 'clerk', pay: 2 },
  { age: 50, job: null, pay: 3 },
];
const numbered = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: -i, w: i + 1, name: `n${i}` }));

describe('missing values', () => {
  it('are errors with their row, or masked, and never 0 without a mask', async () => {
    const strict = (features: string[]) => async () => everything(await fromIterable(people, { features }));
    await expectError(
      strict(['age']),
      'data',
      "column 'age' is missing in row 1; fill it in, or pass missing: 'mask'",
    );
    await expectError(strict(['job']), 'data', "column 'job' is missing in row 2");
    const source = await fromIterable(people, { target: 'pay', missing: 'mask' });
    expect(source.columns).toEqual(['age', 'job=clerk', 'job=cook']);
    const { X, mask } = await everything(source);
    expect(mask).toEqual([
      [1, 1, 1],
      [0, 1, 1],
      [1, 0, 0],
    ]);
    expect(X[0]).toEqual([30, 0, 1]);
  });

  it('are errors in targets and weights, whatever features do', async () => {
    const call = (options: SourceOptions) => async () =>
      everything(await fromIterable(people, { missing: 'mask', ...options }));
    await expectError(call({ target: 'age' }), 'data', "the target 'age' is missing in row 1");
    await expectError(call({ target: 'job' }), 'data', "the target 'job' is missing in row 2");
    await expectError(call({ weight: 'age' }), 'data', "the weight 'age' is missing in row 1");
  });
});

describe('encoding', () => {
  it('is JSON that makes the same X of other rows, whatever categories they have', async () => {
    const { encoding } = await fromIterable(people, { target: 'pay', missing: 'mask' });
    const kept = JSON.parse(JSON.stringify(encoding)) as Encoding;
    const later = [{ job: 'cook', age: 20, pay: 0 }];
    const source = await fromIterable(later, { encoding: kept, target: 'pay' });
    expect(source.columns).toEqual(['age', 'job=clerk', 'job=cook']);
    expect((await everything(source)).X).toEqual([[20, 0, 1]]);
    expect([...encodeRows(kept, later).X.data]).toEqual([20, 0, 1]);
  });

  it('refuses a category that it has not seen, or masks it', async () => {
    const { encoding } = await fromIterable(people, { features: ['job', 'pay'], missing: 'mask' });
    const other = [{ job: 'king', pay: 4 }];
    const open = (options: SourceOptions) => async () =>
      everything(await fromIterable(other, { encoding, ...options }));
    await expectError(open({}), 'data', "column 'job' is 'king', which is none of its categories, in row 0");
    expect((await open({ unknown: 'mask' })()).mask).toEqual([[0, 0, 1]]);
    expect(encodeRows(encoding, other, { unknown: 'mask' }).featureMask?.data).toEqual(
      Float32Array.of(0, 0, 1),
    );
    await expectError(() => encodeRows(encoding, other), 'data', "'king'");
    await expectError(() => encodeRows(encoding, [{ job: 'cook', pay: 'x' }]), 'data', 'should be a number');
    await expectError(
      () => encodeRows(encoding, [{ job: 'cook' }]),
      'data',
      "column 'pay' is missing in row 0",
    );
  });

  it.each([
    [null],
    [{ version: 2, features: [{ column: 'a', kind: 'number' }] }],
    [{ version: 1, features: [] }],
    [{ version: 1, features: [{ column: 'a', kind: 'oneHot' }] }],
    [{ version: 1, features: [{ column: 'a', kind: 'text', categories: ['x'] }] }],
  ])('refuses %j', async (encoding) => {
    await expectError(() => encodeRows(encoding as Encoding, []), 'format', 'pass source.encoding');
  });
});

describe('shuffle', () => {
  const open = (options: SourceOptions) =>
    fromIterable(numbered, { features: ['x'], target: 'name', weight: 'w', batchRows: 100, ...options });

  it('mixes rows within its buffer, keeps them whole, and does the same again', async () => {
    const source = await open({ shuffle: { rows: 300, seed: 4 } });
    const { X, y, weights, sizes } = await everything(source);
    expect(sizes).toEqual(new Array(10).fill(100));
    const order = X.flat();
    expect(order).not.toEqual(numbered.map(({ x }) => x));
    for (let begin = 0; begin < 1000; begin += 300) {
      const block = order.slice(begin, begin + 300);
      expect([...block].sort((a, b) => a - b)).toEqual(block.map((_, i) => begin + i));
    }
    // Each buffer in a way of its own.
    expect(order.slice(0, 300)).not.toEqual(order.slice(300, 600).map((i) => i - 300));
    expect(y).toEqual(order.map((i) => `n${i}`));
    expect(weights).toEqual(order.map((i) => i + 1));
    expect((await everything(source)).X.flat()).toEqual(order);
    for (const batch of [1, 3, 5, 9])
      expect((await everything(source.from(batch))).X.flat()).toEqual(order.slice(batch * 100));
    const other = await everything(await open({ shuffle: { rows: 300, seed: 5 } }));
    expect(other.X.flat()).not.toEqual(order);
  });
});

describe('reading ahead', () => {
  /** A source that counts the rows that were asked for. */
  const counting = async (options: SourceOptions) => {
    const counts = { read: 0, closed: 0 };
    const source = await fromIterable(
      async function* () {
        try {
          for (let x = 0; x < 100_000; x++) {
            counts.read++;
            yield { x };
          }
        } finally {
          counts.closed++;
        }
      },
      { batchRows: 1024, ...options },
    );
    counts.read = 0;
    counts.closed = 0;
    return { source, counts };
  };

  it('goes on while the consumer works, by as many batches as are asked for, and no further', async () => {
    for (const prefetch of [0, 2, 5]) {
      const { source, counts } = await counting({ prefetch });
      const rows = source.from(0);
      await rows.next();
      const ahead = 1024 * (1 + prefetch);
      await expect.poll(() => counts.read).toBe(ahead);
      // Time for a batch too many.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(counts.read).toBe(ahead);
      await rows.return();
      expect(counts.closed).toBe(1);
    }
  });

  it('stops with the reason of a signal', async () => {
    const controller = new AbortController();
    const { source, counts } = await counting({ signal: controller.signal });
    let batches = 0;
    const run = async (): Promise<void> => {
      for await (const _ of source) if (++batches === 3) controller.abort(new Error('enough'));
    };
    await expect(run()).rejects.toThrow('enough');
    expect([batches, counts.closed]).toEqual([3, 1]);
  });

  it('tells an error of the rows once the consumer comes to it', async () => {
    const source = await fromIterable(
      async function* () {
        for (let x = 0; x < 5000; x++) {
          if (x === 3000) throw new Error('gone');
          yield { x };
        }
      },
      { batchRows: 1024 },
    );
    let seen = 0;
    await expect(
      (async () => {
        for await (const { X } of source) seen += X.shape[0];
      })(),
    ).rejects.toThrow('gone');
    expect(seen).toBe(2048);
  });
});

it.each<[string, object, string]>([
  ['an unknown option', { feature: ['x'] }, 'there is no option feature; there are features'],
  ['a feature that is not there', { features: ['z'] }, "features names 'z'; the columns are x, y, w, name"],
  ['a target that is not there', { target: 'z' }, "target names 'z'"],
  ['texts in a matrix of targets', { target: ['x', 'name'] }, "target names 'name', whose type is string"],
  ['a weight of texts', { weight: 'name' }, "weight names 'name'"],
  ['no features', { features: [] }, 'features is an array; allowed is a list of column names'],
  [
    'no columns left',
    { target: ['x', 'y'], weight: 'w', features: undefined, text: 'error' },
    "column 'name' has texts",
  ],
  ['a batch of no rows', { batchSize: 0 }, 'batchSize is 0'],
  [
    'an old name beside the new one',
    { batchRows: 2, batchSize: 2 },
    'batchRows is the old name of batchSize',
  ],
  ['a misspelt option', { batchsize: 2 }, 'Did you mean batchSize?'],
  ['two seeds', { shuffle: { rows: 2, seed: 1, randomState: 1 } }, 'seed is the old name of randomState'],
  ['a shuffle of no rows', { shuffle: { rows: 0 } }, 'shuffle: rows is 0; allowed is a positive integer'],
  ['another policy', { missing: 'zero' }, "missing is 'zero'; allowed is 'error', 'mask'"],
])('refuses %s', async (_, options, says) => {
  await expectError(() => fromIterable(numbered, options), 'option', says);
});

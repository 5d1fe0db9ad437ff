// Many calls as one run: every call has the answer, the error and the end that it would have alone.

import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { ResultArray } from '../result.js';
import { batched } from './batched.js';
import { FastKMeansClassifier, type PredictedLabels } from './classifier.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, estimators, expectError, rows, small, smallOf, tasks } from './testing.js';

const { X, y } = rows(60);
const names = ['predict', 'predictProba', 'transform'] as const;
type Calls = Record<(typeof names)[number], (X: unknown, options?: object) => Promise<ResultArray>>;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A fitted model of an estimator, its calls one by one and batched, and how many rows each run had. */
async function both(task: (typeof tasks)[number], options: object = {}, more: object = {}) {
  const model = smallOf(task, more);
  await model.fit(X, estimators[task].targets(X));
  const together = batched(model as unknown as FastKMeansRegressor, options);
  const runs: number[] = [];
  for (const name of names) {
    if (!(name in model)) continue;
    const own = (model as unknown as Calls)[name].bind(model);
    vi.spyOn(model as unknown as Calls, name).mockImplementation((given, all) => {
      runs.push((given as { shape?: number[] }).shape?.[0] ?? (given as unknown[]).length);
      return own(given, all);
    });
  }
  const alone = await (async () => {
    const again = await estimators[task].load(await model.save());
    return again as unknown as Calls;
  })();
  return { model, alone, together: together as unknown as Calls & typeof together, runs };
}

/** Float32 products of one row and of many may round differently. */
const expectSame = (got: ResultArray, want: ResultArray): void => {
  expect(got.shape).toEqual(want.shape);
  expect(got.constructor).toBe(want.constructor);
  expect(got.data.constructor).toBe(want.data.constructor);
  const values = Array.from(got.data as ArrayLike<unknown>);
  Array.from(want.data as ArrayLike<unknown>).forEach((value, i) => {
    if (typeof value === 'number') expect(values[i]).toBeCloseTo(value, 4);
    else expect(values[i]).toBe(value);
  });
};

describe.each(tasks)('calls of a batched %s', (task) => {
  it.each(names)('of %s are one run, and each has its own answer', async (name) => {
    const { model, alone, together, runs } = await both(task);
    expect(name in together).toBe(name in model);
    if (!(name in model)) return;
    const parts = X.slice(0, 20).map((row, i) => (i % 5 === 3 ? [row, X[i + 20] as number[]] : [row]));
    const answers = await Promise.all(parts.map((part) => together[name](part)));
    expect(runs).toEqual([24]);
    for (const [i, part] of parts.entries()) expectSame(answers[i] as ResultArray, await alone[name](part));
  });

  it('with and without a mask are two runs', async () => {
    const { alone, together, runs } = await both(task);
    const featureMask = [1, 0, 1];
    const masks = [featureMask, undefined, [featureMask], undefined].map((mask) => ({ featureMask: mask }));
    const masked = X.slice(0, 4).map((row) => [[row[0], Number.NaN, row[2]]]);
    const given = masks.map((mask, i) => (mask.featureMask ? masked[i] : [X[i]]));
    const answers = await Promise.all(given.map((part, i) => together.predict(part, masks[i])));
    expect(runs).toEqual([2, 2]);
    for (const [i, part] of given.entries())
      expectSame(answers[i] as ResultArray, await alone.predict(part, masks[i]));
  });

  it('of sparse rows are one run', async () => {
    const { alone, together, runs } = await both(task, {}, { scaling: 'none' });
    const sparse = [0, 1, 2].map((i) => ({
      indptr: [0, 1, 3],
      indices: [i, 0, 2],
      values: [1, -0.5, 0.25],
      shape: [2, 3],
    }));
    const answers = await Promise.all([...sparse, [X[0]]].map((part) => together.predict(part)));
    expect(runs).toEqual([6, 1]);
    for (const [i, part] of sparse.entries())
      expectSame(answers[i] as ResultArray, await alone.predict(part));
  });
});

describe('a bad call among others', () => {
  const bad: readonly [string, unknown, object, string][] = [
    [
      'a row with NaN',
      [
        [1, 2, 3],
        [0, Number.NaN, 0],
      ],
      {},
      'NaN in row 1, column 1',
    ],
    ['a row too long', [[1, 2, 3, 4]], {}, 'X has 4 columns'],
    ['no matrix', 'text', {}, 'predict: X should be'],
    ['a mask of another width', [[1, 2, 3]], { featureMask: [1, 1] }, 'featureMask'],
    ['an unknown option', [[1, 2, 3]], { topK: 3 }, 'there is no option topK'],
    ['a signal that is none', [[1, 2, 3]], { signal: 'stop' }, "predict: signal is 'stop'"],
    ['options that are none', [[1, 2, 3]], null as unknown as object, 'the options should be an object'],
  ];

  it.each(bad)('%s: fails alone, as it would unbatched', async (_, wrong, options, message) => {
    const { together, alone } = await both('regressor');
    const good = X.slice(0, 6).map((row) => together.predict([row]));
    const failing = together.predict(wrong, options);
    const rest = X.slice(6, 9).map((row) => together.predict([row]));
    await expect(failing).rejects.toThrow(message);
    for (const [i, answer] of (await Promise.all([...good, ...rest])).entries())
      expectSame(answer, await alone.predict([X[i]]));
  });

  it('an error of the run becomes the error of the calls that cause it', async () => {
    const { model, together, runs } = await both('regressor');
    const spied = vi.mocked(model.predict);
    const own = spied.getMockImplementation() as (X: unknown) => Promise<never>;
    spied.mockImplementation((given) => {
      const { data, shape } = given as { data: Float32Array; shape: number[] };
      const at = data.indexOf(77);
      return at < 0 ? own(given) : Promise.reject(new Error(`row ${Math.floor(at / (shape[1] as number))}`));
    });
    const settled = await Promise.allSettled(
      [[X[0]], [X[1], [77, 0, 0]], [X[2]]].map((part) => together.predict(part)),
    );
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((settled[1] as PromiseRejectedResult).reason.message).toBe('row 1');
    expect(runs).toEqual([1, 1]);
  });

  it('of a model that has not been fitted, or was disposed of', async () => {
    const model = small();
    const together = batched(model);
    for (const says of ['has not been fitted', 'predict: this model was disposed']) {
      const calls = [0, 1].map((i) => together.predict([X[i] as number[]]));
      for (const call of calls) await expectError(() => call, { kind: 'state', says: [says] });
      await model.dispose();
    }
  });
});

describe('an aborted call', () => {
  it('rejects at once with the reason, leaves the run, and the others are answered', async () => {
    const { model, together, alone, runs } = await both('regressor');
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const spied = vi.mocked(model.predict);
    const own = spied.getMockImplementation() as typeof model.predict;
    spied.mockImplementation((...given) => ended.then(() => own(...given)));
    const [before, waiting, running] = [0, 1, 2].map(() => new AbortController()) as [
      AbortController,
      AbortController,
      AbortController,
    ];
    before.abort(new Error('before'));
    const calls = [before, waiting, running, new AbortController()].map(({ signal }, i) =>
      together.predict([X[i]], { signal }),
    );
    const outcomes = Promise.allSettled(calls);
    waiting.abort(new Error('waiting'));
    await new Promise((resolve) => setImmediate(resolve));
    running.abort(new Error('running'));
    await expect(calls[2]).rejects.toThrow('running');
    end();
    const [first, second, third, last] = await outcomes;
    for (const [outcome, reason] of [
      [first, 'before'],
      [second, 'waiting'],
      [third, 'running'],
    ] as const)
      expect((outcome as PromiseRejectedResult).reason.message).toBe(reason);
    expectSame((last as PromiseFulfilledResult<ResultArray>).value, await alone.predict([X[3]]));
    expect(runs).toEqual([2]);
    for (const { signal } of [before, waiting, running])
      expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('stops the timer if no other call waits', async () => {
    const { together } = await both('regressor', { maxWaitMs: 60_000 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }, i) => together.predict([X[i]], { signal }));
    const outcomes = Promise.allSettled(calls);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    for (const controller of controllers) controller.abort();
    expect(vi.getTimerCount()).toBe(0);
    expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true);
  });
});

describe('maxRows and maxWaitMs', () => {
  it('bound the rows of a run; a larger call is a run by itself', async () => {
    const { together, alone, runs } = await both('regressor', { maxRows: 4 });
    const parts = [...X.slice(0, 6).map((row) => [row]), X.slice(6, 9), X.slice(9, 14), [X[14]]];
    const answers = await Promise.all(parts.map((part) => together.predict(part)));
    expect([...runs].sort()).toEqual([2, 4, 4, 5]);
    for (const [i, part] of parts.entries()) expectSame(answers[i] as ResultArray, await alone.predict(part));
  });

  it('bound the wait of a call, which ends early when there are enough rows', async () => {
    const { together, runs } = await both('regressor', { maxRows: 3, maxWaitMs: 50 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const first = together.predict([X[0]]);
    await vi.advanceTimersByTimeAsync(49);
    const second = together.predict([X[1]]);
    expect(runs).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all([first, second]);
    expect(runs).toEqual([2]);
    await Promise.all(X.slice(0, 3).map((row) => together.predict([row])));
    expect(runs).toEqual([2, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [{ maxRows: 0 }, 'batched: maxRows is 0'],
    [{ maxRows: 1.5 }, 'batched: maxRows is 1.5'],
    [{ maxWaitMs: -1 }, 'batched: maxWaitMs is -1'],
    [{ maxWaitMs: Number.POSITIVE_INFINITY }, 'batched: maxWaitMs is Infinity'],
    [{ maxWaitMs: '5' }, "batched: maxWaitMs is '5'"],
    [{ maxSize: 5 }, 'there is no option maxSize'],
    [null, 'batched: the options should be an object'],
  ])('are refused as %o', async (options, message) => {
    await expectError(() => batched(small(), options as object), { kind: 'option', says: [message] });
  });

  it.each([[undefined], [null], [{}], ['model']])('batched refuses %s for a model', async (model) => {
    await expectError(() => batched(model as never), { kind: 'option', says: ['batched: model is'] });
  });
});

describe('batched', () => {
  it('calls with different options are separate runs', async () => {
    const { alone, together, runs } = await both('multiLabel');
    const options = [
      {},
      { strategy: 'top_k', k: 1 },
      { strategy: 'top_k', k: 2 },
      { k: 1, strategy: 'top_k' },
      {},
    ];
    const answers = await Promise.all(options.map((all, i) => together.predict([X[i]], all)));
    expect(runs).toEqual([2, 2, 1]);
    for (const [i, all] of options.entries())
      expectSame(answers[i] as ResultArray, await alone.predict([X[i]], all));
  });

  it('answers about the rows as they were when it was called', async () => {
    const { together, alone } = await both('regressor', { maxWaitMs: 5 });
    const data = Float32Array.from(X[0] as number[]);
    const mask = Float32Array.of(1, 1, 0);
    const call = together.predict({ data, shape: [1, 3] }, { featureMask: mask });
    data.fill(9);
    mask.fill(1);
    expectSame(await call, await alone.predict([X[0]], { featureMask: [1, 1, 0] }));
  });

  it('dispose answers waiting calls, refuses later ones, and leaves the model alone', async () => {
    const { model, together, runs } = await both('regressor', { maxWaitMs: 60_000 });
    const calls = X.slice(0, 3).map((row) => together.predict([row]));
    await Promise.resolve();
    await together.dispose();
    expect(runs).toEqual([3]);
    expect((await Promise.all(calls)).map(({ shape }) => shape)).toEqual([[1], [1], [1]]);
    await expectError(() => together.predict([X[0]]), { kind: 'state', says: ['batched', 'disposed'] });
    await together.dispose();
    together[Symbol.dispose]();
    await together[Symbol.asyncDispose]();
    expect((await model.predict(X)).shape).toEqual([60]);
  });

  it('has the calls of the estimator, with its types', async () => {
    const labels = batched(new FastKMeansClassifier<'a' | 'b'>({ backend }));
    type Given = NonNullable<Parameters<typeof labels.predict>[1]>;
    expectTypeOf<Given['signal']>().toEqualTypeOf<AbortSignal | undefined>();
    expectTypeOf(labels.predict).returns.resolves.toEqualTypeOf<PredictedLabels<'a' | 'b'>>();
    expectTypeOf(labels.predictProba).returns.resolves.toEqualTypeOf<ResultArray<Float32Array, number[][]>>();
    const sets = batched(new FastMultiLabelKMeansClassifier({ backend }));
    expectTypeOf<'top_k'>().toExtend<NonNullable<Parameters<typeof sets.predict>[1]>['strategy']>();
    const numbers = batched(new FastKMeansRegressor({ backend }));
    expectTypeOf(numbers).not.toHaveProperty('predictProba');
    expect('predictProba' in numbers).toBe(false);
    expect(y).toHaveLength(60);
  });
});

// Whoever reads a source closes it: when a call fails, when it is aborted, and where the source says nothing any more.

import { beforeAll, describe, expect, it } from 'vitest';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { FastMultiLabelKMeansClassifier } from '../estimators/multi-label.js';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { StandardScaler } from '../estimators/scalers.js';
import { backend } from '../estimators/testing.js';
import type { Source, SourceBatch } from '../state/source.js';
import { interruptible } from '../waiting.js';
import { labelled, sourceOf } from './testing.js';

const { X, y, classes } = labelled(200);
const options = { backend, nPrototypes: 8, heads: 1, metric: 'none' } as const;
const lists = classes.map((name) => [name]);

/** Models that have learned, and sources of what they learned. */
const estimators = {
  clusterer: async (algorithm: 'ema' | 'lloyd') => {
    const model = new FastKMeansClusterer({ backend, kInit: 5, algorithm, softType: 'gaussian' });
    await model.fit(X);
    return { model, y: undefined };
  },
  regressor: async () => {
    const model = new FastKMeansRegressor(options);
    await model.fit(X, y);
    return { model, y };
  },
  classifier: async () => {
    const model = new FastKMeansClassifier(options);
    await model.fit(X, classes);
    return { model, y: classes };
  },
  'multi-label': async () => {
    const model = new FastMultiLabelKMeansClassifier(options);
    await model.fit(X, lists);
    return { model, y: lists };
  },
};

interface Fitted {
  fitStream(source: Source, options: object): Promise<unknown>;
  fit(source: Source, options: object): Promise<unknown>;
  finetune(source: Source, options: object): Promise<unknown>;
  score(source: Source, options: object): Promise<unknown>;
  predict(source: Source, options: object): AsyncIterable<unknown>;
  predictProba(source: Source, options: object): AsyncIterable<unknown>;
}

const all = async (answers: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of answers);
};

const calls: Readonly<Record<string, (model: Fitted, source: Source, options: object) => Promise<unknown>>> =
  {
    fitStream: (model, source, options) => model.fitStream(source, { startRows: 40, ...options }),
    'fitStream by gradients': (model, source, options) =>
      model.fitStream(source, { startRows: 40, gradientStep: true, ...options }),
    fit: (model, source, options) => model.fit(source, options),
    finetune: (model, source, options) => model.finetune(source, { epochs: 2, ...options }),
    score: (model, source, options) => model.score(source, options),
    predict: (model, source, options) => all(model.predict(source, options)),
    predictProba: (model, source, options) => all(model.predictProba(source, options)),
  };

const cases = [
  ['clusterer by ema', () => estimators.clusterer('ema')],
  ['clusterer by lloyd', () => estimators.clusterer('lloyd')],
  ['regressor', estimators.regressor],
  ['classifier', estimators.classifier],
  ['multi-label', estimators['multi-label']],
] as const;

/** Gives so many batches of 20 rows, then nothing; counts who opens and closes it. */
function silent(y: readonly unknown[] | undefined, after: number) {
  const state = { opened: 0, closed: 0, waiting: (): void => undefined };
  const asked = new Promise<void>((resolve) => {
    state.waiting = resolve;
  });
  const source: Source = {
    columns: ['a', 'b', 'c'],
    rowCount: 200,
    [Symbol.asyncIterator](): AsyncIterator<SourceBatch> {
      state.opened++;
      const rows = sourceOf(X, y, 20)[Symbol.asyncIterator]();
      let given = 0;
      return {
        next: () => {
          if (given++ < after) return rows.next();
          state.waiting();
          return new Promise(() => undefined);
        },
        return: async () => {
          state.closed++;
          return { done: true, value: undefined };
        },
      };
    },
  };
  return { source, state, asked };
}

describe.each(cases)('%s', (kind, build) => {
  let model: Fitted;
  let y: readonly unknown[] | undefined;
  beforeAll(async () => {
    const built = await build();
    ({ y } = built);
    model = built.model as unknown as Fitted;
  });
  const its = Object.entries(calls).filter(([name]) => kind !== 'regressor' || name !== 'predictProba');

  it.each(its)('%s closes a source whose rows it refuses', async (_, call) => {
    const bad = X.map((row) => [...row]);
    (bad[3] as number[])[1] = Number.NaN;
    const source = sourceOf(bad, y, 20, { rowCount: 200 });
    await expect(call(model, source, {})).rejects.toThrow('NaN');
    expect([source.opened, source.closed]).toEqual([1, 1]);
  });

  it.each(its)('%s closes a source of other targets', async (name, call) => {
    // Nothing is asked of y there.
    if (name.startsWith('predict') || (kind.startsWith('clusterer') && name === 'score')) return;
    const source = sourceOf(
      X,
      X.map((): unknown => null),
      20,
      { rowCount: 200 },
    );
    await expect(call(model, source, {})).rejects.toThrow(/y/);
    expect([source.opened, source.closed]).toEqual([1, 1]);
  });

  // Before the first batch, within the rows of the start, and behind them.
  it.each(its.flatMap(([name, call]) => [0, 1, 5].map((after) => [name, after, call] as const)))(
    '%s ends with the reason of a signal where a source is silent after %i batches',
    async (_, after, call) => {
      const { source, state, asked } = silent(y, after);
      const controller = new AbortController();
      const run = call(model, source, { signal: controller.signal });
      const ended = expect(run).rejects.toThrow('enough');
      await asked;
      controller.abort(new Error('enough'));
      // Nothing else ends this wait.
      await ended;
      expect([state.opened, state.closed]).toEqual([1, 1]);
    },
  );

  it.each(its)('%s does not open a source for a signal that is aborted', async (_, call) => {
    const source = sourceOf(X, y, 20, { rowCount: 200 });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(call(model, source, { signal })).rejects.toThrow('enough');
    expect(source.opened).toBe(source.closed);
  });

  it('predict and predictProba close a source when their reader stops, and refuse options that they would ignore', async () => {
    for (const name of ['predict', 'predictProba'] as const) {
      if (!model[name]) continue;
      const source = sourceOf(X, y, 20);
      for await (const _ of model[name](source, {})) break;
      expect([source.opened, source.closed]).toEqual([1, 1]);
      await expect(all(model[name](source, { featureMask: [1, 1, 1] }))).rejects.toThrow(
        'no option featureMask',
      );
    }
  });
});

it('a scaler closes a source whose rows it refuses', async () => {
  const source = sourceOf([[1, Number.NaN]], undefined, 1);
  await expect(new StandardScaler().fit(source)).rejects.toThrow('NaN');
  expect([source.opened, source.closed]).toEqual([1, 1]);
});

describe('interruptible', () => {
  it('keeps no listener and no reaction of a wait that is over', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof remove;
    async function* numbers() {
      for (let i = 0; i < 1000; i++) yield i;
    }
    let most = 0;
    for await (const _ of interruptible(numbers(), signal)) most = Math.max(most, listeners);
    expect([most, listeners]).toEqual([1, 0]);
  });

  it('passes errors on, of the items and of closing, once', async () => {
    async function* failing() {
      yield 1;
      throw new Error('gone');
    }
    await expect(all(interruptible(failing(), undefined))).rejects.toThrow('gone');
    async function* stubborn() {
      try {
        yield 1;
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: an iteration that fails to close
        throw new Error('stays open');
      }
    }
    const run = async () => {
      for await (const _ of interruptible(stubborn(), undefined)) break;
    };
    await expect(run()).rejects.toThrow('stays open');
  });
});

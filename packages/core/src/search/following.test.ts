// An index follows the prototypes of its model: every answer is that of the state that the call was made on.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { backend, estimators, expectError, type Model, tasks } from '../estimators/testing.js';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';
import { exactIndex, type Watched } from './exact-index.js';
import { IndexKeeper } from './keeper.js';

const columns = 3;
const random = new Random(8);
const uniform = (rows: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => 2 * random.uniform() - 1));
const prototypes = uniform(120);
const X = uniform(40);

const targetsOf: Readonly<Record<Task, object>> = {
  clusterer: {},
  classifier: { owners: prototypes.map((_, k) => k % 30) },
  multiLabel: { owners: prototypes.map((_, k) => k % 30) },
  regressor: { targets: uniform(120) },
  quantileRegressor: { targets: uniform(120) },
};
const y: Readonly<Record<Task, unknown>> = {
  clusterer: undefined,
  classifier: X.map((_, i) => (i * 7) % 30),
  multiLabel: X.map((_, i) => Array.from({ length: 30 }, (_, c) => Number((i * 7) % 30 === c))),
  regressor: { data: new Float32Array(X.flat()), shape: [X.length, columns] },
  quantileRegressor: X.map(([a]) => a),
};

const routing = { softType: 'scaled', topK: 3 } as const;
const make = (task: Task, { index }: Watched, options: object = {}): Model =>
  estimators[task].make({
    initMode: { prototypes, ...targetsOf[task] },
    ...routing,
    index,
    useIndex: true,
    ...options,
  });

/** The answers of the same state without an index. */
async function wholeAnswers(
  task: Task,
  bytes: Uint8Array,
  x: unknown = X,
): Promise<ArrayLike<number | string>> {
  const whole = await estimators[task].load(bytes, { useIndex: false });
  return (await whole.predict(x)).data;
}

/** Numbers to float32 rounding, labels exactly. */
function expectSame(found: ArrayLike<number | string>, wanted: ArrayLike<number | string>): void {
  if (!(found instanceof Float32Array)) {
    expect(found).toEqual(wanted);
    return;
  }
  found.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(2e-6);
  });
}

const expectExact = async (task: Task, model: Model): Promise<void> =>
  expectSame((await model.predict(X)).data, await wholeAnswers(task, await model.save()));

const count = ({ calls }: Watched, kind: string): number =>
  calls.filter((call) => call.startsWith(kind)).length;

describe.each(tasks)('the index of a %s', (task) => {
  it('follows a stream of both phases', async () => {
    const watched = exactIndex();
    const model = make(task, watched, { learningRate: 0.3 });
    const first = (await model.predict(X)).data;
    for (const gradientStep of [false, true, true, false]) {
      await expectExact(task, model);
      await model.fitBatch(X, y[task], { gradientStep });
    }
    await expectExact(task, model);
    expect((await model.predict(X)).data).not.toEqual(first);
    expect(count(watched, 'update')).toBeGreaterThan(0);
  });

  it('goes on after a load, a freeze and a search for a rate', async () => {
    const watched = exactIndex();
    const model = make(task, watched);
    await model.fitBatch(X, y[task]);
    const bytes = await model.save();
    const again = await estimators[task].load(bytes, { index: watched.index });
    expect(await again.save()).toEqual(bytes);
    await expectExact(task, again);
    expect(count(watched, 'search 40')).toBeGreaterThan(0);
    again.freezePrototypes(prototypes.map((_, k) => k < 60));
    await again.findLearningRate(X, y[task]);
    const calls = watched.calls.length;
    await expectExact(task, again);
    expect(watched.calls.slice(calls)).toEqual(['search 40']);
    await again.fitBatch(X, y[task]);
    await expectExact(task, again);
  });
});

describe('the index of a classifier', () => {
  it('is built once for calls that come together', async () => {
    const watched = exactIndex();
    const model = make('classifier', watched);
    const all = await Promise.all([1, 2, 3].map(() => model.predict(X)));
    for (const { data } of all) expect(data).toEqual(all[0]?.data);
    expect(count(watched, 'build')).toBe(1);
  });

  it('answers each of two interleaved calls by its own state', async () => {
    const watched = exactIndex();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow: Watched = {
      ...watched,
      index: (options) => {
        const index = watched.index(options);
        const search = index.search.bind(index);
        index.search = async (rows, wanted) => {
          if (rows.shape[0] === X.length) await gate;
          return search(rows, wanted);
        };
        return index;
      },
    };
    const model = make('classifier', slow);
    const bytes = [await model.save()];
    const first = model.predict(X);
    await model.fitBatch(
      X.map((x) => x.map((v) => 3 * v)),
      y.classifier,
    );
    bytes.push(await model.save());
    const second = model.predict(X);
    open();
    const answers = await Promise.all([first, second]);
    expect(answers[0].data).not.toEqual(answers[1].data);
    for (const [i, { data }] of answers.entries())
      expect(data).toEqual(await wholeAnswers('classifier', bytes[i] as Uint8Array));
  });

  it('follows prototypes that sampled steps move in place', async () => {
    const watched = exactIndex();
    const options = { softType: 'scaled', negativeSampling: 5, learningRate: 0.2 };
    const model = make('classifier', watched, options);
    for (let step = 0; step < 4; step++) {
      await model.fitBatch(X, y.classifier, { gradientStep: true });
      await model.fitBatch(X, y.classifier, { gradientStep: true });
      await expectExact('classifier', model);
    }
  });

  it('has the prototypes of new classes, and not those that were pruned', async () => {
    const watched = exactIndex();
    const model = make('classifier', watched, { minWeight: 1.2, pruneEvery: 2 });
    await expectExact('classifier', model);
    await model.fitBatch(
      X.map((x) => x.map((v) => v + 4)),
      X.map((_, i) => 30 + (i % 8)),
    );
    const grown = model.grid.ages.data.length;
    expect(grown).toBeGreaterThan(120);
    await expectExact('classifier', model);
    await model.fitBatch(X, y.classifier);
    expect(model.grid.ages.data.length).toBeLessThan(grown);
    await expectExact('classifier', model);
    expect(count(watched, 'build')).toBe(3);
  });
});

describe('load', () => {
  it('takes an index, and names the package where one is missing', async () => {
    const watched = exactIndex();
    const model = make('clusterer', watched);
    const bytes = await model.save();
    const says = ['load:', 'useIndex', 'checkpoint', '@fkm/index-hnsw', 'useIndex: false'];
    await expectError(() => FastKMeansClusterer.load(bytes, { backend }), { kind: 'option', says });
    // Without the option it was saved with the default: 'auto' where there is an index.
    const auto = await make('clusterer', watched, { useIndex: undefined }).save();
    for (const options of [{ backend }, { backend, index: watched.index }])
      await FastKMeansClusterer.load(auto, options);
    const plain = await make('clusterer', watched, { useIndex: false }).save();
    const sure = await FastKMeansClusterer.load(plain, { backend, index: watched.index, useIndex: true });
    await sure.predict(X);
    expect(count(watched, 'search 40')).toBe(1);
  });
});

describe('useIndex', () => {
  it('names the package where there is no index', async () => {
    for (const task of tasks)
      await expectError(() => estimators[task].make({ useIndex: true }), {
        kind: 'option',
        says: ['useIndex true', "hnswIndex of '@fkm/index-hnsw'"],
      });
  });

  it('refuses what asks all prototypes', async () => {
    const { index } = exactIndex();
    const all = { index, useIndex: true, topK: -1 } as const;
    for (const task of ['regressor', 'classifier', 'multiLabel'] as const) {
      await expectError(() => estimators[task].make({ ...all, softType: 'scaled' }), {
        kind: 'option',
        says: ['useIndex true', 'set topK'],
      });
    }
    await expectError(() => estimators.multiLabel.make({ ...all, heads: 1, negativeSampling: 4 }), {
      kind: 'option',
      says: ['useIndex true', 'set topK'],
    });
    estimators.clusterer.make({ ...all, softType: 'scaled' });
    for (const task of tasks) estimators[task].make(all);
  });
});

describe('IndexKeeper', () => {
  const points = (rows: readonly number[][]) => ({
    prototypes: ndarray(rows.flat(), [rows.length, columns]),
    featureWeights: undefined,
  });
  const rows = { data: Float32Array.from(X.flat()), rows: X.length, columns };
  const shifted = (by: number) => points(prototypes.map((p) => p.map((v) => v + by)));

  it('moves what moved a little, and builds anew what has left its place', async () => {
    const watched = exactIndex();
    const keeper = new IndexKeeper(watched.index, 'euclidean');
    const ask = async (of: Parameters<IndexKeeper['nearest']>[0]) =>
      (await keeper.nearest(of, rows, 4))[0]?.indices;
    const fresh = async (of: Parameters<IndexKeeper['nearest']>[0]) =>
      (await new IndexKeeper(exactIndex().index, 'euclidean').nearest(of, rows, 4))[0]?.indices;
    await ask(shifted(0));
    await ask(shifted(0));
    // The places are the same, however often their arrays were replaced.
    expect(count(watched, 'update')).toBe(0);
    // Small steps add up to a long way.
    for (let step = 1; step <= 8; step++) {
      const of = shifted(0.01 * step);
      expect(await ask(of)).toEqual(await fresh(of));
    }
    expect(count(watched, 'build')).toBe(2);
    expect(count(watched, 'update 120')).toBe(7);
    const one = points(prototypes.map((p, k) => p.map((v) => (k === 5 ? 7 : v + 0.08))));
    expect(await ask(one)).toEqual(await fresh(one));
    expect(watched.calls.at(-2)).toBe('update 1');
  });

  it('starts anew after an index that failed half way', async () => {
    const watched = exactIndex();
    let fails = false;
    const keeper = new IndexKeeper((options) => {
      const index = watched.index(options);
      const update = index.update.bind(index);
      index.update = async (indices, some) => {
        await update(indices, some);
        if (fails) throw new Error('half way');
      };
      return index;
    }, 'euclidean');
    await keeper.nearest(shifted(0), rows, 2);
    fails = true;
    await expect(keeper.nearest(shifted(0.01), rows, 2)).rejects.toThrow('half way');
    expect(count(watched, 'dispose')).toBe(1);
    fails = false;
    const again = await keeper.nearest(shifted(0), rows, 2);
    expect(again).toEqual(
      await new IndexKeeper(exactIndex().index, 'euclidean').nearest(shifted(0), rows, 2),
    );
    keeper.dispose();
    expect(count(watched, 'dispose')).toBe(2);
  });

  it('keeps an index a head, and lets go of those of heads that are no more', async () => {
    const watched = exactIndex();
    const keeper = new IndexKeeper(watched.index, 'l1');
    const weighed = (heads: number) => ({
      ...shifted(0),
      featureWeights: ndarray(
        Array.from({ length: heads * columns }, (_, i) => (i % 4) / 4),
        [heads, columns],
      ),
    });
    expect(await keeper.nearest(weighed(3), rows, 2)).toHaveLength(3);
    expect(await keeper.nearest(weighed(2), rows, 2)).toHaveLength(2);
    expect(count(watched, 'dispose')).toBe(1);
    expect(count(watched, 'build 40')).toBe(3);
    expect(count(watched, 'build 60')).toBe(2);
  });
});

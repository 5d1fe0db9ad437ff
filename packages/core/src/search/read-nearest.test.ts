// Answers of models that search by an index, beside those of the same models without one.

import { describe, expect, it, vi } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { backend, estimators, expectError, type Model, tasks } from '../estimators/testing.js';
import { type Distance, distanceNames } from '../formulas/distances.js';
import type { Graph } from '../graph/ir.js';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';
import { exactIndex } from './exact-index.js';
import { SoftmaxTail, type Split } from './softmax-tail.js';

const [count, columns] = [240, 4];
const random = new Random(3);
const uniform = (rows: number, width: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: width }, () => 2 * random.uniform() - 1));
const prototypes = uniform(count, columns);
// More rows than a block has.
const X = uniform(90, columns);

const targetsOf: Readonly<Record<Task, object>> = {
  clusterer: {},
  // Classes of which most are in no block, and whose owners come in no order.
  classifier: { owners: prototypes.map((_, k) => `c${(k * 7) % 200}`) },
  multiLabel: { owners: prototypes.map((_, k) => (k * 7) % 20) },
  regressor: { targets: uniform(count, 2) },
  quantileRegressor: { targets: uniform(count, 3) },
};

const pair = (
  task: Task,
  options: object,
  index = exactIndex(),
): { indexed: Model; whole: Model; calls: string[] } => {
  const all = { initMode: { prototypes, ...targetsOf[task] }, scaling: 'none', ...options };
  return {
    indexed: estimators[task].make({ ...all, index: index.index, useIndex: true }),
    whole: estimators[task].make(all),
    calls: index.calls,
  };
};

/** Everything that can be read off a model. */
async function readAll(model: Model, x: unknown = X): Promise<Record<string, ArrayLike<number | string>>> {
  const reads: Record<string, ArrayLike<number | string>> = { predict: (await model.predict(x)).data };
  if (model.predictProba) reads.probabilities = (await model.predictProba(x)).data;
  if ('tuneThresholds' in model)
    for (const strategy of ['gap', 'top_k'])
      reads[strategy] = (
        await model.predict(x, { strategy, ...(strategy === 'top_k' ? { k: 3 } : {}) })
      ).data;
  return reads;
}

/** Largest difference of numbers, relative beyond 1; names and whole numbers have to be equal. */
function expectSame(a: Record<string, ArrayLike<number | string>>, b: typeof a, within: number): void {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [name, values] of Object.entries(a)) {
    const others = b[name] as ArrayLike<number | string>;
    expect(values.length, name).toBe(others.length);
    if (!(values instanceof Float32Array)) expect(values, name).toEqual(others);
    else {
      for (let i = 0; i < values.length; i++) {
        const [got, wanted] = [values[i] as number, others[i] as number];
        if (Math.abs(got - wanted) > within * Math.max(1, Math.abs(wanted)))
          expect(got, `${name} ${i}`).toBe(wanted);
      }
    }
  }
}

// float32 products of other sizes
const rounding = 2e-6;

const distances: readonly Distance[] = distanceNames;
const routings = [
  { softType: 'hard' },
  { softType: 'mean', topK: 3 },
  { softType: 'scaled', topK: 5 },
  { softType: 'softmax_scaled', topK: 4, temperature: 0.1 },
  { softType: 'gaussian', topK: 3 },
] as const;

describe.each(tasks)('a %s', (task) => {
  it.each(distances.flatMap((distance) => routings.map((routing) => ({ distance, ...routing }))))(
    'answers as without an index: %o',
    async (options) => {
      const { indexed, whole, calls } = pair(task, options);
      const answers = [await readAll(indexed), await readAll(whole)] as const;
      expectSame(...answers, rounding);
      expect(calls).toContain(`search ${X.length}`);
    },
  );
});

interface Inside {
  state: { arrays: Record<string, NdArray> };
}
/** Other bandwidths than a model starts with, and other biases, each another one. */
function reach(models: readonly Model[], logBandwidth: number): void {
  for (const model of models) {
    const { state } = model as unknown as Inside;
    const { length } = (state.arrays.bias as NdArray).data;
    const each = (value: (k: number) => number): NdArray =>
      ndarray(
        Float32Array.from({ length }, (_, k) => value(k)),
        [length],
      );
    state.arrays = {
      ...state.arrays,
      logBandwidth: each((k) => logBandwidth + 0.3 * Math.sin(k)),
      bias: each(Math.cos),
    };
  }
}

interface Setting {
  readonly task: Task;
  readonly distance: Distance;
  readonly heads: number;
  readonly prototypeTargets?: string;
}

describe('the softmax of all prototypes', () => {
  const routed = tasks.filter((task) => task !== 'clusterer');
  const settings = routed.flatMap((task) =>
    distances.flatMap((distance) =>
      [1, 3].flatMap((heads): readonly Setting[] =>
        task === 'classifier'
          ? ['vectors', 'owners'].map((prototypeTargets) => ({ task, distance, heads, prototypeTargets }))
          : [{ task, distance, heads }],
      ),
    ),
  );

  it.each(settings)(
    'is that of the nearest where bandwidths are narrow: %o',
    async ({ task, ...options }) => {
      const { indexed, whole, calls } = pair(task, options);
      reach([indexed, whole], options.distance === 'euclidean' ? 3.5 : 4);
      const split = vi.spyOn(SoftmaxTail.prototype, 'split');
      const answer = await readAll(indexed);
      const shares = split.mock.results.map(({ value }) => (value as Split).others);
      split.mockRestore();
      // Most are answered by the index, within its stated error.
      expect(shares.filter((s) => s <= 1e-4).length).toBeGreaterThan(0.8 * shares.length);
      expect(calls).toContain(`search ${X.length}`);
      expectSame(answer, await readAll(whole), 1e-4);
    },
  );

  it('gives a class whose lead the estimated softmax tail cannot close', async () => {
    const fed: string[][] = [];
    const watching = {
      ...backend,
      compile: (graph: Graph) => {
        fed.push(graph.inputs.map(({ name }) => name));
        return backend.compile(graph);
      },
    };
    const sides = { owners: prototypes.map((p) => ((p[0] as number) > 0 ? 'right' : 'left')) };
    const options = { prototypeTargets: 'owners', initMode: { prototypes, ...sides } };
    const { indexed, whole } = pair('classifier', { ...options, backend: watching });
    reach([indexed, whole], 1.9);
    const split = vi.spyOn(SoftmaxTail.prototype, 'split');
    const clear = X.filter(([a]) => Math.abs(a as number) > 0.5);
    const { data } = await indexed.predict(clear);
    const shares = split.mock.results.map(({ value }) => (value as Split).others);
    split.mockRestore();
    expect(shares.filter((s) => s > 1e-4).length).toBeGreaterThan(0.6 * shares.length);
    // Every row by the index: no graph of all prototypes was asked for.
    expect(fed.length).toBeGreaterThan(0);
    expect(fed.every((names) => names.includes('offsets'))).toBe(true);
    expect(data).toEqual((await whole.predict(clear)).data);
    expect(fed.some((names) => !names.includes('offsets'))).toBe(true);
    // Close calls are for all prototypes.
    const close = X.filter(([a]) => Math.abs(a as number) < 0.1);
    expect((await indexed.predict(close)).data).toEqual((await whole.predict(close)).data);
  });

  it('is computed from all prototypes where bandwidths are wide', async () => {
    const { indexed, whole } = pair('regressor', {});
    reach([indexed, whole], -1);
    expect(await readAll(indexed)).toEqual(await readAll(whole));
  });

  it('finds a distant prototype with a wide bandwidth', async () => {
    const { indexed, whole } = pair('regressor', { topK: 2 });
    reach([indexed, whole], 6);
    for (const model of [indexed, whole]) {
      const { arrays } = (model as unknown as Inside).state;
      (arrays.logBandwidth as NdArray).data[17] = -6;
    }
    expectSame(await readAll(indexed), await readAll(whole), 1e-4);
  });
});

describe('an index serves', () => {
  it.each(['float16', 'bfloat16'])('prototypes in %s', async (dtype) => {
    for (const task of tasks) {
      const { indexed, whole } = pair(task, { dtype, softType: 'scaled', topK: 3 });
      expectSame(await readAll(indexed), await readAll(whole), rounding);
    }
  });

  it.each(distances)('feature weights, some of them 0, with %s', async (distance) => {
    const featureWeights = [1, 0, 0.3, 0.05];
    for (const task of tasks) {
      const { indexed, whole } = pair(task, { distance, featureWeights, softType: 'scaled', topK: 3 });
      expectSame(await readAll(indexed), await readAll(whole), rounding);
    }
  });

  it('local linear models, scaled features, and answers in the units of the target', async () => {
    const rows = uniform(400, columns);
    const y = rows.map(([a, b]) => 1000 + 50 * (a as number) * (b as number));
    const options = { nPrototypes: 80, heads: 1, metric: 'none', prototypeModel: 'linear', topK: 3 };
    const index = exactIndex();
    const indexed = estimators.regressor.make({ ...options, index: index.index, useIndex: true });
    const whole = estimators.regressor.make(options);
    for (const model of [indexed, whole]) {
      await model.fit(rows, y, { maxIters: 2 });
      reach([model], 4);
    }
    expectSame(await readAll(indexed), await readAll(whole), rounding);
    expect(index.calls).toContain(`search ${X.length}`);
  });

  it('thresholds of labels', async () => {
    const y = X.map((_, i) =>
      Array.from({ length: 20 }, (_, c) => Number((i * 5) % 20 === c || c % 7 === i % 7)),
    );
    const { indexed, whole } = pair('multiLabel', { softType: 'scaled', topK: 5 });
    for (const model of [indexed, whole])
      await (model as unknown as { tuneThresholds(x: unknown, y: unknown): Promise<unknown> }).tuneThresholds(
        X,
        y,
      );
    expectSame(await readAll(indexed), await readAll(whole), rounding);
  });

  it('each row by its own candidates, whatever rows came with it', async () => {
    // Finds every third prototype alone, which ones depends on the row.
    const lossy = exactIndex();
    const some: typeof lossy.index = (options) => {
      const index = lossy.index(options);
      const search = index.search.bind(index);
      index.search = async (rows, wanted) => {
        const found = await search(rows, 3 * wanted);
        const indices = new Int32Array(rows.shape[0] * wanted).fill(-1);
        for (let row = 0; row < rows.shape[0]; row++) {
          const turn = Math.abs(Math.round(1e4 * (rows.data[row * columns] as number))) % 3;
          const own = found.indices.subarray(row * 3 * wanted, (row + 1) * 3 * wanted);
          own
            .filter((k) => k % 3 === turn)
            .slice(0, wanted)
            .forEach((k, i) => {
              indices[row * wanted + i] = k;
            });
        }
        return {
          indices,
          distances: found.distances.subarray(0, indices.length),
          shape: [rows.shape[0], wanted],
        };
      };
      return index;
    };
    for (const task of tasks) {
      const { indexed, whole } = pair(task, { softType: 'scaled', topK: 3 }, { ...lossy, index: some });
      const together = await indexed.predict(X);
      expect(together.data).not.toEqual((await whole.predict(X)).data);
      const width = together.data.length / X.length;
      for (let row = 0; row < X.length; row += 9) {
        const alone = await indexed.predict([X[row]]);
        const own = Array.from(together.data as ArrayLike<number>).slice(row * width, (row + 1) * width);
        if (alone.data instanceof Float32Array)
          own.forEach((v, t) => {
            expect(Math.abs(v - (alone.data[t] as number))).toBeLessThan(rounding);
          });
        else expect(Array.from(alone.data as ArrayLike<number>)).toEqual(own);
      }
    }
  });

  it('rows of which it finds too few prototypes from all of them', async () => {
    const index = exactIndex();
    const few: typeof index.index = (options) => {
      const made = index.index(options);
      const search = made.search.bind(made);
      made.search = async (rows, wanted) => {
        const found = await search(rows, wanted);
        for (let i = 0; i < found.indices.length; i++) if (i % wanted >= 2) found.indices[i] = -1;
        return found;
      };
      return made;
    };
    for (const task of tasks) {
      const { indexed, whole } = pair(task, { softType: 'mean', topK: 3 }, { ...index, index: few });
      expectSame(await readAll(indexed), await readAll(whole), rounding);
    }
  });
});

describe('without the index are', () => {
  const mask = X.map((_, i) => [1, i % 2, 1, 1]);
  const csr = {
    indptr: X.map((_, i) => i * columns).concat(X.length * columns),
    indices: X.flatMap(() => [0, 1, 2, 3]),
    values: X.flat(),
    shape: [X.length, columns],
  };

  it.each(tasks)('masked and sparse rows, similarities, and no rows, of a %s', async (task) => {
    const { indexed, whole, calls } = pair(task, { softType: 'scaled', topK: 3, distance: 'cosine' });
    const read = async (model: Model) => ({
      masked: (await model.predict(X, { featureMask: mask })).data,
      sparse: (await model.predict(csr)).data,
      similarities: (await model.transform(X)).data,
      none: (await model.predict({ data: new Float32Array(0), shape: [0, columns] })).data,
    });
    expect(await read(indexed)).toEqual(await read(whole));
    expect(calls).toEqual([]);
  });

  it.each([
    ['clusterer', 16, 4096],
    ['clusterer', 17, 40_000],
    ['classifier', 16, 4096],
    ['classifier', 17, 10_000],
  ] as const)(
    "with 'auto' grids below the crossover: a %s, %i rows, %i prototypes",
    async (task, rows, size) => {
      const x = uniform(rows, 2);
      for (const [count, searches] of [
        [size - 1, 0],
        [size, 1],
      ] as const) {
        const { index, calls } = exactIndex();
        const owners = Array.from({ length: count }, (_, k) => `c${k % 5}`);
        const grid = { prototypes: uniform(count, 2), ...(task === 'classifier' ? { owners } : {}) };
        const options = { initMode: grid, softType: 'scaled', scaling: 'none' };
        const model = estimators[task].make({ ...options, index });
        const whole = estimators[task].make(options);
        expect((await model.predict(x)).data).toEqual((await whole.predict(x)).data);
        expect(calls.filter((call) => call === `search ${rows}`).length).toBe(searches);
      }
    },
  );

  it("softmaxes over a few thousand prototypes with 'auto'", async () => {
    const { index, calls } = exactIndex();
    const targets = uniform(5000, 1);
    const model = estimators.regressor.make({ initMode: { prototypes: uniform(5000, 2), targets }, index });
    await model.predict(uniform(2, 2));
    expect(calls).toEqual([]);
  });

  it("models whose index lacks their distance, with 'auto'", async () => {
    const grid = { prototypes: uniform(4096, 2) };
    const { index } = exactIndex('l1');
    const model = estimators.clusterer.make({ initMode: grid, distance: 'l1', index });
    const whole = estimators.clusterer.make({ initMode: grid, distance: 'l1' });
    const x = uniform(5, 2);
    for (let turn = 0; turn < 2; turn++)
      expect((await model.predict(x)).data).toEqual((await whole.predict(x)).data);
    const sure = estimators.clusterer.make({ initMode: grid, distance: 'l1', index, useIndex: true });
    await expectError(() => sure.predict(x), { kind: 'option', says: ["no distance 'l1'"] });
  });
});

// A model that is disposed of gives back what it held, and nothing that others hold.

import { describe, expect, it } from 'vitest';
import { countedBackend } from '../reference/counted.js';
import { exactIndex } from '../search/exact-index.js';
import { sourceOf } from '../streams/testing.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, estimators, expectError, rows, smallOf, tasks } from './testing.js';

const { X } = rows(60);
type Open = Record<string, (...given: unknown[]) => unknown>;

/** Every public call and property by name, with what it is given. */
const calls = (y: unknown): Readonly<Record<string, readonly unknown[] | 'property'>> => ({
  fit: [X, y],
  fitBatch: [X, y],
  finetune: [X, y, { epochs: 1 }],
  findLearningRate: [X, y],
  fitStream: [sourceOf(X, y as unknown[] | undefined, 30)],
  lossAndGradients: [X, y],
  tuneThresholds: [X, y],
  predict: [X],
  predictProba: [X],
  transform: [X],
  score: [X, y],
  save: [],
  saveFile: ['never-written'],
  freezePrototypes: [],
  grid: 'property',
  encoding: 'property',
  classes: 'property',
  labels: 'property',
  inertia: 'property',
  nIter: 'property',
});

describe.each(tasks)('a disposed %s', (task) => {
  const y = estimators[task].targets(X);

  it('refuses every call with a StateError that names the call', async () => {
    const model = smallOf(task);
    await model.fit(X, y);
    await (model as unknown as Open).dispose?.();
    const open = model as unknown as Open;
    let asked = 0;
    for (const [name, given] of Object.entries(calls(y))) {
      if (!(name in model)) continue;
      const call = given === 'property' ? () => open[name] : () => open[name]?.(...given);
      await expectError(call, { kind: 'state', says: [`${name}: this model was disposed`] });
      asked++;
    }
    expect(asked).toBeGreaterThanOrEqual(14);
    expect(String(model)).toMatch(/^Fast\w+\(disposed\)$/);
  });

  it.each(['predict', 'predictProba'])('refuses %s of a source', async (name) => {
    const model = smallOf(task);
    if (!(name in model)) return;
    await model.fit(X, y);
    const source = sourceOf(X, undefined, 30);
    const batches = (model as unknown as Open)[name]?.(source) as AsyncIterable<unknown>;
    const read = async (): Promise<void> => {
      for await (const _ of batches) await (model as unknown as Open).dispose?.();
    };
    await expectError(read, { kind: 'state', says: [`${name}: this model was disposed`] });
    expect([source.given, source.closed]).toEqual([2, 1]);
  });

  it('answers the calls that were made before, and those that wait for their turn', async () => {
    const made = smallOf(task, { randomState: 1 });
    const model = smallOf(task, { randomState: 1 });
    for (const one of [made, model]) await one.fit(X, y);
    const asked = (one: typeof model): Promise<unknown>[] => [
      one.predict(X),
      one.score(X, y),
      one.transform(X),
      one.fitBatch(X, y),
      one.finetune(X, y, { epochs: 2 }),
      one.fit(X, y, { maxIters: 2 }),
    ];
    const wanted = await Promise.all(asked(made));
    const running = asked(model);
    let ended = false;
    const all = Promise.all(running).finally(() => {
      ended = true;
    });
    await (model as unknown as Open).dispose?.();
    expect(ended).toBe(true);
    expect(await all).toEqual(wanted);
  });

  it('may be disposed of twice, by name, by using and by await using', async () => {
    const model = smallOf(task) as unknown as FastKMeansRegressor;
    const first = model.dispose();
    expect(model.dispose()).toBe(first);
    model[Symbol.dispose]();
    await Promise.all([first, model[Symbol.asyncDispose]()]);
  });

  it('gives back all graphs, but for those of other models', async () => {
    const { backend: counting, live } = countedBackend();
    const one = smallOf(task, { backend: counting });
    const other = smallOf(task, { backend: counting });
    const third = smallOf(task, {
      backend: counting,
      ...(task === 'clusterer' ? { kInit: 5 } : { nPrototypes: 5 }),
    });
    for (const model of [one, other, third]) {
      await model.fit(X, y);
      await model.finetune(X, y, { epochs: 1 });
      await model.predict(X);
    }
    const all = live.length;
    await (one as unknown as Open).dispose?.();
    expect(live).toHaveLength(all);
    await (third as unknown as Open).dispose?.();
    const shared = live.length;
    expect(shared).toBeLessThan(all);
    const before = await other.predict(X);
    await (other as unknown as Open).dispose?.();
    expect(live).toEqual([]);
    expect(before.shape[0]).toBe(60);
  });
});

describe('graphs that a grid has left behind', () => {
  const clouds = (label: number) => ({
    X: Array.from({ length: 12 }, (_, i) => [label, i / 12]),
    y: Array.from({ length: 12 }, (_, i) => `class ${i % 2 ? label : Math.max(0, label - 1)}`),
  });

  it('go when classes come, so that a stream of them holds as many graphs as its first ones', async () => {
    const { backend: counting, live } = countedBackend();
    const model = new FastKMeansClassifier({ backend: counting, scaling: 'none' });
    let after5 = 0;
    for (let label = 0; label < 25; label++) {
      const { X, y } = clouds(label);
      await model.fitBatch(X, y);
      await model.predict(X);
      if (label === 5) after5 = live.length;
    }
    expect(model.classes).toHaveLength(25);
    expect(live.length).toBeLessThanOrEqual(after5);
    expect(live.length).toBeLessThan(8);
  });

  it('are made anew for a class that comes where they read the grid, and no others', async () => {
    const counted = countedBackend();
    const model = new FastKMeansClassifier({ backend: counted.backend, scaling: 'none' });
    const learn = async (label: number): Promise<void> => {
      const { X, y } = clouds(label);
      await model.fitBatch(X, y);
      await model.predict(X);
    };
    for (let label = 0; label < 4; label++) await learn(label);
    const { compiled } = counted;
    for (let label = 4; label < 10; label++) await learn(label);
    // One that assigns, one that answers; the start of the new prototypes goes on with its own.
    expect(counted.compiled - compiled).toBe(2 * 6);
  });

  it('go with labels that come, and with pruned prototypes', async () => {
    const { backend: counting, live } = countedBackend();
    const labels = new FastMultiLabelKMeansClassifier({ backend: counting, nPrototypes: 6, heads: 1 });
    const clusters = new FastKMeansClusterer({ backend: counting, kInit: 8, minWeight: 0.5 });
    const counts: number[] = [];
    for (let c = 1; c < 12; c++) {
      await labels.fitBatch(
        X,
        X.map((_, i) => [`l${i % c}`]),
      );
      await labels.predict(X);
      counts.push(live.length);
    }
    expect(Math.max(...counts.slice(3))).toBeLessThanOrEqual(Math.max(...counts.slice(0, 3)));
    await clusters.fit(X, undefined, { algorithm: 'ema' });
    await clusters.predict(X);
    const before = live.length;
    await labels.dispose();
    expect(live.length).toBeLessThan(before);
    await clusters.dispose();
    expect(live).toEqual([]);
  });

  it('can go while a call reads with them', async () => {
    const { backend: counting } = countedBackend();
    const model = new FastKMeansClassifier({ backend: counting, scaling: 'none' });
    const { X, y } = clouds(1);
    await model.fitBatch(X, y);
    const many = { data: new Float32Array(30_000).map((_, i) => i % 3), shape: [15_000, 2] as const };
    const wanted = await model.predict(many);
    const reading = model.predict(many);
    for (const label of [2, 3]) {
      const next = clouds(label);
      await model.fitBatch(next.X, next.y);
    }
    expect(await reading).toEqual(wanted);
  });

  it('stay while the grid keeps its shape', async () => {
    const counted = countedBackend();
    const model = smallOf('regressor', { backend: counted.backend });
    const { y } = rows(60);
    for (let i = 0; i < 2; i++) await model.fit(X, y);
    const { compiled } = counted;
    for (let i = 0; i < 3; i++) await model.fit(X, y);
    expect(counted.compiled).toBe(compiled);
  });
});

describe('a model that is disposed of', () => {
  it('disposes of its index once its searches have ended', async () => {
    const { index, calls } = exactIndex();
    const model = new FastKMeansClusterer({ backend, kInit: 20, index, useIndex: true });
    await model.fit(X);
    const wanted = await model.predict(X);
    calls.length = 0;
    const asked = model.predict(X);
    await model.dispose();
    expect(await asked).toEqual(wanted);
    expect(calls).toEqual(['search 60', 'dispose']);
  });

  it('lets models on the same backend go on, and the backend outlives it', async () => {
    const { backend: counting } = countedBackend();
    const { y } = rows(60);
    await using kept = new FastKMeansRegressor({ backend: counting, nPrototypes: 6, heads: 1 });
    await kept.fit(X, y);
    const wanted = await kept.predict(X);
    {
      await using gone = await FastKMeansRegressor.load(await kept.save(), { backend: counting });
      expect(await gone.predict(X)).toEqual(wanted);
    }
    expect(await kept.predict(X)).toEqual(wanted);
  });
});

describe.each(tasks)('%s on a backend that is disposed of during a call', (task) => {
  it.each(['fit', 'finetune', 'predict'])(
    '%s rejects with a StateError, the model as it was',
    async (name) => {
      const { backend: counting } = countedBackend();
      const y = estimators[task].targets(X);
      const model = smallOf(task, { backend: counting });
      await model.fit(X, y);
      await model.predict(X);
      const before = await model.save();
      const call = (model as unknown as Open)[name]?.(
        X,
        ...(name === 'predict' ? [] : [y]),
      ) as Promise<unknown>;
      const settled = expectError(() => call, {
        kind: 'state',
        says: ['this backend (counted) was disposed'],
      });
      await counting.dispose();
      await settled;
      expect(await model.save()).toEqual(before);
    },
  );
});

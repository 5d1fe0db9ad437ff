// Models stored in halves: what is kept, what answers are made of, and that training sees none of it.

import { describe, expect, it } from 'vitest';
import { encodeHalf } from '../dtype.js';
import type { Backend } from '../graph/backend.js';
import type { ModelState } from '../state/state.js';
import { type StoredDType, trainable, withoutMasters } from '../state/storage.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import type { PrototypeModel } from './model.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, expectError, given, rows, small, triangle, withoutDigests } from './testing.js';

const { X, y } = rows(60);
const halves = ['float16', 'bfloat16'] as const;
type Model = PrototypeModel<unknown>;
type Shared = { readonly dtype: StoredDType; readonly batchSize?: number };

/** Every estimator with targets of its kind, and what it answers. */
const estimators = {
  regressor: {
    make: (options: Shared) => small(options) as unknown as Model,
    load: (bytes: Uint8Array) => FastKMeansRegressor.load(bytes, { backend }) as unknown as Promise<Model>,
    targets: y,
    answers: ['predict', 'transform'],
  },
  classifier: {
    make: (options: Shared) =>
      new FastKMeansClassifier({ backend, nPrototypes: 6, heads: 2, ...options }) as unknown as Model,
    load: (bytes: Uint8Array) => FastKMeansClassifier.load(bytes, { backend }) as unknown as Promise<Model>,
    targets: y.map((v) => (v > 1 ? 'high' : v > -1 ? 'middle' : 'low')),
    answers: ['predict', 'predictProba', 'transform'],
  },
  multiLabel: {
    make: (options: Shared) =>
      new FastMultiLabelKMeansClassifier({
        backend,
        nPrototypes: 6,
        heads: 1,
        ...options,
      }) as unknown as Model,
    load: (bytes: Uint8Array) =>
      FastMultiLabelKMeansClassifier.load(bytes, { backend }) as unknown as Promise<Model>,
    targets: y.map((v) => [Number(v > 0), Number(v > 1), Number(Math.abs(v) < 1)]),
    answers: ['predict', 'predictProba', 'transform'],
  },
  clusterer: {
    make: (options: Shared) => new FastKMeansClusterer({ backend, kInit: 5, ...options }) as unknown as Model,
    load: (bytes: Uint8Array) => FastKMeansClusterer.load(bytes, { backend }) as unknown as Promise<Model>,
    targets: undefined,
    answers: ['predict', 'predictProba', 'transform', 'score'],
  },
} as const;
const cases = Object.entries(estimators).flatMap(([name, estimator]) =>
  halves.map((dtype) => [name, dtype, estimator] as const),
);

const stateOf = (model: unknown): ModelState => (model as { state: ModelState }).state;
const put = (model: unknown, state: ModelState): void => {
  (model as { state: ModelState }).state = state;
};
const answer = (model: Model, name: string): Promise<unknown> =>
  (model as unknown as Record<string, (X: unknown) => Promise<unknown>>)[name]?.(X) as Promise<unknown>;

async function trained({ make, targets }: (typeof cases)[number][2], dtype: StoredDType): Promise<Model> {
  const model = make({ dtype });
  await model.fit(X, targets, { maxIters: 2 });
  await model.finetune(X, targets, { epochs: 2 });
  await model.fitBatch(X, targets, { gradientStep: true });
  return model;
}

/** Type and size in bytes of each tensor of a checkpoint. */
function tensorsOf(bytes: Uint8Array): Record<string, [dtype: string, size: number]> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__, ...tensors } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return Object.fromEntries(
    Object.entries(tensors as Record<string, { dtype: string; data_offsets: [number, number] }>).map(
      ([name, { dtype, data_offsets: place }]) => [name, [dtype, place[1] - place[0]]],
    ),
  );
}

describe.each(cases)('%s in %s', (_name, dtype, estimator) => {
  it('learns as in float32, and answers as a float32 model with rounded arrays', async () => {
    const [half, full] = [await trained(estimator, dtype), await trained(estimator, 'float32')];
    const learned = stateOf(full);
    // Thresholds are chosen by what answers, which is rounded.
    const { thresholds } = stateOf(half).arrays;
    const own = thresholds && { thresholds };
    expect(trainable(stateOf(half))).toEqual({ ...learned, arrays: { ...learned.arrays, ...own } });
    const rounded = trainable(withoutMasters(stateOf(half)));
    expect(rounded.arrays.prototypes).not.toEqual(learned.arrays.prototypes);
    put(full, rounded);
    for (const name of estimator.answers) expect(await answer(half, name)).toEqual(await answer(full, name));
  });

  it('is stored in half of the bytes, each value the nearest half', async () => {
    const [half, full] = [await trained(estimator, dtype), await trained(estimator, 'float32')];
    const bytes = await half.save({ optimiser: false });
    const [small, large] = [tensorsOf(bytes), tensorsOf(await full.save({ optimiser: false }))];
    expect(Object.keys(small).sort()).toEqual(Object.keys(large).sort());
    for (const [name, [, size]] of Object.entries(large)) {
      const code = dtype === 'float16' ? 'F16' : 'BF16';
      if (['prototypes', 'targets'].includes(name)) expect(small[name]).toEqual([code, size / 2]);
      else expect(small[name]).toEqual(large[name]);
    }
    const { prototypes } = half.grid;
    expect(prototypes.dtype).toBe(dtype);
    expect(prototypes.data).toEqual(encodeHalf(full.grid.prototypes.data, dtype));
    const again = await estimator.load(bytes);
    expect(again.grid).toEqual(half.grid);
    for (const name of estimator.answers) expect(await answer(again, name)).toEqual(await answer(half, name));
  });

  it('goes on to the bit from its bytes, and without masters from what is stored', async () => {
    const model = await trained(estimator, dtype);
    const { targets } = estimator;
    const again = await estimator.load(await model.save());
    const rough = await estimator.load(await model.save({ optimiser: false }));
    for (const call of [
      (m: Model) => m.fitBatch(X, targets),
      (m: Model) => m.fitBatch(X, targets, { gradientStep: true }),
      (m: Model) => m.finetune(X, targets, { epochs: 1 }),
    ]) {
      expect(await call(again)).toEqual(await call(model));
      await call(rough);
    }
    expect(await again.save()).toEqual(await model.save());
    const [near, exact] = [trainable(stateOf(rough)), trainable(stateOf(model))];
    near.arrays.prototypes?.data.forEach((p, i) => {
      expect(Math.abs(p - (exact.arrays.prototypes?.data[i] as number))).toBeLessThan(0.1);
    });
  });

  it('learns from a stream what fit learns', async () => {
    const { targets, make } = estimator;
    const [streamed, fitted] = [make({ dtype, batchSize: 20 }), make({ dtype, batchSize: 20 })];
    await fitted.fit(X, targets, { shuffle: false, maxIters: 1 });
    for (let begin = 0; begin < X.length; begin += 20) {
      const end = begin + 20;
      await streamed.fitBatch(X.slice(begin, end), targets?.slice(begin, end));
    }
    expect(await streamed.save()).toEqual(await fitted.save());
  });
});

describe('halves', () => {
  it.each(halves)('do not stall a stream of steps smaller than their spacing (%s)', async (dtype) => {
    const old = { prototypes: [[1]], ages: [10_000] };
    const clusterer = new FastKMeansClusterer({ backend, dtype, initMode: old });
    for (let i = 0; i < 1000; i++) await clusterer.fitBatch([[2]]);
    // A mean of 10,000 rows at 1 and 1000 at 2; one row moves it by 1e-4, halves there lie 1e-3 or 8e-3 apart.
    const { prototypes } = trainable(withoutMasters(stateOf(clusterer))).arrays;
    const spacing = dtype === 'float16' ? 2 ** -10 : 2 ** -7;
    expect(Math.abs((prototypes?.data[0] as number) - (1 + 1 / 11))).toBeLessThanOrEqual(spacing / 2);
  });

  it.each(halves)('do not stall gradient steps either (%s)', async (dtype) => {
    const start = { prototypes: [[1, 1]], targets: [1] };
    const options = { dtype, initMode: start, learningRate: 1e-4, prototypeDropout: 0 } as const;
    const model = new FastKMeansRegressor({ backend, ...options });
    for (let i = 0; i < 300; i++) await model.fitBatch([[1, 1]], [2], { gradientStep: true });
    expect((await model.predict([[1, 1]])).data[0]).toBeGreaterThan(1.02);
  });

  it.each(halves)('are what a given grid is stored in from the start (%s)', async (dtype) => {
    // A number of float32, or it would be a center in 64 bits and not stored in halves.
    const initMode = { prototypes: [[1 / 3, 0]], targets: [Math.fround(1 / 3)] };
    const model = given({ dtype, initMode });
    expect(model.grid.prototypes).toEqual({
      data: encodeHalf([1 / 3, 0], dtype),
      shape: [1, 2],
      dtype,
    });
    const third = trainable(withoutMasters(stateOf(model))).arrays.targets?.data[0];
    expect(third).not.toBe(Math.fround(1 / 3));
    expect((await model.predict([[5, 5]])).data[0]).toBeCloseTo(third as number, 6);
    expect(trainable(stateOf(model)).arrays.prototypes?.data[0]).toBe(Math.fround(1 / 3));
    model.freezePrototypes();
    await model.fitBatch([[1, 1]], [1]);
    expect(trainable(stateOf(model)).arrays.prototypes?.data[0]).toBe(Math.fround(1 / 3));
  });

  it.each(halves)('are widened for a backend that lacks them, to the same answers (%s)', async (dtype) => {
    const lacking: Backend = {
      ...backend,
      flags: { ...backend.flags, dtypes: ['float32', 'int32', 'bool'] },
      upload: (array) => {
        expect(['float32', 'int32', 'bool']).toContain(array.dtype);
        return backend.upload(array);
      },
    };
    const model = await trained(estimators.regressor, dtype);
    const there = await FastKMeansRegressor.load(await model.save(), { backend: lacking });
    expect(await there.predict(X)).toEqual(await answer(model, 'predict'));
    expect(await there.transform(X)).toEqual(await answer(model, 'transform'));
  });

  it('show targets in the units of y in float32, which reaches farther', async () => {
    const model = small({ dtype: 'float16' });
    const prices = y.map((v) => 1e6 + 1e5 * v);
    await model.fit(X, prices, { maxIters: 1 });
    const { targets } = model.grid;
    expect(targets?.dtype).toBe('float32');
    expect(targets?.data.every((t) => t > 5e5 && t < 1.5e6)).toBe(true);
  });

  it('refuse numbers beyond their range, and the model stays as it was', async () => {
    const model = new FastKMeansClusterer({ backend, kInit: 1, dtype: 'float16' });
    await model.fitBatch([[1, 2]]);
    const before = await model.save();
    const says = ['fitBatch: prototypes reach', 'float16 ends at 65504', "dtype 'float32'"];
    await expectError(() => model.fitBatch([[1e6, 2]]), { kind: 'data', says });
    expect(await model.save()).toEqual(before);
    const far = { ...triangle, targets: [0, 1, 7e4] };
    await expectError(() => given({ dtype: 'float16', initMode: far }), {
      kind: 'data',
      says: ['targets reach 70000 in row 2'],
    });
  });

  it('are an option that is checked, also in a file', async () => {
    await expectError(() => small({ dtype: 'float64' as never }), {
      kind: 'option',
      says: ["dtype is 'float64'", "'float32', 'float16', 'bfloat16'"],
    });
    const swap = (bytes: Uint8Array, from: string, to: string): Uint8Array => {
      const text = Array.from(bytes, (b) => String.fromCharCode(b)).join('');
      expect(text).toContain(from);
      return Uint8Array.from(text.replace(from, to), (c) => c.charCodeAt(0));
    };
    const load = (bytes: Uint8Array) => () => FastKMeansRegressor.load(bytes, { backend });
    const [model, plain] = [small({ dtype: 'float16' }), small()];
    await model.fit(X, y, { maxIters: 1 });
    await plain.fit(X, y, { maxIters: 1 });
    const bytes = withoutDigests(await model.save());
    const says = (text: string) => ({ kind: 'format' as const, says: [text] });
    await expectError(load(swap(bytes, '"F16"', '"F8E"')), says('has the type'));
    await expectError(load(swap(bytes, 'float16\\"', 'float32\\"')), says('there is no array master.'));
    const short = withoutDigests(await plain.save());
    await expectError(load(swap(short, 'float32\\"', 'float16\\"')), says('should be float16['));
    await expectError(
      load(swap(bytes, 'master.targets', 'master.frozens')),
      says('there is no array master.'),
    );
  });
});

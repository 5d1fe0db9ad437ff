// Behaviour of the estimators on a backend, independent of numbers: results repeat to the bit, states continue, and only rows with
// weight count.

import { jsBackend } from '@fkm/core';
import { type Backend, distanceNames, type SoftType, softTypeNames } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { expectNear } from './compare.js';
import { friedman } from './data.js';
import type { Model, Options } from './model.js';
import { type Estimator, estimators, type Subject, subjects } from './table.js';

const { X, y: numbers } = friedman(96, 'behaviour');

const make = ({ make: create, options }: Subject, backend: Backend, more: Options = {}): Model =>
  create({ backend, randomState: 3, ...options, ...more });

async function train(subject: Subject, backend: Backend, more: Options = {}): Promise<Model> {
  const model = make(subject, backend, more);
  const y = subject.targets(numbers);
  await model.fit(X, y, { maxIters: 2 });
  await model.finetune(X, y, { epochs: 2 });
  return model;
}

/** The estimators that devices check. A behaviour uses the same kernels for every estimator, so one is mostly enough. */
const onDevices = {
  'the same seed gives the same bits, another one others': ['regressor'],
  'fitBatch over a stream is fit without shuffling': ['classifier'],
  'a loaded model predicts the same bits and goes on to the same bits': ['multiLabel'],
  'findLearningRate moves nothing': [],
  'frozen prototypes stay in both phases': ['regressor'],
  'what a mask hides is not seen': ['multiLabel'],
  'rows of weight 0 are as good as absent': ['classifier'],
  'no rows give no predictions': ['clusterer'],
  // Training in both phases and answers, compared with the reference: this one needs every estimator.
  'predicts on another backend as on its own': ['clusterer', 'classifier', 'multiLabel', 'regressor'],
} as const satisfies Readonly<Record<string, readonly (keyof typeof estimators)[]>>;

const forEach = (
  key: keyof typeof onDevices,
  run: (backend: Backend, subject: Subject, y: readonly unknown[] | undefined) => Promise<void>,
  of: readonly Subject[] = subjects(),
): Check[] =>
  of.map((subject) => ({
    key: `${subject.name}: ${key}`,
    thorough: !(subject.first && (onDevices[key] as readonly string[]).includes(subject.estimator)),
    run: (backend) => run(backend, subject, subject.targets(numbers)),
  }));

/** The rows of an array with one row a prototype. */
const rowsOf = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): number[][] => {
  const width = data.length / (shape[0] as number);
  return Array.from({ length: shape[0] as number }, (_, k) =>
    Array.from(data).slice(k * width, (k + 1) * width),
  );
};

const repeats: Check[] = [
  ...forEach('the same seed gives the same bits, another one others', async (backend, subject) => {
    const model = await train(subject, backend);
    const bytes = await model.save();
    expect(await (await train(subject, backend)).save()).toEqual(bytes);
    const other = await train(subject, backend, { randomState: 4 });
    expect(other.grid.prototypes.data).not.toEqual(model.grid.prototypes.data);
  }),
  ...forEach('fitBatch over a stream is fit without shuffling', async (backend, subject, y) => {
    const batchSize = 40;
    const fitted = make(subject, backend, { batchSize });
    await fitted.fit(X, y, { shuffle: false, maxIters: 1 });
    const streamed = make(subject, backend, { batchSize });
    for (let begin = 0; begin < X.length; begin += batchSize) {
      await streamed.fitBatch(X.slice(begin, begin + batchSize), y?.slice(begin, begin + batchSize));
    }
    expect(await streamed.save()).toEqual(await fitted.save());
  }),
  ...forEach(
    'a loaded model predicts the same bits and goes on to the same bits',
    async (backend, subject, y) => {
      const model = await train(subject, backend);
      await model.fitBatch(X, y, { gradientStep: true });
      const again = await subject.load(await model.save(), { backend });
      expect(await again.predict(X)).toEqual(await model.predict(X));
      for (const call of [
        (m: Model) => m.fitBatch(X, y, { gradientStep: true }),
        (m: Model) => m.fitBatch(X, y),
        (m: Model) => m.finetune(X, y, { epochs: 1 }),
      ]) {
        expect(await call(again)).toEqual(await call(model));
      }
      expect(await again.save()).toEqual(await model.save());
    },
  ),
  ...forEach(
    'findLearningRate moves nothing',
    async (backend, subject, y) => {
      const model = await train(subject, backend);
      await model.fitBatch(X, y, { gradientStep: true });
      const before = await model.save();
      const { learningRate, curve } = await model.findLearningRate(X, y);
      expect(await model.save()).toEqual(before);
      expect(curve.length).toBeGreaterThan(30);
      expect(curve[0]?.learningRate).toBeCloseTo(1e-7, 12);
      expect(curve.map((point) => point.learningRate)).toContain(learningRate);
      expect(learningRate).toBeGreaterThan(1e-7);
      expect(learningRate).toBeLessThan(10);
    },
    subjects('first'),
  ),
];

const states: Check[] = [
  ...forEach('frozen prototypes stay in both phases', async (backend, subject, y) => {
    const model = await train(subject, backend);
    // Leaves moments behind, which would move a prototype further.
    await model.fitBatch(X, y, { gradientStep: true });
    const { prototypes, targets, frozen } = model.grid;
    const held = Array.from(frozen.data, (_, k) => k % 3 === 0);
    model.freezePrototypes(held);
    await model.fitBatch(X, y, { gradientStep: true });
    await model.fitBatch(X, y);
    await model.fit(X, y, { maxIters: 1 });
    await model.finetune(X, y, { epochs: 1 });
    const after = model.grid;
    const [before, now] = [rowsOf(prototypes), rowsOf(after.prototypes)];
    const [said, says] = [targets && rowsOf(targets), after.targets && rowsOf(after.targets)];
    let moved = 0;
    held.forEach((stays, k) => {
      if (stays) expect(now[k]).toEqual(before[k]);
      if (stays) expect(says?.[k]).toEqual(said?.[k]);
      if (!stays && now[k]?.[0] !== before[k]?.[0]) moved++;
    });
    expect(moved).toBeGreaterThan(0);
  }),
  ...forEach('what a mask hides is not seen', async (backend, subject, y) => {
    const featureMask = X.map((x, i) => x.map((_, j) => Number((i + j) % 4 > 0)));
    const hiding = (value: number) => X.map((x, i) => x.map((v, j) => (featureMask[i]?.[j] ? v : value)));
    const run = async (rows: number[][]) => {
      const model = make(subject, backend);
      await model.fit(rows, y, { featureMask, maxIters: 2 });
      await model.finetune(rows, y, { featureMask, epochs: 1 });
      return { bytes: await model.save(), answers: await subject.numbers(model, rows, { featureMask }) };
    };
    const [nan, large] = [await run(hiding(Number.NaN)), await run(hiding(1e30))];
    expect(Array.from(nan.answers).every(Number.isFinite)).toBe(true);
    expect(large).toEqual(nan);
  }),
  ...forEach('rows of weight 0 are as good as absent', async (backend, subject, y) => {
    const model = await train(subject, backend);
    const other = await subject.load(await model.save(), { backend });
    const counts = (_: unknown, i: number): boolean => i % 3 > 0;
    const sampleWeight = X.map((_, i) => (counts(_, i) ? 1 + (i % 5) : 0));
    const own = { X: X.filter(counts), y: y?.filter(counts) };
    const weights = { sampleWeight: sampleWeight.filter(counts) };
    const { loss } = await model.lossAndGradients(X, y, { sampleWeight });
    const part = await other.lossAndGradients(own.X, own.y, weights);
    expectNear([loss], [part.loss], 'loss');
    expectNear(
      [await model.fitBatch(X, y, { sampleWeight })],
      [await other.fitBatch(own.X, own.y, weights)],
      'shift',
    );
    for (const name of ['prototypes', 'targets', 'ages'] as const) {
      expectNear(model.grid[name]?.data ?? [], other.grid[name]?.data ?? [], name);
    }
  }),
  ...forEach('no rows give no predictions', async (backend, subject) => {
    const model = await train(subject, backend);
    const { data, shape } = await model.predict([]);
    const all = await model.predict(X);
    expect([data.length, ...shape]).toEqual([0, 0, ...all.shape.slice(1)]);
    expect((await model.transform([])).shape).toEqual([0, model.grid.prototypes.shape[0]]);
    const one = await subject.numbers(model, X.slice(0, 1));
    expectNear(one, Array.from(await subject.numbers(model, X)).slice(0, one.length), 'one row');
  }),
  ...forEach('predicts on another backend as on its own', async (backend, subject) => {
    const model = await train(subject, backend);
    const other = await subject.load(await model.save(), { backend: jsBackend() });
    expectNear(await subject.numbers(model, X), await subject.numbers(other, X), 'answer');
  }),
];

/** Two columns of targets, where they may be several. */
const wide = ({ targets, severalColumns }: Estimator): readonly unknown[] | undefined => {
  const y = targets(numbers);
  return severalColumns ? y?.map((v, i) => [v, (X[i] as number[])[0]]) : y;
};

/** If answers do not use routing weights, one soft type represents those without parameters. */
const softTypesOf = ({ routes }: Estimator): SoftType[] =>
  softTypeNames.filter(
    (softType) => routes({ softType }) || softType === 'gaussian' || softType === 'scaled',
  );

const settings = Object.entries(estimators).flatMap(([name, estimator]) =>
  softTypesOf(estimator).flatMap((softType) =>
    distanceNames.map((distance) => ({ name, estimator, softType, distance })),
  ),
);

const combinations: Check[] = settings.map(({ name, estimator, softType, distance }) => ({
  key: `${name}: ${softType} routing by ${distance}: finite numbers`,
  run: async (backend) => {
    const gaussian = softType === 'gaussian';
    const options = { softType, distance, randomState: 3, ...estimator.small(gaussian) };
    const model = estimator.make({ backend, ...options });
    const y = wide(estimator);
    await model.fit(X, y, { maxIters: 2 });
    if ((softType === 'hard' || softType === 'mean') && estimator.routes(options)) {
      await expect(model.finetune(X, y)).rejects.toThrow("use softType 'gaussian'");
    } else {
      const history = await model.finetune(X, y, { epochs: 2, evalFraction: 0 });
      expect(history.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    }
    const answers = Array.from(await estimator.numbers(model, X));
    expect(answers.length % X.length).toBe(0);
    expect(answers.every(Number.isFinite)).toBe(true);
    expect(await model.score(X, y)).toBeGreaterThanOrEqual(estimator.least(gaussian));
  },
}));

/** Bits that repeat, states that go on, every combination of routing and distance. */
export const behaviourChecks = (): Record<'repeats' | 'states' | 'combinations', Check[]> => ({
  repeats,
  states,
  combinations,
});

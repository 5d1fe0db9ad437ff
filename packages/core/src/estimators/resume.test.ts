// Training that goes on from a checkpoint is training that was never interrupted: the same bits, whatever a model remembers.

import { describe, expect, it } from 'vitest';
import type { Csr } from '../data/matrix.js';
import type { Task } from '../state/options.js';
import type { Grid } from './grid.js';
import { answers, estimators, type Model, rows, smallOf, tasks } from './testing.js';

// Slopes want a hundred.
const { X } = rows(100);
const featureMask = X.map((_, i) => [1, Number(i % 3 > 0), Number(i % 5 > 0)]);
const sparse: Csr = {
  indptr: [0, ...X.map((_, i) => 2 * i + 2)],
  indices: X.flatMap((_, i) => [i % 2, 2]),
  values: Float32Array.from(X.flatMap((x, i) => [x[i % 2] as number, x[2] as number])),
  shape: [100, 3],
};

interface Kind {
  readonly tasks?: readonly Task[];
  readonly options?: (task: Task) => object;
  readonly X?: unknown;
  /** Of every training call. */
  readonly call?: object;
  /** Before the save. */
  readonly before?: (model: Model) => void;
  /** What has to be in the model for this to be a test of it; a text is the name of a tensor. */
  readonly remembers?: string | ((grid: Grid) => boolean);
}

const classifying = ['classifier', 'multiLabel'] as const;
const supervised = [...classifying, 'regressor'] as const;

const kinds: Readonly<Record<string, Kind>> = {
  'moments of Adam': { remembers: 'adam.v.prototypes' },
  'heads and slopes': {
    tasks: supervised,
    options: () => ({ heads: 2, metric: 'slopes' }),
    remembers: 'scaler.metric',
  },
  'learned feature weights': {
    options: () => ({ autoFeatureWeights: true }),
    remembers: 'state.variances',
  },
  'ages of coordinates': { call: { featureMask }, remembers: 'state.coordinateAges' },
  'masters of halves': { options: () => ({ dtype: 'float16' }), remembers: 'master.prototypes' },
  'masters of masked halves whose weights are learned': {
    options: () => ({ dtype: 'bfloat16', autoFeatureWeights: true }),
    call: { featureMask },
    remembers: 'master.prototypes',
  },
  lines: {
    tasks: ['regressor'],
    options: () => ({ prototypeModel: 'linear' }),
    remembers: 'state.moments',
  },
  'thresholds of labels': {
    tasks: ['multiLabel'],
    call: { evalFraction: 0.25 },
    remembers: 'thresholds',
  },
  'draws of classes': {
    tasks: classifying,
    options: (task) => ({
      negativeSampling: 1,
      ...(task === 'classifier' ? { prototypeTargets: 'owners' } : {}),
    }),
  },
  'frozen prototypes': {
    before: (model) => model.freezePrototypes(Array.from(model.grid.ages.data, (_, k) => k % 2 === 0)),
    remembers: ({ frozen }) => frozen.data.includes(1) && frozen.data.includes(0),
  },
  'how many batches ago it was pruned': { options: () => ({ minWeight: 25, pruneEvery: 4, halfLife: 100 }) },
  'how far rows are, of a stream that forgets': {
    options: () => ({ halfLife: 50, distance: 'l1' }),
    remembers: 'state.spread',
  },
  'whom it pushed away': {
    tasks: classifying,
    options: () => ({ repulsionFactor: 0.5, distance: 'cosine' }),
  },
  'the one factor of sparse rows': { X: sparse },
};

type Step = (m: Model, rows: unknown, y: unknown, call: { featureMask?: unknown }) => Promise<unknown>;

const batch =
  (options: object): Step =>
  (m, x, y, { featureMask: mask }) =>
    m.fitBatch(x, y, { ...options, ...(mask ? { featureMask: mask } : {}) });
const finetune: Step = (m, x, y, call) => m.finetune(x, y, { epochs: 1, ...call });
const fit: Step = (m, x, y, call) => m.fit(x, y, { maxIters: 1, ...call });
const [average, gradient] = [batch({}), batch({ gradientStep: true })];

const cases = Object.entries(kinds).flatMap(([name, kind]) =>
  (kind.tasks ?? tasks).map((task) => [name, task, kind] as const),
);

describe('a checkpoint remembers', () => {
  it.each(cases)('%s: %s', async (_name, task, kind) => {
    const { options = () => ({}), X: given = X, call = {}, before, remembers } = kind;
    const { load, targets } = estimators[task];
    const y = targets(X);
    const model = smallOf(task, options(task));
    for (const step of [average, gradient, finetune, gradient, average, gradient])
      await step(model, given, y, call);
    before?.(model);
    const bytes = await model.save();
    const text = new TextDecoder().decode(bytes);
    if (typeof remembers === 'string') expect(text).toContain(`"${remembers}":{`);
    else if (remembers) expect(remembers(model.grid)).toBe(true);
    const again = await load(bytes);
    expect(await answers(again, given)).toEqual(await answers(model, given));
    for (const step of [average, gradient, average, finetune, gradient, fit]) {
      expect(await step(again, given, y, call)).toEqual(await step(model, given, y, call));
      expect(await again.save()).toEqual(await model.save());
    }
  });

  it.each(classifying)('classes that it has met since, and goes on to meet others: %s', async (task) => {
    const { load, targets } = estimators[task];
    const y = targets(X) as (string | readonly string[])[];
    const other = (name: string) => y.map((label) => (typeof label === 'string' ? name : [name]));
    const model = smallOf(task);
    await model.fitBatch(X, y);
    await model.fitBatch(X.slice(0, 9), other('later').slice(0, 9));
    const again = await load(await model.save());
    for (const label of ['later', 'latest']) {
      for (const each of [again, model]) {
        await each.fitBatch(X.slice(0, 20), [...y.slice(0, 10), ...other(label).slice(10, 20)]);
      }
      expect(await again.save()).toEqual(await model.save());
    }
  });
});

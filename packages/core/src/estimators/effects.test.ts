// Every option of every estimator does something that users see: a row an option, and none may be missing.

import { describe, expect, it } from 'vitest';
import type { OptionName, Task } from '../state/options.js';
import { answers, estimators, type Model, rows, smallOf, tasks } from './testing.js';

const { X } = rows(120);

/** Where an option shows. */
const shows = {
  answers: async (model: Model, y: unknown) => {
    await model.fit(X, y, { maxIters: 2 });
    return answers(model, X);
  },
  prototypes: async (model: Model, y: unknown) => {
    await model.fit(X, y, { maxIters: 2 });
    return Array.from(model.grid.prototypes.data);
  },
  stream: async (model: Model, y: unknown) => {
    for (const begin of [0, 40, 80]) {
      const part = <T>(all: readonly T[]): T[] => all.slice(begin, begin + 40);
      await model.fitBatch(part(X), y && part(y as unknown[]));
    }
    return Array.from(model.grid.prototypes.data);
  },
  step: async (model: Model, y: unknown) => {
    await model.fitBatch(X, y);
    await model.fitBatch(X, y, { gradientStep: true });
    return Array.from((model.grid.targets ?? model.grid.prototypes).data);
  },
  loss: async (model: Model, y: unknown) => {
    await model.fitBatch(X, y);
    return [(await model.lossAndGradients(X, y)).loss];
  },
} as const;

/** [where it shows, one setting, another]: beside the options of the small model. */
type Row = readonly [keyof typeof shows, object, object];
type Table = { readonly [N in OptionName]?: Row };

/** Its size is what each start says. */
const unsized = { nPrototypes: undefined, heads: undefined, metric: undefined };
const soft = { ...unsized, softType: 'scaled' };
const drawn = { ...unsized, initMode: 'kmeans++' };

const shared: Table = {
  distance: ['answers', { distance: 'l1' }, {}],
  softType: ['answers', soft, unsized],
  topK: ['answers', { topK: 2 }, {}],
  scaling: ['answers', { scaling: 'standard' }, { scaling: 'quantile' }],
  featureWeights: ['answers', { scaling: 'none', featureWeights: [1, 0.1, 0.1] }, { scaling: 'none' }],
  autoFeatureWeights: ['answers', { autoFeatureWeights: true }, {}],
  l2Reg: ['loss', { l2Reg: 0.5 }, {}],
  diversityReg: ['loss', { diversityReg: 2 }, {}],
  minWeight: ['prototypes', { minWeight: 30 }, {}],
  pruneEvery: ['stream', { minWeight: 50, pruneEvery: 1 }, { minWeight: 50 }],
  halfLife: ['stream', { halfLife: 20 }, {}],
  batchSize: ['prototypes', { batchSize: 30 }, {}],
  learningRate: ['step', { learningRate: 0.1 }, {}],
  randomState: ['prototypes', { randomState: 1 }, {}],
  arithmetic: ['stream', { distance: 'cosine', arithmetic: 'original' }, { distance: 'cosine' }],
};

const supervised: Table = {
  ...shared,
  initMode: ['answers', { ...unsized, initMode: 'random' }, drawn],
  heads: ['answers', { heads: 2 }, {}],
  nPrototypes: ['answers', { nPrototypes: 7 }, {}],
  metric: ['answers', { metric: 'slopes' }, {}],
  prototypeDropout: ['step', { prototypeDropout: 0.6 }, { prototypeDropout: 0 }],
};

const classifying: Table = {
  ...supervised,
  kInit: ['answers', { ...drawn, kInit: 2 }, { ...drawn, kInit: 3 }],
  repulsionFactor: ['prototypes', { ...drawn, repulsionFactor: 0.5 }, drawn],
};

const scaled = (options: object): object => ({ ...soft, softType: 'softmax_scaled', ...options });

const numeric: Table = {
  ...supervised,
  temperature: ['answers', scaled({ temperature: 0.1 }), scaled({})],
  kTargets: ['answers', { ...drawn, kTargets: 3 }, { ...drawn, kTargets: 4 }],
  kFeatures: ['answers', { ...drawn, kFeatures: 3 }, { ...drawn, kFeatures: 4 }],
  targetDistance: ['answers', { ...drawn, kTargets: 4, targetDistance: 'cosine' }, { ...drawn, kTargets: 4 }],
};

const effects: Readonly<Record<Task, Table>> = {
  quantileRegressor: { ...numeric, quantiles: ['answers', { quantiles: [0.2, 0.5, 0.8] }, {}] },
  regressor: {
    ...numeric,
    prototypeModel: ['answers', { prototypeModel: 'linear' }, {}],
    targetAssignment: ['answers', { ...drawn, targetAssignment: 'hard' }, drawn],
  },
  classifier: {
    ...classifying,
    temperature: ['answers', scaled({ temperature: 0.1 }), scaled({})],
    prototypeTargets: ['answers', { prototypeTargets: 'owners' }, {}],
    labelSmoothing: ['loss', { labelSmoothing: 0 }, {}],
  },
  multiLabel: {
    ...classifying,
    aslGammaNeg: ['loss', { aslGammaNeg: 4 }, {}],
    aslGammaPos: ['loss', { aslGammaPos: 1 }, {}],
    aslClip: ['loss', { aslClip: 0.2 }, {}],
    aslVariant: ['loss', { aslVariant: 'original' }, {}],
  },
  clusterer: {
    ...shared,
    softType: ['answers', { softType: 'scaled' }, {}],
    temperature: [
      'answers',
      { softType: 'softmax_scaled', temperature: 0.1 },
      { softType: 'softmax_scaled' },
    ],
    initMode: ['prototypes', { initMode: 'random' }, {}],
    kInit: ['answers', { kInit: 4 }, {}],
  },
};

/** Options whose effect is no other answer of a small model, and what holds them. */
const elsewhere: { readonly [N in OptionName]?: string } = {
  backend: 'runs the graphs: packages/conformance',
  useCompile: 'is accepted, and always so',
  useIndex: 'finds the same answers: search/',
  index: 'search/',
  dtype: 'estimators/dtype.test.ts',
  negativeSampling: 'training/sampling',
  thresholdMetric: 'fitting/thresholds',
  algorithm: 'fitting/lloyd',
  columns: 'describes columns of tables alone: estimators/tables.test.ts',
  missing: 'is about cells of tables alone: estimators/tables.test.ts',
};
/** Options that one estimator accepts without an effect, for the sake of the original's signature, and why. */
const idle: Readonly<Record<Task, { readonly [N in OptionName]?: string }>> = {
  regressor: {},
  quantileRegressor: {},
  classifier: {},
  multiLabel: { temperature: 'labels are the highest similarity, which is not divided' },
  clusterer: {},
};

describe.each(tasks)('%s', (task) => {
  const y = estimators[task].targets(X);
  const table = Object.entries(effects[task]) as [OptionName, Row][];

  it.each(table)('%s shows', async (_option, [where, one, other]) => {
    const show = (options: object) => shows[where](smallOf(task, options), y);
    const [a, b] = [await show(one), await show(other)];
    expect(a.every(Number.isFinite)).toBe(true);
    expect(a).not.toEqual(b);
  });

  it('has a row for every option', () => {
    const named = [...Object.keys(effects[task]), ...Object.keys(idle[task])];
    const wanted = estimators[task].family.options().filter((name) => elsewhere[name] === undefined);
    expect(named.sort()).toEqual([...wanted].sort());
  });
});

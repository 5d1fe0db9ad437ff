// The original's answers, one row an estimator.

import type { FastKMeansClassifier, FastKMeansRegressor, FastMultiLabelKMeansClassifier } from '@fkm/core';
import { expect } from 'vitest';
import type { Check } from '../../contract.js';
import type { Model } from '../model.js';
import { type EstimatorName, expectOriginal, fixtures, type PredictFixture, rowsFor } from './fixtures.js';
import { startAt } from './starts.js';

type Fixture<E extends EstimatorName> = Extract<PredictFixture, { readonly estimator: E }>;

const answers: {
  readonly [E in EstimatorName]: (model: Model, want: Fixture<E>) => Promise<void>;
} = {
  clusterer: async (model, { distance, labels }) => {
    expect(Array.from((await model.predict(rowsFor(distance))).data)).toEqual(labels);
  },
  classifier: async (model, { distance, classScores, labels }) => {
    const classifier = model as FastKMeansClassifier;
    const X = rowsFor(distance);
    expectOriginal('shares', await classifier.predictProba(X), classScores);
    expect([...(await classifier.predict(X)).data]).toEqual(labels);
  },
  multilabel: async (model, { distance, scores, gap, top2 }) => {
    const classifier = model as FastMultiLabelKMeansClassifier;
    const X = rowsFor(distance);
    expectOriginal('scores', await classifier.predictProba(X), scores);
    expectOriginal('gap', await classifier.predict(X, { strategy: 'gap' }), gap);
    expectOriginal('the two best', await classifier.predict(X, { strategy: 'top_k', k: 2 }), top2);
  },
  regressor: async (model, { distance, value }) => {
    expectOriginal('values', await (model as FastKMeansRegressor).predict(rowsFor(distance)), value);
  },
};

export const predictChecks = (): Check[] =>
  fixtures.predict.map((want) => ({
    key: `${want.estimator}: predict ${want.distance}`,
    run: async (backend) => {
      const { estimator, distance } = want;
      const model = startAt(
        estimator,
        backend,
        'topK' in want ? { distance, topK: want.topK } : { distance },
      );
      await (answers[estimator] as (model: Model, want: PredictFixture) => Promise<void>)(model, want);
    },
  }));

// Accuracy on a synthetic set: a change that costs some is seen here first, on every backend.

import { FastKMeansRegressor } from '@fkm/core';
import { expect } from 'vitest';
import type { Check } from '../contract.js';
import { friedman } from './data.js';

const train = friedman(500, 'friedman train');
const test = friedman(500, 'friedman test');

/** R² measured after phase 1 and after phase 2, and a margin below: backends agree to 1e-6, other seeds to 0.02. */
const [phase1, phase2, margin] = [0.701, 0.912, 0.02];

export const accuracyChecks = (): Check[] => [
  {
    key: 'Friedman #1',
    run: async (backend) => {
      const model = new FastKMeansRegressor({ backend, nPrototypes: 64, heads: 4 });
      await model.fit(train.X, train.y, { maxIters: 3 });
      const before = await model.score(test.X, test.y);
      await model.finetune(train.X, train.y, { epochs: 20, evalFraction: 0 });
      const after = await model.score(test.X, test.y);
      expect(before).toBeGreaterThan(phase1 - margin);
      expect(after).toBeGreaterThan(phase2 - margin);
    },
  },
];

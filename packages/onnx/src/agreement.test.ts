// Every estimator × distance × soft type, exported and run in onnxruntime: answers as those of `predict`.

import { describe, it } from 'vitest';
import { distances, expectAgreement, learned, rows, softTypes, withHoles } from './testing.js';

const X = rows(53, 4, 7);
const holes = withHoles(X);

describe.each(Object.entries(learned))('%s', (_, make) => {
  describe.each(distances)('%s', (distance) => {
    it.each(softTypes)('%s', async (softType) => {
      const model = await make({ distance, softType });
      await expectAgreement(model, X);
      await expectAgreement(model, holes.X, {}, holes.mask);
    });
  });
});

// The automatic choices of the original: the number of prototypes, and feature weights.

import { FastKMeansClusterer, FastKMeansRegressor } from '@fkm/core';
import type { Check } from '../../contract.js';
import { along, expectOriginal, fixtures, matrix } from './fixtures.js';
import { startAt, targetsOf } from './starts.js';

const { X, big } = fixtures.inputs;

/** Number of prototypes of a clusterer, and of strata of a regressor with one prototype each. */
export const autoChecks = (): Check[] =>
  fixtures.autoK.flatMap(({ distance, scale, offset, k }) => {
    const rows = matrix({ ...big, data: big.data.map((x) => x * scale + offset) });
    const expectCount = (count: number | undefined): void => {
      if (count !== k) throw new Error(`k is ${count}, should be ${k}.`);
    };
    return [
      {
        thorough: true,
        key: `clusterer: autoK ${distance} scale ${scale}`,
        run: async (backend) => {
          const model = new FastKMeansClusterer({ backend, kInit: 'auto', distance });
          await model.fitBatch(rows);
          expectCount(model.grid.prototypes.shape[0]);
        },
      },
      {
        thorough: true,
        key: `regressor: autoK ${distance} scale ${scale}`,
        run: async (backend) => {
          const model = new FastKMeansRegressor({
            backend,
            softType: 'scaled',
            scaling: 'none',
            kTargets: 'auto',
            kFeatures: 1,
            targetDistance: distance,
            targetAssignment: 'mean',
          });
          await model.fitBatch(matrix(big), rows);
          expectCount(model.grid.prototypes.shape[0]);
        },
      },
    ] satisfies Check[];
  });

/** Feature weights of the two estimators whose rows choose among all prototypes, as in the fixture. */
export const importanceChecks = (): Check[] =>
  (['clusterer', 'regressor'] as const).flatMap((estimator) =>
    fixtures.featureImportance.map(({ masked, weights }) => ({
      key: `${estimator}: featureImportance${masked ? ' masked' : ''}`,
      run: async (backend) => {
        const model = startAt(estimator, backend, { autoFeatureWeights: true });
        const y = targetsOf(estimator);
        model.freezePrototypes();
        await model.fitBatch(matrix(X), y, along(masked));
        const twice = { ...X, data: X.data.map((x) => 2 * x) };
        await model.fitBatch(matrix(twice), y, along(masked));
        const found = model.grid.featureWeights;
        if (!found) throw new Error('the grid has no featureWeights.');
        // 1 − within/total: a weight near 0 is a difference of terms near 1, each a float32 sum over 12 rows.
        expectOriginal('featureWeights', { shape: [found.data.length], data: found.data }, weights, 12);
      },
    })),
  );

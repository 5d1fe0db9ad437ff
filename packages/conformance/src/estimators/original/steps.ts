// The original's steps for every estimator: one of phase 1, and the gradients of one of phase 2.

import type { NdArray } from '@fkm/core/graph';
import type { Check } from '../../contract.js';
import { byPairs } from '../../pairs.js';
import type { Options } from '../model.js';
import {
  along,
  type EmaFixture,
  expectOriginal,
  fixtures,
  type GradientFixture,
  rowsFor,
  type Stored,
} from './fixtures.js';
import { startAt, targetsOf } from './starts.js';

const scalar = (value: number): Stored => ({ shape: [], data: [value] });
const present = (array: NdArray | undefined, what: string): NdArray => {
  if (array) return array;
  throw new Error(`there are no ${what}.`);
};

/** The file's options under our names. */
const optionsOf = ({ target_assignment: targetAssignment, temperature }: EmaFixture['options']): Options => ({
  ...(targetAssignment ? { targetAssignment } : {}),
  ...(temperature ? { temperature } : {}),
});

const emaFactors = ({ estimator, distance, masked, options }: EmaFixture): unknown[] => [
  estimator,
  distance,
  masked,
  options.target_assignment,
];

export const emaChecks = (): Check[] =>
  byPairs(fixtures.emaStep, emaFactors, (want) => {
    const { estimator, distance, masked, options } = want;
    const assignment = options.target_assignment ? ` ${options.target_assignment}` : '';
    return {
      key: `${estimator}: emaStep ${distance}${masked ? ' masked' : ''}${assignment}`,
      run: async (backend) => {
        const model = startAt(estimator, backend, { distance, ...optionsOf(options) }, [2, 2, 2, 2, 2, 2]);
        const shift = await model.fitBatch(rowsFor(distance), targetsOf(estimator), along(masked));
        const { grid } = model;
        expectOriginal('shift', { shape: [], data: [shift] }, scalar(want.shift));
        expectOriginal('prototypes', grid.prototypes, want.prototypes);
        expectOriginal('ages', grid.ages, want.featureAges ?? want.weights);
        if (want.targets) expectOriginal('targets', present(grid.targets, 'targets'), want.targets);
      },
    };
  });

const gradientFactors = (want: GradientFixture): unknown[] => [
  want.estimator,
  want.distance,
  want.masked,
  want.softType,
  // The two regularisers come together.
  want.l2Reg,
];

export const gradientChecks = (): Check[] =>
  byPairs(fixtures.gradient, gradientFactors, (want) => {
    const { estimator, distance, masked, softType, temperature, topK, l2Reg, diversityReg } = want;
    const how = `${distance}${masked ? ' masked' : ''} ${softType} l2 ${l2Reg} diversity ${diversityReg}`;
    return {
      key: `${estimator}: gradient ${how}`,
      run: async (backend) => {
        const options = { distance, softType, temperature, topK, l2Reg, diversityReg };
        const model = startAt(estimator, backend, options);
        const y = targetsOf(estimator);
        const { loss, gradients } = await model.lossAndGradients(rowsFor(distance), y, along(masked));
        expectOriginal('loss', { shape: [], data: [loss] }, scalar(want.loss));
        const { prototypes, targets } = gradients;
        if (want.dTargets) expectOriginal('d loss / d targets', present(targets, 'targets'), want.dTargets);
        expectOriginal('d loss / d prototypes', present(prototypes, 'prototypes'), want.dPrototypes);
      },
    };
  });

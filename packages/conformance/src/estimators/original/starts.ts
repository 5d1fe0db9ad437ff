// Every estimator at the grid from which the original's numbers start, one row an estimator.

import {
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
} from '@fkm/core';
import type { Backend } from '@fkm/core/graph';
import type { Model, Options } from '../model.js';
import { type EstimatorName, fixtures, matrix } from './fixtures.js';

const { C, prototypeLabels, prototypeTargets, yClass, yMultiLabel, yRegression } = fixtures.inputs;

interface Start {
  readonly make: (options: { readonly backend: Backend } & Options) => Model;
  /** The parts of the grid besides prototypes and ages. */
  readonly says: object;
  readonly y: unknown;
  readonly options: Options;
}

/** The original's settings: soft type 'scaled', no repulsion, its own asymmetric loss. */
const starts: Readonly<Record<EstimatorName, Start>> = {
  clusterer: {
    make: (options) => new FastKMeansClusterer(options),
    says: {},
    y: undefined,
    options: {},
  },
  classifier: {
    make: (options) => new FastKMeansClassifier(options),
    says: { owners: prototypeLabels },
    y: yClass,
    options: { repulsionFactor: 0 },
  },
  multilabel: {
    make: (options) => new FastMultiLabelKMeansClassifier(options),
    says: { owners: prototypeLabels },
    y: matrix(yMultiLabel),
    options: { repulsionFactor: 0, aslVariant: 'original', aslGammaNeg: 4, aslGammaPos: 1, aslClip: 0.05 },
  },
  regressor: {
    make: (options) => new FastKMeansRegressor(options),
    says: { targets: matrix(prototypeTargets) },
    y: matrix(yRegression),
    options: {},
  },
};

/** An estimator that starts at C, with these ages or 1 each. */
export function startAt(name: EstimatorName, backend: Backend, options: Options, ages?: number[]): Model {
  const { make, says, options: own } = starts[name];
  const initMode = { prototypes: matrix(C), ...says, ...(ages ? { ages } : {}) };
  return make({ backend, softType: 'scaled', arithmetic: 'original', initMode, ...own, ...options });
}

/** The targets of X. */
export const targetsOf = (name: EstimatorName): unknown => starts[name].y;

// The estimators in the checks: one row each, with settings that cover all of its parts.

import type { FastKMeansClusterer, Matrix, PredictOptions } from '@fkm/core';
import { type EstimatorClasses, estimatorClasses } from '@fkm/core/deploy';
import type { Backend } from '@fkm/core/graph';
import type { Model, Options } from './model.js';

type Task = keyof EstimatorClasses;

/** What the checks need to know about an estimator besides its class. */
interface Row {
  /** Targets derived from one number a row; undefined without targets. */
  readonly targets: (numbers: readonly number[]) => readonly unknown[] | undefined;
  /** Targets may be several columns of numbers. */
  readonly severalColumns?: true;
  /** The answer as numbers that depend on the parameters: values or probabilities. */
  readonly numbers: (model: Model, X: Matrix, options?: PredictOptions) => Promise<ArrayLike<number>>;
  /** Whether soft types without gradients are refused. */
  readonly routes: (options: Options) => boolean;
  /** Least score of a few prototypes after two epochs: it shows that they learn, not how well. */
  readonly least: (gaussian: boolean) => number;
  /** Settings by name: all checks run the first; the others run what it does not cover. */
  readonly kinds: Readonly<Record<string, Options>>;
  /** A few prototypes, whatever the soft type. */
  readonly small: (gaussian: boolean) => Options;
}

/** Two heads, a metric, dual scaling. */
const heads: Options = { nPrototypes: 16, heads: 2, metric: 'slopes' };

const terciles = (numbers: readonly number[]): number[] => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] as number;
  return numbers.map((value) => Number(value >= at(1 / 3)) + Number(value >= at(2 / 3)));
};

type Probable = Pick<FastKMeansClusterer, 'predictProba'>;
const probabilities: Row['numbers'] = async (model, X, options) =>
  (await (model as unknown as Probable).predictProba(X, options)).data;

/** Two heads of six prototypes. */
const few: Options = { nPrototypes: 12, heads: 2, metric: 'none' };

const perClass = {
  small: (gaussian: boolean): Options => (gaussian ? few : { kInit: 3 }),
  numbers: probabilities,
};
const plain: Options = { softType: 'scaled', kInit: 3, repulsionFactor: 0.1 };

const rows: Readonly<Record<Task, Row>> = {
  clusterer: {
    targets: () => undefined,
    numbers: probabilities,
    routes: () => false,
    least: () => Number.NEGATIVE_INFINITY,
    kinds: { plain: { kInit: 6 } },
    small: () => ({ kInit: 6 }),
  },
  classifier: {
    ...perClass,
    targets: (numbers) => terciles(numbers).map((c) => ['low', 'middle', 'top'][c]),
    routes: () => true,
    least: (gaussian) => (gaussian ? 0.45 : 0.35),
    kinds: { heads, owners: { nPrototypes: 16, heads: 2, prototypeTargets: 'owners' }, plain },
  },
  multiLabel: {
    ...perClass,
    targets: (numbers) => terciles(numbers).map((c) => [Number(c > 0), Number(c > 1), Number(c < 2)]),
    routes: ({ softType = 'gaussian' }) => softType === 'gaussian',
    // Labels need similarities above one half, which rows this far apart do not have with euclidean.
    least: (gaussian) => (gaussian ? 0.5 : 0),
    kinds: { heads, plain },
  },
  regressor: {
    targets: (numbers) => numbers,
    severalColumns: true,
    numbers: async (model, X, options) => (await model.predict(X, options)).data as ArrayLike<number>,
    routes: () => true,
    least: (gaussian) => (gaussian ? 0.2 : -0.1),
    kinds: {
      heads,
      plain: { softType: 'scaled', kTargets: 3, kFeatures: 4 },
      lines: { ...few, prototypeModel: 'linear' },
    },
    small: (gaussian) => (gaussian ? few : { kTargets: 3, kFeatures: 4 }),
  },
  quantileRegressor: {
    targets: (numbers) => numbers,
    numbers: async (model, X, options) => (await model.predict(X, options)).data as ArrayLike<number>,
    routes: () => true,
    least: (gaussian) => (gaussian ? 0 : -0.1),
    kinds: { heads, plain: { softType: 'scaled', kTargets: 3, kFeatures: 4, quantiles: [0.25, 0.75] } },
    small: (gaussian) => (gaussian ? few : { kTargets: 3, kFeatures: 4 }),
  },
};

export interface Estimator extends Row {
  readonly make: (options: { readonly backend: Backend } & Options) => Model;
  readonly load: (bytes: Uint8Array, options: { readonly backend: Backend }) => Promise<Model>;
}

/** A class as the checks use it. */
interface AnyClass {
  new (options: object): Model;
  load(bytes: Uint8Array, options: { readonly backend: Backend }): Promise<Model>;
}

/** Every estimator. */
export const estimators: Readonly<Record<Task, Estimator>> = Object.fromEntries(
  Object.entries(rows).map(([task, row]) => {
    const its = estimatorClasses[task as Task] as unknown as AnyClass;
    const load: Estimator['load'] = (bytes, options) => its.load(bytes, options);
    return [task, { ...row, make: (options: object) => new its(options), load }];
  }),
) as unknown as Readonly<Record<Task, Estimator>>;

/** An estimator with one of its settings. */
export interface Subject extends Estimator {
  /** Its name in the key of a check. */
  readonly name: string;
  readonly estimator: keyof typeof estimators;
  readonly options: Options;
  /** Whether this is its first setting. */
  readonly first: boolean;
}

/** Every estimator, with every setting or only the first. */
export const subjects = (which: 'every' | 'first' = 'every'): Subject[] =>
  (Object.keys(estimators) as (keyof typeof estimators)[]).flatMap((estimator) => {
    const row = estimators[estimator];
    return Object.entries(row.kinds)
      .slice(0, which === 'every' ? undefined : 1)
      .map(([kind, options], i) => ({
        ...row,
        name: `${estimator}, ${kind}`,
        estimator,
        options,
        first: i === 0,
      }));
  });

// Numbers of the original PyTorch implementation (fixtures/original.json), and the tolerance for each.

import type { DenseMatrix, RowOptions } from '@fkm/core';
import type { Distance } from '@fkm/core/graph';
import original from '../../fixtures/original.json' with { type: 'json' };

/** Row-major, rounded to 7 decimals. */
export interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

type Soft = 'hard' | 'mean' | 'scaled' | 'softmax_scaled';

/** The estimators by their names in the file. */
export type EstimatorName = 'clusterer' | 'classifier' | 'multilabel' | 'regressor';

/** One phase-1 step from C with ages of 2. */
export interface EmaFixture {
  readonly estimator: EstimatorName;
  readonly distance: Distance;
  readonly masked: boolean;
  readonly options: {
    readonly repulsion_factor?: 0;
    readonly target_assignment?: 'mean' | 'scaled' | 'softmax_scaled';
    readonly temperature?: number;
  };
  readonly shift: number;
  readonly prototypes: Stored;
  readonly weights: Stored;
  readonly featureAges?: Stored;
  readonly targets?: Stored;
}

/** The loss at C and its derivatives. */
export interface GradientFixture {
  readonly estimator: EstimatorName;
  readonly distance: Distance;
  readonly masked: boolean;
  readonly softType: 'scaled' | 'softmax_scaled';
  readonly temperature: number;
  readonly topK: number;
  readonly l2Reg: number;
  readonly diversityReg: number;
  readonly loss: number;
  readonly dPrototypes: Stored;
  readonly dTargets?: Stored;
}

/** What each estimator answers from C. */
export type PredictFixture = { readonly distance: Distance } & (
  | { readonly estimator: 'clusterer'; readonly labels: readonly number[] }
  | {
      readonly estimator: 'classifier';
      readonly topK: number;
      readonly softType: 'scaled';
      readonly classScores: Stored;
      readonly labels: readonly number[];
    }
  | {
      readonly estimator: 'multilabel';
      readonly topK: number;
      readonly scores: Stored;
      readonly gap: Stored;
      readonly top2: Stored;
    }
  | {
      readonly estimator: 'regressor';
      readonly topK: number;
      readonly softType: 'scaled';
      readonly value: Stored;
    }
);

export interface Original {
  readonly inputs: Readonly<
    Record<
      | 'X'
      | 'C'
      | 'featureMask'
      | 'featureWeights'
      | 'sampleWeight'
      | 'yMultiLabel'
      | 'yRegression'
      | 'prototypeTargets'
      | 'big',
      Stored
    > &
      Record<'yClass' | 'prototypeLabels', readonly number[]>
  >;
  readonly similarity: readonly {
    readonly distance: Distance;
    readonly masked: boolean;
    readonly weighted: boolean;
    readonly value: Stored;
  }[];
  readonly routing: readonly {
    readonly distance: Distance;
    readonly softType: Soft;
    readonly temperature: number;
    readonly topK: number;
    readonly value: Stored;
  }[];
  readonly emaStep: readonly EmaFixture[];
  readonly gradient: readonly GradientFixture[];
  readonly predict: readonly PredictFixture[];
  readonly autoK: readonly {
    readonly distance: Distance;
    readonly scale: number;
    readonly offset: number;
    readonly k: number;
  }[];
  readonly featureImportance: readonly { readonly masked: boolean; readonly weights: Stored }[];
}

/** The fixtures. JSON has no literal types, so the cast declares them. */
export const fixtures: Original = original as unknown as Original;

const relative = 1e-5;
/** Half a unit of the seventh decimal, to which fixtures are rounded, plus one float32 rounding near 1. */
const rounding = 5e-8 + 2 ** -24;

/** Expects equality to 1e-5 relative. `terms`: the size of the added terms, if larger than the result. */
export function expectOriginal(
  what: string,
  got: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  want: Stored,
  terms = 1,
): void {
  if (`${got.shape}` !== `${want.shape}`) {
    throw new Error(`${what} has the shape [${got.shape}], should have [${want.shape}].`);
  }
  want.data.forEach((value, i) => {
    const off = Math.abs((got.data[i] as number) - value);
    if (!(off <= relative * Math.abs(value) + rounding * terms)) {
      throw new Error(
        `${what}[${i}] is ${got.data[i]}, should be ${value} (off by ${off}).\n` +
          ` got: ${Array.from(got.data).join(', ')}\nwant: ${want.data.join(', ')}`,
      );
    }
  });
}

/** Rows of length 1, as the original normalises them before comparing by cosine. */
export function unitRows({ shape, data }: Stored): Stored {
  const columns = shape[1] as number;
  const lengths = Array.from({ length: shape[0] as number }, (_, i) =>
    Math.hypot(...data.slice(i * columns, (i + 1) * columns)),
  );
  return { shape, data: data.map((x, i) => x / (lengths[Math.floor(i / columns)] as number)) };
}

/** X, normalised for cosine. */
export const rowsFor = (distance: Distance): DenseMatrix =>
  matrix(distance === 'cosine' ? unitRows(fixtures.inputs.X) : fixtures.inputs.X);

/** As a matrix for public calls. */
export const matrix = ({ shape, data }: Stored): DenseMatrix => ({
  data,
  shape: shape as readonly [number, number],
});

/** The options that accompany rows in every step of the original. */
export const along = (masked: boolean): RowOptions => ({
  sampleWeight: fixtures.inputs.sampleWeight.data,
  ...(masked ? { featureMask: matrix(fixtures.inputs.featureMask) } : {}),
});

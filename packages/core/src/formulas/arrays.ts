// The formulas of similarity and routing on plain arrays: the same traced functions, run by the reference kernels.

import { anything, checkOptions, number, oneOf } from '../checked-options.js';
import {
  checkFinite,
  type DenseMatrix,
  type Matrix,
  toMask,
  toRows,
  toVector,
  type Vector,
} from '../data/matrix.js';
import { blockRowsOf, checkFeatures, denseRows, toFeatures } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { BATCH } from '../graph/ir.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import { ResultArray } from '../result.js';
import { type Distance, distanceNames } from './distances.js';
import {
  hasBandwidths,
  type RoutingOptions,
  routingWeights,
  type SoftType,
  softTypeNames,
} from './routing.js';
import { pairwise } from './similarity.js';

export interface SimilarityOptions {
  /** Default 'euclidean'. */
  readonly distance?: Distance;
  /** 1 present, 0 missing [N, D] or [D]; a missing value may hold anything. */
  readonly featureMask?: DenseMatrix | Vector | undefined;
  /** Diagonal metric [D], clamped at 0. */
  readonly featureWeights?: Vector | undefined;
}

const similarityRules = {
  distance: oneOf(...distanceNames),
  featureMask: anything,
  featureWeights: anything,
};

/**
 * Similarities of rows X [N, D] to prototypes P [K, D]: [N, K], cosine in [−1, 1], the others in (0, 1].
 * With M = featureWeights ∘ mask: cosine Σ M x p / (√Σ M x² · √Σ M p²); euclidean 1/(1 + Σ M (x−p)²·s) and
 * l1 1/(1 + Σ M |x−p|·s), where s = D/ΣM if masked or weighted. Errors: ShapeError, DataError, OptionError.
 */
export function similarity(
  X: Matrix,
  P: DenseMatrix,
  options: SimilarityOptions = {},
): ResultArray<Float32Array, number[][]> {
  const call = 'similarity';
  checkOptions(options, similarityRules, { call });
  const { distance = 'euclidean', featureMask, featureWeights } = options;
  const x = toFeatures(X, { call, argument: 'X' });
  const p = toRows(P, { call, argument: 'P' });
  if (x.columns !== p.columns) {
    throw new ShapeError(`${call}: X has ${x.columns} columns, P has ${p.columns}.`, {
      columns: x.columns,
      expected: p.columns,
    });
  }
  const mask = toMask(featureMask, x, call);
  checkFeatures(x, { call, argument: 'X' }, mask, X);
  checkFinite(p, { call, argument: 'P' }, undefined, P);
  const d = x.columns;
  if (featureWeights && featureWeights.length !== d) {
    throw new ShapeError(`${call}: featureWeights has ${featureWeights.length} values, X has ${d} columns.`);
  }
  const fixed: Record<string, NdArray> = {
    prototypes: ndarray(p.data, [p.rows, d]),
    ...(featureWeights
      ? { weights: ndarray(toVector(featureWeights, d, { call, argument: 'featureWeights' }), [1, d]) }
      : {}),
  };
  const data = new Float32Array(x.rows * p.rows);
  const size = blockRowsOf(x, Math.max(1, x.rows));
  for (let begin = 0; begin < x.rows; begin += size) {
    const end = Math.min(x.rows, begin + size);
    const own = mask && mask.rows > 1 ? denseRows(mask, begin, end) : mask;
    const inputs = {
      x: ndarray(denseRows(x, begin, end).data, [end - begin, d]),
      ...(own ? { mask: ndarray(own.data, [own.rows, d]) } : {}),
      ...fixed,
    };
    const block = run(inputs, (t) =>
      pairwise({
        distance,
        x: t.x as Tensor,
        prototypes: t.prototypes as Tensor,
        mask: t.mask,
        weights: t.weights,
      }),
    );
    data.set(block.data, begin * p.rows);
  }
  return new ResultArray({ data, shape: [x.rows, p.rows], dtype: 'float32' });
}

export interface RouteOptions {
  /** Default 'softmax_scaled'. */
  readonly softType?: Exclude<SoftType, 'gaussian'>;
  /** Default 1. */
  readonly temperature?: number;
  /** −1 or K: all. Default 5. */
  readonly topK?: number;
}

const routeRules = {
  softType: oneOf(...softTypeNames.filter((name) => !hasBandwidths(name))),
  temperature: number('a positive number', (v) => v > 0),
  topK: number('−1 or a positive integer', (v) => Number.isInteger(v) && (v === -1 || v > 0)),
};

/**
 * Routing weights [N, K] from similarities [N, K]: over the topK largest of each row, 'hard' 1 at the maximum (ties: the first),
 * 'mean' 1/k, 'scaled' max(s,0)/(Σ max(s,0) + 1e-9), 'softmax_scaled' softmax(s/temperature). 'gaussian' routing has parameters of
 * its own and runs only inside the estimators. Errors: ShapeError, DataError, OptionError.
 */
export function route(
  sim: DenseMatrix | NdArray,
  options: RouteOptions = {},
): ResultArray<Float32Array, number[][]> {
  const call = 'route';
  checkOptions(options, routeRules, { call });
  const { softType = 'softmax_scaled', temperature = 1, topK = 5 } = options;
  const s = toRows(sim as DenseMatrix, { call, argument: 'sim' });
  checkFinite(s, { call, argument: 'sim' }, undefined, sim);
  const routing: RoutingOptions = { softType, temperature, topK };
  const weights = run({ s: ndarray(s.data, [s.rows, s.columns]) }, (t) =>
    routingWeights({ similarity: t.s as Tensor, delta: t.s as Tensor }, routing),
  );
  return new ResultArray(weights);
}

/** Traces over the rows of `x` or `s`, and evaluates. */
function run(
  inputs: Readonly<Record<string, NdArray>>,
  build: (t: Readonly<Record<string, Tensor>>) => Tensor,
): NdArray<Float32Array> {
  const perRow = (name: string, rows: number): boolean =>
    name === 'x' || name === 's' || (name === 'mask' && rows > 1);
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]): [string, TensorSpec] => [
      name,
      { shape: perRow(name, shape[0] as number) ? [BATCH, ...shape.slice(1)] : shape, dtype },
    ]),
  );
  const graph = trace('arrays', specs, (t) => ({ out: build(t) }));
  return evaluateGraph(graph, Object.values(inputs))[0] as NdArray<Float32Array>;
}

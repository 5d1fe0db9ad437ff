// The grid as users see it: read-only arrays, targets in the caller's units.

import { type NdArray, ndarray, type Shape } from '../dtype.js';
import { ResultArray } from '../result.js';
import { unitOf } from '../scaling/unit.js';
import type { ModelState } from '../state/state.js';
import { widened } from '../state/storage.js';

export interface Grid {
  /** [K, D'] after scaling and metric, in the model's dtype; `decodeHalf` of '@fkm/core/graph' decodes halves. */
  readonly prototypes: ResultArray;
  /** [K] the class or label of each prototype, as an index into `classes`. */
  readonly owners?: ResultArray;
  /**
   * [K, T] numbers or [K, C] logits; the answers of heads add up. Logits in the model's dtype; numbers in your units, in float32,
   * or in float64 if `predict` answers in float64.
   */
  readonly targets?: ResultArray;
  /** Slopes of the local linear models along scaled features [K, T, D'], in your units. */
  readonly slopes?: ResultArray;
  /** Accumulated sample weight [K], or [K, D] once a feature mask was seen. */
  readonly ages: ResultArray;
  /** Diagonal metric [H, D]. */
  readonly featureWeights?: ResultArray;
  /** [K], 'gaussian' only. */
  readonly logBandwidth?: ResultArray;
  readonly bias?: ResultArray;
  /** Thresholds of the labels [C] for strategy 'tuned'. */
  readonly thresholds?: ResultArray;
  /** Square roots of the weights of metric 'slopes' [D'], by which scaled features are multiplied. */
  readonly metric?: ResultArray;
  /** 1 for frozen prototypes [K]. */
  readonly frozen: ResultArray;
}

const copy = (array: NdArray): ResultArray => new ResultArray({ ...array, data: array.data.slice() });

const result = (values: ArrayLike<number>, shape: Shape): ResultArray =>
  new ResultArray(ndarray(values, shape));

/** Prototypes without the common unit; halves become float32 then. */
function asTheyCame(prototypes: NdArray, arrays: ModelState['arrays']): ResultArray {
  const unit = unitOf(arrays);
  if (unit === 1) return copy(prototypes);
  return result(
    Float64Array.from(widened(prototypes).data, (p) => p / unit),
    prototypes.shape,
  );
}

/** Copies: writing to them changes nothing. */
export function gridOf({ arrays, ages, coordinateAges, targetCenter }: ModelState): Grid {
  const prototypes = arrays.prototypes as NdArray;
  const named = {
    owners: arrays.owners,
    featureWeights: arrays.featureWeights,
    logBandwidth: arrays.logBandwidth,
    bias: arrays.bias,
    thresholds: arrays.thresholds,
    metric: arrays['scaler.metric'],
  };
  return {
    prototypes: asTheyCame(prototypes, arrays),
    ...(arrays.targets ? { targets: inUnits(arrays.targets, arrays, targetCenter) } : {}),
    ...(arrays.slopes ? { slopes: slopesInUnits(arrays.slopes, arrays) } : {}),
    ages: coordinateAges ? result(coordinateAges, prototypes.shape) : result(ages, [ages.length]),
    frozen: copy(arrays.frozen as NdArray),
    ...Object.fromEntries(
      Object.entries(named).flatMap(([name, array]) => (array ? [[name, copy(array)]] : [])),
    ),
  };
}

/** Standardised targets in the caller's units; each head carries its share of mean and offset. */
function inUnits(targets: NdArray, arrays: ModelState['arrays'], center: Float64Array | null): ResultArray {
  const [mean, deviation] = [arrays['target.mean']?.data, arrays['target.deviation']?.data];
  if (!center && (!mean || !deviation)) return copy(targets);
  const heads = arrays.featureWeights?.shape[0] ?? 1;
  // Of each column of y, whose answers may be several.
  const of = (units: ArrayLike<number> | null | undefined, i: number): number | undefined =>
    units?.[i % units.length];
  const values = Float64Array.from(widened(targets).data, (t, i) => {
    const shared = (of(mean, i) ?? 0) + (of(center, i) ?? 0);
    return t * (of(deviation, i) ?? 1) + shared / heads;
  });
  if (!center) return result(values, targets.shape);
  return new ResultArray({ data: values, shape: targets.shape, dtype: 'float32' });
}

/** Slopes with targets in the caller's units; features stay scaled. */
function slopesInUnits(slopes: NdArray, arrays: ModelState['arrays']): ResultArray {
  const deviation = arrays['target.deviation']?.data;
  if (!deviation) return copy(slopes);
  const [, outputs, columns] = slopes.shape as [number, number, number];
  const values = Array.from(
    slopes.data,
    (slope, i) => slope * (deviation[Math.floor(i / columns) % outputs] as number),
  );
  return result(values, slopes.shape);
}

// Scores of predictions, in float64.

import { anything, checkOptions, oneOf } from '../checked-options.js';
import type { Vector } from '../data/matrix.js';
import { DataError, ShapeError } from '../errors.js';

/** R² of rows that come in parts, equal to `r2Score` of all of them; float64, constant memory. */
export class R2Tally {
  private readonly columns: number;
  private weight = 0;
  /** For each column: mean of y, Σ w(y − ȳ)², Σ w(y − ŷ)². */
  private readonly means: Float64Array;
  private readonly variances: Float64Array;
  private readonly residuals: Float64Array;

  constructor(columns: number) {
    this.columns = columns;
    this.means = new Float64Array(columns);
    this.variances = new Float64Array(columns);
    this.residuals = new Float64Array(columns);
  }

  /** Adds rows [N, T]. */
  add(truth: Vector, predicted: Vector, sampleWeight?: Vector): void {
    const { columns, means, variances, residuals } = this;
    const rows = truth.length / columns;
    const weight = (i: number): number => sampleWeight?.[i] ?? 1;
    let total = 0;
    for (let i = 0; i < rows; i++) total += weight(i);
    // A part of weight 0 has no mean, and adds nothing.
    if (total === 0) return;
    let first = 0;
    while (weight(first) === 0) first++;
    for (let t = 0; t < columns; t++) {
      const y = (i: number): number => truth[i * columns + t] as number;
      // Relative to the first value that counts, so that the mean of equal values is exactly that value.
      let mean = y(first);
      for (let i = 0; i < rows; i++) mean += (weight(i) * (y(i) - y(first))) / total;
      let [residual, variance] = [0, 0];
      for (let i = 0; i < rows; i++) {
        residual += weight(i) * (y(i) - (predicted[i * columns + t] as number)) ** 2;
        variance += weight(i) * (y(i) - mean) ** 2;
      }
      // Merges the variances of two parts (Chan, Golub and LeVeque 1979).
      const share = total / (this.weight + total);
      const apart = this.weight > 0 ? mean - (means[t] as number) : 0;
      means[t] = this.weight > 0 ? (means[t] as number) + apart * share : mean;
      variances[t] = (variances[t] as number) + variance + apart ** 2 * this.weight * share;
      residuals[t] = (residuals[t] as number) + residual;
    }
    this.weight += total;
  }

  get value(): number {
    const scores = this.variances.map((variance, t) => {
      const residual = this.residuals[t] as number;
      return variance > 0 ? 1 - residual / variance : residual === 0 ? 1 : 0;
    });
    return scores.reduce((sum, score) => sum + score, 0) / this.columns;
  }
}

/**
 * R² = 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)², averaged over the T columns of row-major [N, T] arrays. A constant column scores 1 if it is
 * predicted exactly, else 0, as in scikit-learn. Errors: ShapeError for lengths that do not fit, DataError for no rows.
 */
export function r2Score(truth: Vector, predicted: Vector, columns = 1, sampleWeight?: Vector): number {
  checkRows('r2Score', truth, predicted, columns, sampleWeight);
  const tally = new R2Tally(columns);
  tally.add(truth, predicted, sampleWeight);
  return tally.value;
}

/** Accuracy of rows that come in parts. */
export class AccuracyTally {
  private met = 0;
  private total = 0;

  add(truth: ArrayLike<number | string>, predicted: ArrayLike<number | string>, sampleWeight?: Vector): void {
    for (let i = 0; i < truth.length; i++) {
      const weight = sampleWeight?.[i] ?? 1;
      if (truth[i] === predicted[i]) this.met += weight;
      this.total += weight;
    }
  }

  get value(): number {
    return this.met / this.total;
  }
}

/**
 * Weighted share of correct labels, Σ w·[y = ŷ] / Σ w. Labels [N] are numbers or strings; 1 and '1' differ. Errors: ShapeError for
 * lengths that do not fit, DataError for no rows.
 */
export function accuracyScore(
  truth: ArrayLike<number | string>,
  predicted: ArrayLike<number | string>,
  sampleWeight?: Vector,
): number {
  checkRows('accuracyScore', truth, predicted, 1, sampleWeight);
  const tally = new AccuracyTally();
  tally.add(truth, predicted, sampleWeight);
  return tally.value;
}

export interface F1Options {
  /** 'macro': the mean over the labels. 'micro': one score over all decisions. Default 'macro'. */
  readonly average?: 'macro' | 'micro' | undefined;
  /** [N]. */
  readonly sampleWeight?: Vector | undefined;
}

const f1Rules = { average: oneOf('macro', 'micro'), sampleWeight: anything };

/** F1 of rows that come in parts; only counts are kept. */
export class F1Tally {
  // For each label: the weight of true positives, and the weight of all positives, true and predicted, which is 2·TP + FP + FN.
  private readonly both: Float64Array;
  private readonly either: Float64Array;

  constructor(columns: number) {
    this.both = new Float64Array(columns);
    this.either = new Float64Array(columns);
  }

  /** Adds rows of 0 and 1 [N, C]. */
  add(truth: Vector, predicted: Vector, sampleWeight?: Vector): void {
    const { both, either } = this;
    const columns = both.length;
    for (let i = 0; i < truth.length / columns; i++) {
      const weight = sampleWeight?.[i] ?? 1;
      for (let c = 0; c < columns; c++) {
        const [y, answer] = [truth[i * columns + c] as number, predicted[i * columns + c] as number];
        both[c] = (both[c] as number) + weight * y * answer;
        either[c] = (either[c] as number) + weight * (y + answer);
      }
    }
  }

  value(average: 'macro' | 'micro'): number {
    const { both, either } = this;
    const f1 = (met: number, predicted: number): number => (predicted > 0 ? (2 * met) / predicted : 0);
    const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
    if (average === 'micro') return f1(sum(both), sum(either));
    return sum(both.map((met, c) => f1(met, either[c] as number))) / both.length;
  }
}

/**
 * F1 = 2·TP / (2·TP + FP + FN) of row-major 0/1 arrays [N, C], one column a label. A label that is neither true nor predicted in
 * any row scores 0, as in scikit-learn with zero_division=0. Errors: ShapeError for lengths that do not fit, DataError for no rows.
 */
export function f1Score(truth: Vector, predicted: Vector, columns: number, options: F1Options = {}): number {
  checkOptions(options, f1Rules, { call: 'f1Score' });
  const { average = 'macro', sampleWeight } = options;
  checkRows('f1Score', truth, predicted, columns, sampleWeight);
  const tally = new F1Tally(columns);
  tally.add(truth, predicted, sampleWeight);
  return tally.value(average);
}

/** Errors: ShapeError if arrays are not [N, columns] with N weights; DataError if N is 0. */
function checkRows(
  call: string,
  truth: ArrayLike<unknown>,
  predicted: ArrayLike<unknown>,
  columns: number,
  sampleWeight: Vector | undefined,
): void {
  const rows = truth.length / columns;
  const check = (argument: string, length: number, expected: number, wants: string): void => {
    if (length !== expected) {
      throw new ShapeError(`${call}: ${argument} has ${length} values, ${wants}.`, {
        argument,
        length,
        expected,
      });
    }
  };
  const whole = columns * Math.floor(rows);
  check('truth', truth.length, whole, `which ${columns} columns do not divide`);
  check('predicted', predicted.length, truth.length, `truth has ${truth.length}`);
  if (sampleWeight) check('sampleWeight', sampleWeight.length, rows, `there are ${rows} rows`);
  if (rows === 0) throw new DataError(`${call}: there are no rows to score.`, { argument: 'truth', rows });
}

// The options of the public calls, and their check.

import {
  abortSignal,
  boolean,
  checkOptions,
  either,
  number,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
  type Rules,
} from '../checked-options.js';
import type { DenseMatrix, Matrix, Vector } from '../data/matrix.js';
import type { Table, Tabular } from '../data/table.js';
import type { Schedule } from '../fitting/schedule.js';
import { rules as optionRules } from '../state/rules.js';
import type { RunControl } from '../training/progress.js';

/** Options that accompany rows. */
export interface RowOptions {
  /** Weight of each row [N], finite, at least 0. */
  readonly sampleWeight?: Vector | undefined;
  /** 1 present, 0 missing [N, D], or [D] for all rows; a missing value may hold anything. */
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

/** Targets, or the name of the column of a table that holds them. */
export type Named<Y> = Y | ([Y] extends [undefined] ? never : string);

/** Evaluation rows, which do not train. */
export interface EvalSet<Y> extends RowOptions {
  readonly X: Matrix | Tabular | Table;
  /** Of a table also the name of a column. */
  readonly y: Named<Y>;
}

export interface FitBatchOptions extends RowOptions {
  /** Take one Adam step in place of the phase-1 update. Default false. */
  readonly gradientStep?: boolean | undefined;
}

export interface FitOptions<Y> extends RowOptions, RunControl {
  /** Most passes. Default 10. */
  readonly maxIters?: number | undefined;
  /**
   * Stop once no prototype moves by more than this, in the units of the scaled rows. Default 1e-4. For unscaled rows whose largest
   * absolute value is below 2^-10 or above 2^40, the default is 1e-4 of the next power of two above it.
   */
  readonly tol?: number | undefined;
  /** Shuffle the rows in every pass. Default true. */
  readonly shuffle?: boolean | undefined;
  readonly evalSet?: EvalSet<Y> | undefined;
  /** Share of the rows held out for evaluation; the pass with the lowest evaluation loss is kept. Default 0. */
  readonly evalFraction?: number | undefined;
}

export interface FinetuneOptions<Y> extends RowOptions, RunControl {
  /** Default 60. */
  readonly epochs?: number | undefined;
  /** Peak learning rate; 'auto' runs `findLearningRate` on the rows first. Default: the model's `learningRate`. */
  readonly lr?: number | 'auto' | undefined;
  /** @deprecated Use `lr`. */
  readonly learningRate?: number | 'auto' | undefined;
  /** Default 'oneCycle'. */
  readonly schedule?: Schedule | undefined;
  /**
   * Number of epochs without a lower evaluation loss after which the run stops. Without other evaluation rows, a tenth of the rows
   * evaluates. Default: no limit.
   */
  readonly earlyStoppingRounds?: number | undefined;
  readonly evalSet?: EvalSet<Y> | undefined;
  /**
   * Share of the rows held out for evaluation; they never train, and the epoch with the lowest evaluation loss is kept. With 0, all
   * rows train in all epochs.
   *
   * Default: early stopping by waiting rows. A tenth of the rows, at most 2,000, does not train at first. At 40, 60 and 80 % of the
   * epochs, the losses of these rows for a moving average of the model are compared, row by row, with those for its best epoch.
   * - More than 2 standard errors worse: the run overfits, and stops.
   * - At most 0.5 standard errors worse, and more than 1 better than a constant answer: the waiting rows join the training rows,
   * and the last epoch is kept.
   * - Otherwise the rows go on waiting.
   *
   * A classifier may first lose 5 % of its lead over a constant answer; with 20,000 rows or more, its waiting rows never join. If
   * the rows never join, the average of the best epoch is kept. No rows wait with fewer than 500 rows, in fewer than 13 epochs, for
   * labels, for prototypes without targets, and with a softType other than 'gaussian'.
   */
  readonly evalFraction?: number | undefined;
}

export interface PredictOptions {
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

export interface SaveOptions {
  /** Save Adam's moments and the float32 masters of halves, so that training continues to the bit. Default true. */
  readonly optimiser?: boolean | undefined;
}

const rowOptions = ['sampleWeight', 'featureMask'];
const control = ['onProgress', 'signal'];
const evaluation = ['evalSet', 'evalFraction'];
const known: Readonly<Record<string, readonly string[]>> = {
  fitBatch: [...rowOptions, 'gradientStep'],
  fit: [...rowOptions, ...control, ...evaluation, 'maxIters', 'tol', 'shuffle'],
  fitStream: [...control, 'gradientStep', 'maxIters', 'startRows', 'checkpoint'],
  checkpoint: ['path', 'everyBatches', 'verify'],
  // A source provides the weights and masks of its rows, and their order.
  fitSource: [...control, ...evaluation, 'maxIters', 'tol'],
  finetuneSource: [...control, ...evaluation, 'epochs', 'lr', 'schedule', 'earlyStoppingRounds'],
  finetune: [...rowOptions, ...control, ...evaluation, 'epochs', 'lr', 'schedule', 'earlyStoppingRounds'],
  findLearningRate: [...rowOptions, ...control],
  lossAndGradients: rowOptions,
  score: rowOptions,
  readSource: ['signal'],
  batched: ['maxRows', 'maxWaitMs'],
  evalSet: rowOptions,
  load: ['backend', 'index', 'useIndex'],
  save: ['optimiser'],
  predict: ['featureMask'],
  predictProba: ['featureMask'],
  transform: ['featureMask'],
  scaler: [],
  tuneThresholds: [...rowOptions, 'metric', 'smoothing'],
};

const aFunction: Rule = { allowed: 'a function', accepts: (value) => typeof value === 'function' };
const finite = number('a finite number of at least 0', (v) => v >= 0 && v < Number.POSITIVE_INFINITY);

/** Rules of options that are not checked together with the rows. */
const rules: Rules = {
  gradientStep: boolean,
  k: positiveInteger,
  strategy: oneOf('adaptive', 'gap', 'top_k', 'tuned'),
  metric: optionRules.thresholdMetric,
  smoothing: finite,
  shuffle: boolean,
  algorithm: optionRules.algorithm,
  optimiser: boolean,
  startRows: positiveInteger,
  everyBatches: positiveInteger,
  verify: boolean,
  path: { allowed: 'the name of a file', accepts: (value) => typeof value === 'string' && value !== '' },
  checkpoint: objectOf('{ path, everyBatches }', (value) => 'path' in value),
  maxIters: positiveInteger,
  epochs: positiveInteger,
  earlyStoppingRounds: positiveInteger,
  tol: number('a number of at least 0', (v) => v >= 0),
  lr: optionRules.learningRate,
  schedule: oneOf('oneCycle', 'cosine', 'constant'),
  evalFraction: number('a number in [0, 1)', (v) => v >= 0 && v < 1),
  evalSet: objectOf('{ X, y }', (value) => 'X' in value),
  onProgress: aFunction,
  maxRows: positiveInteger,
  maxWaitMs: number('a number of milliseconds from 0 to 2147483647', (v) => v >= 0 && v <= 2 ** 31 - 1),
  signal: abortSignal,
};

/** The number of passes over a stream may be infinite. */
const streamRules: Rules = {
  ...rules,
  maxIters: either(positiveInteger, oneOf(Number.POSITIVE_INFINITY)),
};

/** Old spellings of options, by call. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fitStream: { passes: 'maxIters' },
  finetune: { learningRate: 'lr' },
  finetuneSource: { learningRate: 'lr' },
};

/**
 * The options of a call under their current names; `where` starts error messages, `more` are names of further options. Errors:
 * OptionError.
 */
export const checkCall = <O extends object>(
  call: string,
  options: O,
  where: string = call,
  more: readonly string[] = [],
): O =>
  checkOptions(options, call === 'fitStream' ? streamRules : rules, {
    call: where,
    names: [...(known[call] as readonly string[]), ...more],
    renamed: renamed[call] ?? {},
  });

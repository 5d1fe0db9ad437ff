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
import type { Schedule } from '../fitting/schedule.js';
import { rules as optionRules } from '../state/rules.js';
import type { RunControl } from '../training/progress.js';

/** What can accompany rows. */
export interface RowOptions {
  /** Weight of each row [N], finite, at least 0. */
  readonly sampleWeight?: Vector | undefined;
  /** 1 present, 0 missing [N, D], or [D] for all rows; a missing value may hold anything. */
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

/** Rows that evaluate and do not train. */
export interface EvalSet<Y> extends RowOptions {
  readonly X: Matrix;
  readonly y: Y;
}

export interface FitBatchOptions extends RowOptions {
  /** One Adam step in place of the phase-1 update. Default false. */
  readonly gradientStep?: boolean | undefined;
}

export interface FitOptions<Y> extends RowOptions, RunControl {
  /** Passes at most. Default 10. */
  readonly maxIters?: number | undefined;
  /**
   * Largest movement of a prototype at which to stop, in the units of the rows as they are scaled. Default 1e-4. Where no value
   * of unscaled rows reaches 2^-10, or one exceeds 2^40, the default is 1e-4 of the power of two above the largest value.
   */
  readonly tol?: number | undefined;
  /** Another order of the rows in every pass. Default true. */
  readonly shuffle?: boolean | undefined;
  readonly evalSet?: EvalSet<Y> | undefined;
  /** Share of the rows that evaluates; the pass of the lowest loss is kept. Default 0. */
  readonly evalFraction?: number | undefined;
}

export interface FinetuneOptions<Y> extends RowOptions, RunControl {
  /** Default 60. */
  readonly epochs?: number | undefined;
  /** Peak learning rate; 'auto' runs `findLearningRate` on the rows first. Default: the model's `learningRate`. */
  readonly lr?: number | 'auto' | undefined;
  /** @deprecated Write `lr`. */
  readonly learningRate?: number | 'auto' | undefined;
  /** Default 'oneCycle'. */
  readonly schedule?: Schedule | undefined;
  /** Epochs without a lower evaluation loss after which to stop; a tenth of the rows evaluates unless said otherwise. Default: none. */
  readonly earlyStoppingRounds?: number | undefined;
  readonly evalSet?: EvalSet<Y> | undefined;
  /**
   * Share of the rows that evaluates and never trains; the epoch of the lowest loss is kept. With 0 all rows train in all epochs.
   * Default: a tenth of the rows, 2,000 at most, waits, and joins the others once it shows that the run learns. At 40, 60 and 80 %
   * of the epochs a moving average of the model is compared with its best epoch by the losses of these rows, row by row. Where it
   * is more than 2 standard errors of the mean difference behind, the run fits noise, and ends. Where it is at most .5 behind, and
   * more than 1 ahead of a constant answer, the rows join, and the last epoch is kept. Else they wait on. Classes may lose 5 % of
   * the lead over a constant answer first; of 20,000 rows of classes or more, those that wait never join. A run that they have
   * not joined keeps the average of its best epoch. No row waits where there are fewer than 500, in fewer than 13 epochs, with
   * labels, and with prototypes that have no targets or another softType than 'gaussian'.
   */
  readonly evalFraction?: number | undefined;
}

export interface PredictOptions {
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

export interface SaveOptions {
  /** Adam's moments and the float32 masters of halves too, so that training goes on to the bit. Default true. */
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
  // A source brings the weights and masks of its rows, and their order.
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

/** What options allow that are not checked with the rows. */
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

/** Streams may be endless. */
const streamRules: Rules = {
  ...rules,
  maxIters: either(positiveInteger, oneOf(Number.POSITIVE_INFINITY)),
};

/** Old spellings, and where they were used. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fitStream: { passes: 'maxIters' },
  finetune: { learningRate: 'lr' },
  finetuneSource: { learningRate: 'lr' },
};

/**
 * The options of a call under their present names; `where` opens the sentence of an error, `more` are names of options besides.
 * Errors: OptionError.
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

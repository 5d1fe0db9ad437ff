// The multi-label classifier: prototypes tell for each label whether it holds.

import { type Matrix, toWeights } from '../data/matrix.js';
import { ownCopy } from '../data/own-copy.js';
import { checkFeatures, denseRows, type Features, toFeatures, visitRow } from '../data/sparse.js';
import { asRows, type OneRow, readable } from '../data/table.js';
import type { NdArray } from '../dtype.js';
import { DataError, ShapeError } from '../errors.js';
import { withThresholds } from '../fitting/thresholds.js';
import { F1Tally } from '../formulas/metrics.js';
import type { HeadFamily } from '../heads/head.js';
import { multiLabelHeads } from '../heads/multi-label.js';
import { checkStrategy, type Strategy, usualStrategy } from '../heads/strategies.js';
import { ResultArray, withJson } from '../result.js';
import { indexOfLabels, sortedLabels } from '../state/labels.js';
import type { MultiLabelOptions } from '../state/options.js';
import { type Answers, type AnySource, isSource } from '../state/source.js';
import type { Label } from '../state/state.js';
import { checkCall, type PredictOptions, type RowOptions } from './calls.js';
import type { RowsIn } from './learned.js';
import { ProbabilityModel } from './probability-model.js';
import type { After, SourceReadOptions, SourceScoreOptions, Tally } from './source-model.js';
import type { Encoded, Known } from './targets.js';

/** The labels of each row: 0 or 1 a label [N, C], dense or sparse, or lists of names. */
export type LabelSets<L extends Label = Label> = Matrix | readonly (readonly Extract<L, string>[])[];

export interface StrategyOptions extends PredictOptions {
  /**
   * 'adaptive': labels whose probability exceeds the one at which the loss has 0.5, .31 by default. 'gap': all above the largest
   * drop between sorted probabilities. 'top_k': the k largest. 'tuned': labels above the thresholds of `tuneThresholds`. Default
   * 'tuned' if there are thresholds, else 'adaptive'.
   */
  readonly strategy?: Strategy | undefined;
  /** Number of labels that 'top_k' gives every row. */
  readonly k?: number | undefined;
}

/** How labels are chosen. */
type Chosen = Pick<StrategyOptions, 'strategy' | 'k'>;

export interface ThresholdOptions extends RowOptions {
  /** The metric to maximise. Default: the model's `thresholdMetric`. */
  readonly metric?: MultiLabelOptions['thresholdMetric'] | undefined;
  /** Strength of a common threshold as prior, in positive rows; `fit` and `finetune` use 20. Default 0. */
  readonly smoothing?: number | undefined;
}

/**
 * Multi-label classification by a grid of prototypes, trained by the asymmetric loss. With 'gaussian', probabilities are the
 * sigmoid of Σ_k r_k(x)·targets_k; with other soft types, the highest similarity among the label's prototypes that are among the
 * topK nearest.
 *
 * `await new FastMultiLabelKMeansClassifier({ backend }).fit(X, Y)`, then `finetune(X, Y)`. X [N, D] raw features; Y [N, C] of 0
 * and 1, or lists of label names. `FastMultiLabelKMeansClassifier<'red' | 'round'>` restricts the types to these names.
 *
 * The loss inflates probabilities: with its defaults it gives 0.5 where 31 % of the rows have the label. `predictProba` [N, C]
 * undoes this, so that the mean probability of a label is its rate. With `negativeSampling` and with other soft types it returns
 * similarities, which are not calibrated.
 *
 * Errors: OptionError for an unknown or impossible option.
 */
export class FastMultiLabelKMeansClassifier<L extends Label = Label> extends ProbabilityModel<LabelSets<L>> {
  constructor(options: MultiLabelOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return multiLabelHeads;
  }

  /** The labels in the order of the columns, as a copy. Errors: StateError. */
  get classes(): readonly L[] {
    return this.fitted('classes').classes.slice() as L[];
  }

  /**
   * 1 where a row gets the label [N, C]; for a source, one answer for each batch. Errors: ShapeError, DataError, StateError;
   * OptionError for 'top_k' without k.
   */
  predict(
    source: AnySource,
    options?: Chosen & SourceReadOptions,
  ): AsyncGenerator<ResultArray<Int32Array, number[][]>, void, void>;
  predict(X: RowsIn, options?: StrategyOptions): Promise<ResultArray<Int32Array, number[][]>>;
  predict(
    X: RowsIn | AnySource,
    options: StrategyOptions | (Chosen & SourceReadOptions) = {},
  ): Answers<ResultArray<Int32Array, number[][]>> {
    if (!isSource(X)) return this.inUse('predict', () => this.chosen(X, options as StrategyOptions));
    const { strategy, k } = options;
    const how = { ...(strategy ? { strategy } : {}), ...(k === undefined ? {} : { k }) };
    const answer = (rows: RowsIn, all: PredictOptions) => this.chosen(rows, { ...how, ...all });
    return this.overSource(X, 'predict', options as SourceReadOptions, answer, ['strategy', 'k']);
  }

  /** The labels of one row: a record of a model of tables, or numbers [D]. Errors: as `predict`. */
  async predictOne(row: OneRow, options: StrategyOptions = {}): Promise<L[]> {
    const { data } = await this.predict(asRows(row), options);
    return this.classes.filter((_, c) => data[c] === 1);
  }

  private async chosen(X: RowsIn, options: StrategyOptions): Promise<ResultArray<Int32Array, number[][]>> {
    checkCall('predict', options, 'predict', ['strategy', 'k']);
    const { strategy = this.usual, k, ...rest } = options;
    this.checkStrategy('predict', strategy, k);
    const chosen = await this.read('predict', X, rest, strategy, k);
    return new ResultArray(chosen as NdArray<Int32Array>);
  }

  /** Macro-averaged F1 of the labels by a strategy; over all rows of a source, batch by batch. Errors: as `predict`. */
  score<X extends RowsIn | AnySource>(
    X: X,
    ...rest: After<
      X,
      [options?: SourceScoreOptions & Chosen],
      [y: LabelSets<L> | string, options?: RowOptions & Chosen]
    >
  ): Promise<number> {
    const [y, options] = rest as [LabelSets<L> | (SourceScoreOptions & Chosen), (RowOptions & Chosen)?];
    const more = ['strategy', 'k'];
    return isSource(X)
      ? this.inUse('score', () => this.scoreSource(X, y as SourceScoreOptions, more))
      : this.scoreRows(X, y as LabelSets<L>, options, more);
  }

  protected tally({ strategy = this.usual, k }: Chosen): Tally<LabelSets<L>> {
    this.checkStrategy('score', strategy, k);
    let f1: F1Tally | undefined;
    return {
      add: async (X, y, options, place) => {
        const { data, shape } = await this.read('score', X, this.maskOf(options), strategy, k);
        const [rows, columns] = shape as [number, number];
        if (rows === 0) return 0;
        const truth = this.encode(y, rows, place, { ...this.fitted('score'), grows: false }).y;
        f1 ??= new F1Tally(columns);
        f1.add(denseRows(truth).data, data, toWeights(options.sampleWeight, rows, place));
        return rows;
      },
      value: () => f1?.value('macro') ?? Number.NaN,
    };
  }

  /**
   * Chooses the thresholds of strategy 'tuned', one a label [C], on rows X [N, D], Y as in `fit` that should not have trained. They
   * maximise the metric on these rows; with `smoothing`, thresholds of labels with few positives are drawn to a common one. Later
   * calls of `fit` and `finetune` with evaluation rows choose them anew. Errors: as `fitBatch`; StateError.
   */
  tuneThresholds(X: RowsIn, y: LabelSets<L> | string, options: ThresholdOptions = {}): Promise<Float32Array> {
    const call = 'tuneThresholds';
    const [rows, labels, given] = ownCopy([readable(X, call), y, options] as const);
    return this.inTurn(call, async () => {
      checkCall(call, given);
      const { metric = this.options.thresholdMetric, smoothing = 0, ...rest } = given;
      const state = this.fitted(call);
      const { batch } = this.checkBatch(rows, labels, rest, call, 'read', { ...state, grows: false });
      this.state = await withThresholds(this.context(call), state, batch, metric, smoothing);
      return withJson(Float32Array.from(this.state.arrays.thresholds?.data ?? []));
    });
  }

  /** The strategy where none is named. */
  private get usual(): Strategy {
    return usualStrategy(this.state?.arrays.thresholds !== undefined);
  }

  private checkStrategy(call: string, strategy: Strategy, k: number | undefined): void {
    checkStrategy(call, strategy, { k, tuned: this.fitted(call).arrays.thresholds !== undefined });
  }

  protected encode(y: LabelSets<L>, rows: number, call: string, known: Known | null): Encoded {
    if (isNamed(y)) {
      checkLength(y.length, rows, call);
      return named(y, call, known);
    }
    const place = { call, argument: 'y' };
    const flags = toFeatures(y as Matrix, place);
    checkLength(flags.rows, rows, call);
    checkFeatures(flags, place, undefined, y);
    return indicators(flags, call, known);
  }
}

function checkLength(length: number, expected: number, call: string): void {
  if (length === expected) return;
  throw new ShapeError(`${call}: y has ${length} rows, X has ${expected}.`, {
    argument: 'y',
    length,
    expected,
  });
}

/** Whether y holds lists of names: an array of arrays, one of which holds a string, or all of which are empty. */
const isNamed = (y: LabelSets): y is readonly (readonly string[])[] =>
  Array.isArray(y) &&
  y.every(Array.isArray) &&
  (y.some((list) => typeof list[0] === 'string') || (y.length > 0 && y.every((list) => list.length === 0)));

function named(y: readonly (readonly string[])[], call: string, known: Known | null): Encoded {
  const own = known?.classes ?? [];
  const names = new Set<Label>(own);
  const fresh: Label[] = [];
  y.forEach((list, row) => {
    for (const label of list) {
      if (typeof label !== 'string') {
        throw new DataError(`${call}: y is ${label} in row ${row}; lists of labels hold strings.`, {
          argument: 'y',
          row,
          value: label,
        });
      }
      if (names.has(label)) continue;
      if (known && !known.grows) {
        throw new DataError(`${call}: y is '${label}' in row ${row}, a label that this model has not seen.`, {
          argument: 'y',
          row,
          value: label,
        });
      }
      names.add(label);
      fresh.push(label);
    }
  });
  if (fresh.length > 0 && typeof own[0] === 'number') {
    throw new DataError(
      `${call}: y holds names, this model was fitted on columns of 0 and 1; pass ${own.length} columns or more.`,
      { argument: 'y' },
    );
  }
  const classes = [...own, ...sortedLabels(fresh, call)];
  if (classes.length === 0) throw new DataError(`${call}: y holds no label at all.`, { argument: 'y' });
  const indptr = [0];
  const lists = y.map((list) => new Set(list));
  for (const { size } of lists) indptr.push((indptr[indptr.length - 1] as number) + size);
  const indices = indexOfLabels(
    lists.flatMap((list) => [...list]),
    classes,
  );
  const matrix = { indptr, indices, shape: [y.length, classes.length] as const };
  return { y: toFeatures(matrix, { call, argument: 'y' }), outputs: classes.length, classes };
}

function indicators(rows: Features, call: string, known: Known | null): Encoded {
  for (let row = 0; row < rows.rows; row++) {
    visitRow(rows, row, (column, value) => {
      if (value === 0 || value === 1) return;
      throw new DataError(`${call}: y is ${value} in row ${row}, column ${column}; labels are 0 or 1.`, {
        argument: 'y',
        row,
        column,
        value,
      });
    });
  }
  // No classes yet, or a fit from the start, which determines them anew.
  const count = known?.classes.length || rows.columns;
  const numbered = typeof known?.classes[0] !== 'string';
  if (rows.columns < count || (rows.columns > count && !(known?.grows && numbered))) {
    throw new ShapeError(
      `${call}: y has ${rows.columns} columns, this model was fitted on ${count} labels.`,
      {
        argument: 'y',
        columns: rows.columns,
        expected: count,
      },
    );
  }
  const classes =
    known?.classes.length === rows.columns
      ? known.classes
      : Array.from({ length: rows.columns }, (_, c) => c);
  return { y: rows, outputs: classes.length, classes };
}

// The classifier: prototypes vote for classes.

import { type Rows, toWeights } from '../data/matrix.js';
import { asRows, type OneRow } from '../data/table.js';
import { DataError, shown } from '../errors.js';
import { AccuracyTally } from '../formulas/metrics.js';
import { classifierHeads } from '../heads/classifier.js';
import type { HeadFamily } from '../heads/head.js';
import { ResultLabels } from '../result.js';
import { areWhole, indexOfClasses, indexOfLabels, sortedLabels, toLabels } from '../state/labels.js';
import type { ClassifierOptions } from '../state/options.js';
import { type Answers, type AnySource, isSource } from '../state/source.js';
import type { Label } from '../state/state.js';
import type { PredictOptions, RowOptions } from './calls.js';
import type { RowsIn } from './learned.js';
import { ProbabilityModel } from './probability-model.js';
import type { After, SourceReadOptions, SourceScoreOptions, Tally } from './source-model.js';
import type { Encoded, Known } from './targets.js';

type Texts<L extends Label> = Extract<L, string>;
type Numbers<L extends Label, A> = [Extract<L, number>] extends [never] ? never : A;

/** The class of each row [N], as the caller names it: numbers or strings. */
export type ClassLabels<L extends Label = Label> =
  | readonly Texts<L>[]
  | Numbers<L, ArrayLike<Extract<L, number>>>;

/** Labels of rows in the caller's names: Int32Array of whole numbers, Float64Array of others, or strings. */
export type PredictedLabels<L extends Label = Label> = ResultLabels<
  L,
  readonly Texts<L>[] | Numbers<L, Int32Array | Float64Array>
>;

/**
 * Classification by a grid of prototypes. With 'gaussian' and up to 256 classes, probabilities are the softmax of Σ_k
 * r_k(x)·targets_k; otherwise the share of r(x) that each class's own prototypes have.
 *
 * `await new FastKMeansClassifier({ backend }).fit(X, y)`, then `finetune(X, y)`. X [N, D] raw features; y [N] numbers or strings.
 * `FastKMeansClassifier<'cat' | 'dog'>` restricts the types to these labels.
 *
 * `predictProba` returns probabilities [N, C], which add up to 1 where routing weights do. With prototype vectors they are
 * calibrated: p = (q − ε/C) / (1 − ε), at least q/10, divided by the sum, undoes label smoothing ε in the softmax q of the logits.
 * Evaluation rows, or the waiting rows of `finetune`, determine one factor for the logits (temperature scaling, Guo et al. 2017).
 * The order of the classes does not change.
 *
 * Errors: OptionError for an unknown or impossible option.
 */
export class FastKMeansClassifier<L extends Label = Label> extends ProbabilityModel<ClassLabels<L>> {
  constructor(options: ClassifierOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return classifierHeads;
  }

  /** The classes in the order of the columns of `predictProba`, as a copy. Errors: StateError. */
  get classes(): readonly L[] {
    return this.fitted('classes').classes.slice() as L[];
  }

  /**
   * The class of the largest probability for each row [N]; for a source, one answer for each batch. Errors: ShapeError, DataError,
   * StateError.
   */
  predict(source: AnySource, options?: SourceReadOptions): AsyncGenerator<PredictedLabels<L>, void, void>;
  predict(X: RowsIn, options?: PredictOptions): Promise<PredictedLabels<L>>;
  predict(
    X: RowsIn | AnySource,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<PredictedLabels<L>> {
    return isSource(X)
      ? this.overSource(X, 'predict', options as SourceReadOptions, (rows, all) => this.named(rows, all))
      : this.inUse('predict', () => this.named(X, options as PredictOptions));
  }

  /** The class of one row: a record of a model of tables, or numbers [D]. Errors: as `predict`. */
  async predictOne(row: OneRow, options: PredictOptions = {}): Promise<L> {
    return (await this.predict(asRows(row), options)).toArray()[0] as L;
  }

  private async named(X: RowsIn, options: PredictOptions): Promise<PredictedLabels<L>> {
    const { data } = await this.read('predict', X, options, 'label');
    const { classes } = this;
    const names = Array.from(data, (c) => classes[c] as L);
    const held =
      typeof classes[0] === 'string'
        ? names
        : (areWhole(classes) ? Int32Array : Float64Array).from(names as number[]);
    return new ResultLabels(held as PredictedLabels<L>['data']);
  }

  /**
   * Accuracy, the weighted share of correct classes; over all rows of a source, batch by batch. Errors: as `predict`; DataError for
   * a label that is not in `classes`.
   */
  score<X extends RowsIn | AnySource>(
    X: X,
    ...rest: After<X, [options?: SourceScoreOptions], [y: ClassLabels<L> | string, options?: RowOptions]>
  ): Promise<number> {
    const [y, options] = rest as [ClassLabels<L> | SourceScoreOptions, RowOptions?];
    return isSource(X)
      ? this.inUse('score', () => this.scoreSource(X, y as SourceScoreOptions))
      : this.scoreRows(X, y as ClassLabels<L>, options);
  }

  protected tally(): Tally<ClassLabels<L>> {
    const accuracy = new AccuracyTally();
    return {
      add: async (X, y, options, place) => {
        const { data: found } = await this.read('score', X, this.maskOf(options), 'label');
        const rows = found.length;
        if (rows === 0) return 0;
        const truth = this.encode(y, rows, place, { ...this.fitted('score'), grows: false }).y.data;
        accuracy.add(truth, found, toWeights(options.sampleWeight, rows, place));
        return rows;
      },
      value: () => accuracy.value,
    };
  }

  protected encode(y: ClassLabels<L>, rows: number, call: string, known: Known | null): Encoded<Rows> {
    const labels = toLabels(y, rows, call);
    const own = known?.classes ?? [];
    const index = indexOfClasses(own);
    const names = new Set<Label>();
    for (let i = 0; i < rows; i++) {
      const label = labels[i] as Label;
      if (index.has(label) || names.has(label)) continue;
      if (known && !known.grows) {
        throw new DataError(
          `${call}: y is ${shown(label)} in row ${i}, a class that this model has not seen.`,
          {
            argument: 'y',
            row: i,
            value: label,
          },
        );
      }
      names.add(label);
    }
    const fresh = sortedLabels(names, call);
    if (fresh.length > 0) sortedLabels([...own.slice(0, 1), ...fresh], call);
    // The same list if nothing is new, so that cached counts stay valid.
    const classes = fresh.length > 0 ? [...own, ...fresh] : own;
    const data = Float32Array.from(indexOfLabels(labels, classes));
    return { y: { data, rows, columns: 1 }, outputs: classes.length, classes };
  }
}

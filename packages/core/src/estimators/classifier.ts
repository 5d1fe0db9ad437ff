// The classifier: prototypes that vote for classes.

import { type Matrix, type Rows, toWeights, type Vector } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import { DataError } from '../errors.js';
import { classifierHeads } from '../heads/classifier.js';
import { AccuracyTally } from '../metrics.js';
import { areWhole, indexOfClasses, indexOfLabels, sortedLabels, toLabels } from '../model/labels.js';
import type { ClassifierOptions, LoadOptions } from '../model/options.js';
import type { Label } from '../model/state.js';
import { type Answers, isSource, type Source } from '../streams/source.js';
import {
  SourceModel,
  type SourceReadOptions,
  type SourceScoreOptions,
  type Tally,
} from '../streams/source-model.js';
import type { PredictOptions, RowOptions } from './calls.js';
import { readWhole } from './files.js';
import type { Encoded, Known } from './model.js';

/** The class of each row [N], as the caller names it: numbers or strings. */
export type ClassLabels = readonly string[] | Vector;

/** Labels of rows in the caller's names: Int32Array of whole numbers, Float64Array of others, or strings. */
export interface PredictedLabels {
  readonly data: Int32Array | Float64Array | readonly string[];
  readonly shape: readonly [number];
}

/**
 * Classification by a grid of prototypes: with 'gaussian' the softmax of Σ_k r_k(x)·targets_k, beyond 256 classes and with
 * other soft types the share of r(x) that each class's own prototypes have.
 *
 * `await new FastKMeansClassifier({ backend }).fit(X, y)`, then `finetune(X, y)`. X [N, D] raw features; y [N] numbers or strings.
 * Errors: OptionError for an unknown or impossible option.
 */
export class FastKMeansClassifier extends SourceModel<ClassLabels> {
  constructor(options: ClassifierOptions) {
    super(options, classifierHeads, 'FastKMeansClassifier');
  }

  /** A model from the bytes of `save()`, on any backend. Errors: FormatError, OptionError. */
  static async load(bytes: Uint8Array, options: LoadOptions): Promise<FastKMeansClassifier> {
    return SourceModel.restore(bytes, classifierHeads, options, (all) => new FastKMeansClassifier(all));
  }

  /** A model from a file of `saveFile()`. Errors: as `load`; OptionError, BackendError where there are no files. */
  static async loadFile(path: string, options: LoadOptions): Promise<FastKMeansClassifier> {
    return readWhole(path, 'loadFile', (bytes) => FastKMeansClassifier.load(bytes, options));
  }

  /** The classes in the order of the columns of `predictProba`, a copy. Errors: StateError. */
  get classes(): readonly Label[] {
    return this.fitted('classes').classes.slice();
  }

  /** The class of the largest probability of each row [N]; of a source those of every batch. Errors: ShapeError, DataError, StateError. */
  predict(source: Source, options?: SourceReadOptions): AsyncGenerator<PredictedLabels, void, void>;
  predict(X: Matrix, options?: PredictOptions): Promise<PredictedLabels>;
  predict(X: Matrix | Source, options: PredictOptions | SourceReadOptions = {}): Answers<PredictedLabels> {
    return isSource(X)
      ? this.overSource(X, 'predict', options as SourceReadOptions, (rows, all) => this.named(rows, all))
      : this.named(X, options as PredictOptions);
  }

  private async named(X: Matrix, options: PredictOptions): Promise<PredictedLabels> {
    const { data } = await this.read('predict', X, options, 'label');
    const { classes } = this;
    const names = Array.from(data, (c) => classes[c] as Label);
    const shape = [names.length] as const;
    if (typeof classes[0] === 'string') return { data: names as string[], shape };
    return { data: (areWhole(classes) ? Int32Array : Float64Array).from(names as number[]), shape };
  }

  /** Probabilities of the classes [N, C], which add up to 1 where routing weights do; of a source those of every batch. Errors: as `predict`. */
  predictProba(
    source: Source,
    options?: SourceReadOptions,
  ): AsyncGenerator<NdArray<Float32Array>, void, void>;
  predictProba(X: Matrix, options?: PredictOptions): Promise<NdArray<Float32Array>>;
  predictProba(
    X: Matrix | Source,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<NdArray<Float32Array>> {
    return this.probabilities(X, options);
  }

  /**
   * Accuracy: the weighted share of rows whose class is found; of a source among all its rows, a batch at a time.
   * Errors: as `predict`; DataError for a label that is not among `classes`.
   */
  score(source: Source, options?: SourceScoreOptions): Promise<number>;
  score(X: Matrix, y: ClassLabels, options?: RowOptions): Promise<number>;
  score(X: Matrix | Source, y?: ClassLabels | SourceScoreOptions, options?: RowOptions): Promise<number> {
    return isSource(X)
      ? this.scoreSource(X, y as SourceScoreOptions)
      : this.scoreRows(X, y as ClassLabels, options);
  }

  protected tally(): Tally<ClassLabels> {
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

  protected encode(y: ClassLabels, rows: number, call: string, known: Known | null): Encoded<Rows> {
    const labels = toLabels(y, rows, call);
    const own = known?.classes ?? [];
    const index = indexOfClasses(own);
    const names = new Set<Label>();
    for (let i = 0; i < rows; i++) {
      const label = labels[i] as Label;
      if (index.has(label) || names.has(label)) continue;
      if (known && !known.grows) {
        throw new DataError(
          `${call}: y is ${show(label)} in row ${i}, a class that this model has not seen.`,
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
    // The same list where nothing is new: what was counted of it once stays right.
    const classes = fresh.length > 0 ? [...own, ...fresh] : own;
    const data = Float32Array.from(indexOfLabels(labels, classes));
    return { y: { data, rows, columns: 1 }, outputs: classes.length, classes };
  }
}

const show = (label: Label): string => (typeof label === 'string' ? `'${label}'` : String(label));

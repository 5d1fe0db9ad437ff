// The options of the estimators as types; what they allow is in rules.ts beside it.

import type { DenseMatrix, Vector } from '../data/matrix.js';
import type { Distance } from '../formulas/distances.js';
import type { SoftType } from '../formulas/routing.js';
import type { Backend } from '../graph/backend.js';
import type { Scaling } from '../scaling/scaler.js';
import type { PrototypeIndexFactory } from './prototype-index.js';
import type { Label } from './state.js';
import type { StoredDType } from './storage.js';

/** What an estimator is for. */
export type Task = 'clusterer' | 'classifier' | 'multiLabel' | 'regressor' | 'quantileRegressor';

/** How rows are weighted in the mean that becomes a prototype's target; with 'hard', the row of highest similarity alone. */
export type TargetAssignment = 'mean' | 'scaled' | 'softmax_scaled' | 'hard';

/** Prototypes to start from in place of an initialisation, in the space in which they are compared: they are not scaled. */
export interface InitialGrid {
  /** [K, D] */
  readonly prototypes: DenseMatrix;
  /** [K] the class or label of each prototype, as y names it; the index of a column of y where labels have no names. */
  readonly owners?: readonly Label[] | Vector;
  /** [K, T], or [K] for one column: the answer of each prototype, as numbers or as logits of the classes. */
  readonly targets?: DenseMatrix | Vector;
  /** [K] accumulated sample weight. Default 1. */
  readonly ages?: Vector;
}

/** What a column of a table is, where its rows shall not decide. */
export type ColumnSpec =
  | 'number'
  | 'boolean'
  | 'date'
  | 'category'
  | 'ignore'
  /** Texts in their order, from the least. */
  | { readonly order: readonly string[] }
  /** Texts that are numbers with this decimal mark, and maybe the other one between thousands. */
  | { readonly decimal: ',' | '.' };

/** By the names of columns. */
export type ColumnSpecs = Readonly<Record<string, ColumnSpec>>;

/** What the estimators share. Every option is optional but the backend. */
export interface EstimatorOptions {
  /** The backend that runs graphs: `jsBackend()`, `await onnxBackend()`, `await tfjsBackend()`. */
  readonly backend: Backend;
  /** How rows and prototypes are compared. Default 'euclidean'. */
  readonly distance?: Distance;
  /**
   * How prototypes are initialised. 'joint' clusters features and targets together. 'kmeans++' and 'random' draw rows of each class, label
   * or stratum of the target. A grid is taken as given. Default 'joint' with 'gaussian' and up to 256 classes, else 'kmeans++'.
   */
  readonly initMode?: 'joint' | 'kmeans++' | 'random' | InitialGrid;
  /** How the nearest prototypes share the answer. Default 'gaussian'. */
  readonly softType?: SoftType;
  /**
   * Divides the similarities of 'softmax_scaled', in routing and in target assignment. A multi-label classifier with owners does not use
   * it. Default 1.
   */
  readonly temperature?: number;
  /** How many of the nearest prototypes share the answer; −1 means all. Default −1 with 'gaussian', else 5. */
  readonly topK?: number;
  /**
   * Scaling of the features, part of the model. Default: 'dual' with euclidean and l1 ('standard' with featureWeights, 'none' in a
   * clusterer); 'none' with cosine or a given grid. Sparse rows allow 'none' and their own default: one factor for all columns, so that
   * stored values have a mean square of 1, wherever dense rows would be scaled by default. The other scalings would fill sparse rows and
   * are refused.
   */
  readonly scaling?: Scaling;
  /** What columns of tables are; the others are decided by the rows of the first fit, and `model.columns` says how. */
  readonly columns?: ColumnSpecs;
  /** Missing values of tables are masked, or are a DataError; those of matrices need a mask. Default 'mask'. */
  readonly missing?: 'mask' | 'error';
  /**
   * Weights of the features [D] in [0, 1]. With 'gaussian', phase 2 trains them from there, except in a clusterer. Needs scaling 'none' or
   * 'standard'.
   */
  readonly featureWeights?: Vector;
  /** Learns featureWeights from variances in phase 1, and trains them in phase 2. Default false. */
  readonly autoFeatureWeights?: boolean;
  /** Weight of Σ p² in the loss. Default 0. */
  readonly l2Reg?: number;
  /** Weight of Σ_{i≠j} s(p_i, p_j)² in the loss. Default 0. */
  readonly diversityReg?: number;
  /** Prototypes whose age falls below so many rows are pruned; 0 prunes none. One head only. Default 0. */
  readonly minWeight?: number;
  /** Batches between prunings. Default 0: prune only after passes of `fit`. */
  readonly pruneEvery?: number;
  /** Number of rows after which older rows count half; a row of weight w counts as w rows. Default Infinity. */
  readonly halfLife?: number;
  /** Rows in a batch. Default 10240 in `fit`, 256 in `finetune`. */
  readonly batchSize?: number;
  /**
   * Peak learning rate of phase 2. Prototypes with owners move by this rate times √mean δ to the own prototype, at most 1. With 'auto',
   * `finetune` runs `findLearningRate` on its rows first; single gradient steps have no rows to try rates on and use 0.02. Default 0.02.
   */
  readonly learningRate?: number | 'auto';
  /** @deprecated Use `learningRate`. */
  readonly lr?: number | 'auto';
  /** Seed. Default 0. */
  readonly randomState?: number;
  /** No effect: graphs are always compiled. Default true. */
  readonly useCompile?: true;
  /**
   * Whether to search the nearest prototypes by `index` in place of comparing rows with all of them.
   *
   * true searches wherever an index can serve. 'auto' searches from these numbers of prototypes a head on: calls of up to 16 rows from
   * 4,096 (16,384 with 'gaussian'); larger calls from 10,000 (40,000 for clusters and with 'gaussian'); phase 1 from 40,000; hard negatives
   * from 4,096. If the index lacks the distance, 'auto' stays exact.
   *
   * The index only proposes candidates; their exact similarities decide. So an answer equals the exact one whenever the index finds the
   * true neighbours. 'gaussian' weighs all prototypes: a row is compared with all of them if a sample shows that those not proposed hold
   * more than 1e-4 of the weight (for labels by owners: enough to change the label). Measured probabilities differ by at most 2e-4.
   *
   * Served: `predict`, `score`, probabilities; phase 1 of a clusterer, and of a regressor that does not start 'joint'; hard negatives of
   * `finetune` with `negativeSampling`. Always exact: rows with a feature mask, sparse rows, `transform`, probabilities of clusters,
   * evaluation, 'lloyd'. Default 'auto' with an `index`, else false.
   */
  readonly useIndex?: boolean | 'auto';
  /** Creates an index of prototypes: `hnswIndex` of '@fkm/index-hnsw', or a function that calls it with options. */
  readonly index?: PrototypeIndexFactory;
  /**
   * Stored type of prototypes and targets between training calls, to which they are rounded; sums, losses and training are float32.
   * 'float16' has 11 significant bits and ends at 65504. 'bfloat16' has 8 bits and the range of float32; scale features whose mean is far
   * from 0 compared with their spread. Default 'float32'.
   */
  readonly dtype?: StoredDType;
  /**
   * 'original' reproduces the original implementation where this one differs. Phase 1 with 'cosine' averages rows, not their directions.
   * Ages start at 1 in any unit of weights. The first batch with a feature mask counts twice. Losses are divided by the number of rows, not
   * by their weight. `halfLife` counts rows of any weight. Default 'standard': a row of weight w counts as w rows.
   */
  readonly arithmetic?: 'standard' | 'original';
}

/** Options of `load`: what a checkpoint does not hold, or what depends on the machine. */
export type LoadOptions = Pick<EstimatorOptions, 'backend' | 'index' | 'useIndex'>;

/** Options that all estimators with targets share. */
export interface SupervisedOptions extends EstimatorOptions {
  /**
   * Groups of prototypes, each with its own metric, whose answers add up; 'gaussian' only. Default 8, fewer if there are few prototypes.
   */
  readonly heads?: number;
  /**
   * Total number of prototypes. If the first rows have fewer distinct ones, there are only as many, and `fit` warns. Default: a quarter of
   * the distinct rows, at most 400, at least one for every class, and at least 16 if there are as many rows; kInit, or kTargets ·
   * kFeatures, replace this default.
   */
  readonly nPrototypes?: number;
  /**
   * 'slopes' weighs features by how fast the target changes along them. 'auto' keeps these weights if they lower the error on
   * held-out rows. Fewer than 100 rows get no weights. Default 'auto' with 'joint', else 'none'; 'none' in a multi-label
   * classifier.
   */
  readonly metric?: 'none' | 'slopes' | 'auto';
  /** Share of the prototypes that each gradient step leaves out. Default 0.05 with 'gaussian' and without `negativeSampling`, else 0. */
  readonly prototypeDropout?: number;
}

/** Options of `FastKMeansRegressor`. */
export interface RegressorOptions extends SupervisedOptions {
  /** Strata of the target. Default 20. */
  readonly kTargets?: number | 'auto';
  /** Prototypes in each stratum. Default 10. */
  readonly kFeatures?: number | 'auto';
  /** Distance between targets when strata are formed. Default 'euclidean'. */
  readonly targetDistance?: Distance;
  /** How rows are weighted in their prototype's target in phase 1. Default 'mean'. */
  readonly targetAssignment?: TargetAssignment;
  /**
   * 'constant': a prototype answers its target t_k. 'linear': it answers t_k + S_k·(x − p_k) in scaled features, where S_k is the ridge
   * slope of the rows nearest to it; masked features add nothing, and answers are clipped to the range of the targets. 'linear' takes up to
   * 256 scaled columns, and not 'cosine'. Default 'constant'.
   */
  readonly prototypeModel?: 'constant' | 'linear';
}

/** Options of `FastKMeansQuantileRegressor`. */
export interface QuantileRegressorOptions
  extends SupervisedOptions,
    Pick<RegressorOptions, 'kTargets' | 'kFeatures' | 'targetDistance'> {
  /** The quantiles [Q] that are answered: numbers between 0 and 1, in rising order. Default [0.1, 0.5, 0.9]. */
  readonly quantiles?: readonly number[];
}

/** What the classifiers share. */
export interface ClassifyingOptions extends SupervisedOptions {
  /** Prototypes of each class or label. Default 3 without 'joint'. */
  readonly kInit?: number | 'auto';
  /** How far phase 1 pushes the nearest prototype of a wrong class away, relative to its pull on own rows. Default 0. */
  readonly repulsionFactor?: number;
  /**
   * Number n of further classes that a gradient step computes besides those of its batch. In `finetune`, up to 7/8 of them are hard
   * negatives: classes that rows of the batch's classes were recently taken for. The others are drawn at random, and each stands for
   * absent/n classes. l2Reg, diversityReg and topK see only the sampled classes, and Adam's moments of the others do not change. Evaluation
   * uses all classes. Default: all classes.
   */
  readonly negativeSampling?: number;
}

/** Options of `FastKMeansClassifier`. */
export interface ClassifierOptions extends ClassifyingOptions {
  /**
   * 'vectors': a prototype has a logit for every class. 'owners': it stands for its own class only. Default 'vectors' with 'gaussian' and
   * up to 256 classes.
   */
  readonly prototypeTargets?: 'vectors' | 'owners';
  /**
   * Share of the true class that the loss of 'vectors' spreads over all classes; `predictProba` undoes it. 0 is the plain cross-entropy.
   * Default 0.1.
   */
  readonly labelSmoothing?: number;
}

/** Options of `FastMultiLabelKMeansClassifier`. */
export interface MultiLabelOptions extends ClassifyingOptions {
  /**
   * γ−: power of the probability of a negative, which focuses the loss on hard negatives; `predictProba` undoes its effect on
   * probabilities. Default 2.
   */
  readonly aslGammaNeg?: number;
  /** γ+: the same for positives. Default 0. */
  readonly aslGammaPos?: number;
  /** Probability below which a negative costs nothing. Default 0.05. */
  readonly aslClip?: number;
  /** The asymmetric loss as published by Ridnik et al., or as in the original implementation. Default 'standard'. */
  readonly aslVariant?: 'standard' | 'original';
  /** The metric that the thresholds of strategy 'tuned' maximise on held-out rows. Default 'macroF1'. */
  readonly thresholdMetric?: 'macroF1' | 'microF1' | 'accuracy';
}

/** Options of `FastKMeansClusterer`. */
export interface ClustererOptions extends EstimatorOptions {
  /** Number of clusters. If the first rows have fewer distinct ones, there are only as many, and `fit` warns. Default 8. */
  readonly kInit?: number | 'auto';
  /** How `fit` learns: 'ema' by moving averages over batches, 'lloyd' by exact passes over all rows. Default 'ema'. */
  readonly algorithm?: 'ema' | 'lloyd';
}

/** Default number of strata of the target, and of prototypes in each. */
export const defaultStrata = { kTargets: 20, kFeatures: 10 } as const;

/** Every option of every estimator. */
export type AnyOptions = RegressorOptions &
  QuantileRegressorOptions &
  ClassifierOptions &
  MultiLabelOptions &
  ClustererOptions;
export type OptionName = Exclude<keyof AnyOptions, OldName>;
/** Old spellings, absent from resolved options. */
type OldName = 'lr';

/** Options whose default depends on the first rows; undefined until then. */
type Settled =
  | 'featureWeights'
  | 'index'
  | 'nPrototypes'
  | 'batchSize'
  | 'heads'
  | 'kTargets'
  | 'kFeatures'
  | 'kInit'
  | 'initMode'
  | 'scaling'
  | 'metric'
  | 'negativeSampling'
  | 'prototypeTargets';

/** Options with all defaults filled in, except those that depend on the first rows. */
export type Resolved = Required<Omit<AnyOptions, Settled | OldName>> & {
  readonly [N in Settled]: AnyOptions[N] | undefined;
};

/** The learning rate where none is given. */
export const defaultLearningRate = 0.02;

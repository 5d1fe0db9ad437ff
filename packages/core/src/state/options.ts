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
export type Task = 'clusterer' | 'classifier' | 'multiLabel' | 'regressor';

/** How much a row counts in its prototype's target; for 'hard' the row of highest similarity is taken. */
export type TargetAssignment = 'mean' | 'scaled' | 'softmax_scaled' | 'hard';

/** Prototypes to start from, in place of an initialisation; the model takes them as they are, unscaled. */
export interface InitialGrid {
  /** [K, D] */
  readonly prototypes: DenseMatrix;
  /** [K] the class or label that each prototype stands for, as y names it; a column of y where labels have no names. */
  readonly owners?: readonly Label[] | Vector;
  /** [K, T], or [K] for one column; what each prototype answers: numbers, or logits of the classes. */
  readonly targets?: DenseMatrix | Vector;
  /** [K] accumulated sample weight, 1 unless given. */
  readonly ages?: Vector;
}

/** What the estimators share. Every option is optional but the backend. */
export interface EstimatorOptions {
  /** Where graphs run: `jsBackend()`, `await onnxBackend()`, `await tfjsBackend()`. */
  readonly backend: Backend;
  /** How rows and prototypes are compared. Default 'euclidean'. */
  readonly distance?: Distance;
  /**
   * Where prototypes start: 'joint' clusters features and targets together; 'kmeans++' and 'random' draw rows of each class,
   * label or stratum of the target; or a given grid. Default 'joint' with 'gaussian' and up to 256 classes, else 'kmeans++'.
   */
  readonly initMode?: 'joint' | 'kmeans++' | 'random' | InitialGrid;
  /** How the nearest prototypes share the answer. Default 'gaussian'. */
  readonly softType?: SoftType;
  /**
   * Divides the similarities of 'softmax_scaled' routing and target assignment; labels of a multi-label classifier take the highest
   * one, undivided. Default 1.
   */
  readonly temperature?: number;
  /** How many prototypes share the answer; −1 all. Default −1 with 'gaussian', else 5. */
  readonly topK?: number;
  /**
   * Scaling of the features, part of the model. Default 'dual' with euclidean and l1 ('standard' beside featureWeights, 'none' in
   * a clusterer), 'none' with cosine or a given grid. Sparse rows are scaled by one factor where dense ones would be by default,
   * so that stored values have a mean square of 1, and not at all with 'none'; they refuse the others, which would fill them.
   */
  readonly scaling?: Scaling;
  /**
   * Weights of the features [D] in [0, 1]; with 'gaussian' the start of what phase 2 trains, but of a clusterer. Needs scaling 'none'
   * or 'standard'.
   */
  readonly featureWeights?: Vector;
  /** Learns featureWeights from variances in phase 1, and trains them in phase 2. Default false. */
  readonly autoFeatureWeights?: boolean;
  /** Weight of Σ p² in the loss. Default 0. */
  readonly l2Reg?: number;
  /** Weight of Σ_{i≠j} s(p_i, p_j)² in the loss. Default 0. */
  readonly diversityReg?: number;
  /** Ages below which prototypes are pruned, in rows; 0 never. One head only. Default 0. */
  readonly minWeight?: number;
  /** Also prune every so many batches. Default 0: after passes of `fit` alone. */
  readonly pruneEvery?: number;
  /** Rows after which old rows count half, a row of weight w as w rows. Default Infinity. */
  readonly halfLife?: number;
  /** Rows of a batch of fit and of finetune. Default 10240 and 256. */
  readonly batchSize?: number;
  /**
   * Peak learning rate of phase 2; prototypes of owners move by it times √mean δ to the own prototype, at most 1. With 'auto',
   * `finetune` runs `findLearningRate` on its rows first, and single gradient steps, which have no rows to try rates on, take 0.02.
   * Default 0.02.
   */
  readonly learningRate?: number | 'auto';
  /** @deprecated Write `learningRate`. */
  readonly lr?: number | 'auto';
  /** Seed. Default 0. */
  readonly randomState?: number;
  /** Graphs are always compiled. Default true. */
  readonly useCompile?: true;
  /**
   * Search by `index` in place of comparing rows with all prototypes: true wherever it can be, 'auto' where it begins to pay, which
   * the prototypes of a head and the rows of the call decide alone: up to 16 rows from 4,096 on, with 'gaussian' from 16,384;
   * more rows from 10,000 on, of clusters and with 'gaussian' from 40,000; phase 1 from 40,000; hard negatives from 4,096. With an
   * index that lacks the distance, 'auto' stays exact. The index proposes candidates, and their exact similarity decides, so an
   * answer is the exact one whenever the neighbours were found. 'gaussian' weighs all prototypes: where a sample tells that others
   * than the nearest have more than 1e-4 of the weight (for a label by owners: enough to change it), a row is compared with all;
   * measured, probabilities were within 2e-4. `predict`, `score` and probabilities use it,
   * phase 1 of a clusterer, or of a regressor that does not start 'joint', and with `negativeSampling` the choice of hard
   * negatives in `finetune`. Exact in any case, for lack of an order that an index could follow: rows with a feature mask, sparse
   * rows, `transform`, probabilities of clusters, evaluation, 'lloyd'. Default 'auto' with an `index`, else false.
   */
  readonly useIndex?: boolean | 'auto';
  /** What makes an index of prototypes: `hnswIndex` of '@fkm/index-hnsw', or a function that calls it with options. */
  readonly index?: PrototypeIndexFactory;
  /**
   * What prototypes and targets are stored in between training calls, and rounded to where an answer multiplies by them;
   * sums, losses and training itself are float32. 'float16' has 11 significant bits and ends at 65504, 'bfloat16' has 8 and
   * the range of float32: features that lie far from 0 for their spread want scaling. Default 'float32'.
   */
  readonly dtype?: StoredDType;
  /**
   * 'original' computes as the original implementation does where this one departs from it: with 'cosine' phase 1 averages rows as
   * they are, and not their directions; ages start at 1 in whatever unit weights are; the first batch with a feature mask counts twice;
   * losses are divided by rows in place of their weight, and `halfLife` counts rows of any weight. Default 'standard': a row of weight
   * w counts as w rows.
   */
  readonly arithmetic?: 'standard' | 'original';
}

/** What a checkpoint does not hold, or holds for the machine that it was written on. */
export type LoadOptions = Pick<EstimatorOptions, 'backend' | 'index' | 'useIndex'>;

/** What the estimators that learn from targets share. */
export interface SupervisedOptions extends EstimatorOptions {
  /** Groups of prototypes with a metric of their own whose answers add up; 'gaussian' only. Default 8, fewer on few prototypes. */
  readonly heads?: number;
  /**
   * Prototypes in all; as many as the first rows have distinct ones at most, of which `fit` warns. Default: a fourth of those, 400 at most and, of few rows,
   * up to 16 as far as there are rows, but a prototype for every class; unless the options below say how many a class or a stratum
   * gets.
   */
  readonly nPrototypes?: number;
  /** 'slopes' weighs features by how fast the target changes along them; 'auto' keeps that where held-out rows say so; fewer than 100 rows have none. Default 'auto' with 'joint', else 'none'; 'none' of a multi-label classifier. */
  readonly metric?: 'none' | 'slopes' | 'auto';
  /** Share of prototypes that each gradient step leaves out. Default 0.05 with 'gaussian' over all classes, else 0. */
  readonly prototypeDropout?: number;
}

/** Options of `FastKMeansRegressor`. */
export interface RegressorOptions extends SupervisedOptions {
  /** Strata of the target. Default 20. */
  readonly kTargets?: number | 'auto';
  /** Prototypes in each stratum. Default 10. */
  readonly kFeatures?: number | 'auto';
  /** Distance between targets, for the strata. Default 'euclidean'. */
  readonly targetDistance?: Distance;
  /** How much each row counts in its prototype's target in phase 1. Default 'mean'. */
  readonly targetAssignment?: TargetAssignment;
  /**
   * What a prototype answers: its target, or the line t_k + S_k·(x − p_k) in scaled features, S_k the ridge slope of the rows
   * nearest to it, masked features left out, and answers clipped to the range of the targets. Up to 256 scaled columns, not with 'cosine'.
   * Default 'constant'.
   */
  readonly prototypeModel?: 'constant' | 'linear';
}

/** What the classifiers share. */
export interface ClassifyingOptions extends SupervisedOptions {
  /** Prototypes of each class or label. Default 3 without 'joint'. */
  readonly kInit?: number | 'auto';
  /** How far phase 1 pushes the nearest prototype of a wrong class away, as a share of the pull. Default 0. */
  readonly repulsionFactor?: number;
  /**
   * Classes beside those of the batch that a gradient step looks at, whose prototypes alone are computed: drawn at random, and
   * standing for absent/n classes each; in finetune up to 7/8 of them are those that rows of the batch's classes were last taken
   * for, each standing for itself, and the others are drawn. So do l2Reg, diversityReg and topK see them alone, and moments of the others rest. Evaluation
   * looks at all. Default: all classes.
   */
  readonly negativeSampling?: number;
}

/** Options of `FastKMeansClassifier`. */
export interface ClassifierOptions extends ClassifyingOptions {
  /** A prototype says a logit for every class, or stands for its own class alone. Default 'vectors' with 'gaussian' and up to 256 classes. */
  readonly prototypeTargets?: 'vectors' | 'owners';
  /** Share of the true class that the loss of 'vectors' spreads over all classes, which `predictProba` undoes; 0 is the plain cross-entropy. Default 0.1. */
  readonly labelSmoothing?: number;
}

/** Options of `FastMultiLabelKMeansClassifier`. */
export interface MultiLabelOptions extends ClassifyingOptions {
  /** Focusing on hard negatives: the power of their probability; `predictProba` undoes what the loss does to probabilities. Default 2. */
  readonly aslGammaNeg?: number;
  /** Focusing on hard positives. Default 0. */
  readonly aslGammaPos?: number;
  /** Probability below which negatives count as right. Default 0.05. */
  readonly aslClip?: number;
  /** The asymmetric loss as Ridnik et al. have it, or as the original implementation does. Default 'standard'. */
  readonly aslVariant?: 'standard' | 'original';
  /** What strategy 'tuned' maximises on held-out rows. Default 'macroF1'. */
  readonly thresholdMetric?: 'macroF1' | 'microF1' | 'accuracy';
}

/** Options of `FastKMeansClusterer`. */
export interface ClustererOptions extends EstimatorOptions {
  /** Clusters; as many as the first rows have distinct ones at most, of which `fit` warns. Default 8. */
  readonly kInit?: number | 'auto';
  /** How `fit` learns: streaming averages, or exact passes over all rows. Default 'ema'. */
  readonly algorithm?: 'ema' | 'lloyd';
}

/** Strata of the target and prototypes in each, where neither is said. */
export const defaultStrata = { kTargets: 20, kFeatures: 10 } as const;

/** Every option of every estimator. */
export type AnyOptions = RegressorOptions & ClassifierOptions & MultiLabelOptions & ClustererOptions;
export type OptionName = Exclude<keyof AnyOptions, OldName>;
/** Old spellings, which resolved options do not have. */
type OldName = 'lr';

/** Options whose default waits for the first rows; undefined until then. */
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

/** Options with every default filled in that does not wait for rows. */
export type Resolved = Required<Omit<AnyOptions, Settled | OldName>> & {
  readonly [N in Settled]: AnyOptions[N] | undefined;
};

/** Where no learning rate is said. */
export const defaultLearningRate = 0.02;

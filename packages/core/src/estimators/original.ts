// The option values of the original implementation, for comparisons.

/** Marks a spread of these values, so that each estimator ignores those it does not have. */
const mark: unique symbol = Symbol.for('fkm.originalDefaults') as never;

/** The options of the original, and ours set to its behaviour. */
export interface OriginalDefaults {
  readonly distance: 'cosine';
  readonly initMode: 'kmeans++';
  readonly softType: 'scaled';
  readonly temperature: 1;
  readonly topK: 5;
  readonly heads: 1;
  readonly scaling: 'none';
  readonly metric: 'none';
  readonly autoFeatureWeights: false;
  readonly prototypeDropout: 0;
  readonly halfLife: number;
  readonly l2Reg: 0;
  readonly diversityReg: 0;
  readonly minWeight: 0;
  readonly batchSize: 10240;
  readonly learningRate: 'auto';
  readonly useIndex: false;
  readonly useCompile: true;
  readonly dtype: 'float32';
  readonly arithmetic: 'original';
  readonly kInit: 3;
  readonly repulsionFactor: 0.05;
  readonly prototypeTargets: 'owners';
  readonly labelSmoothing: 0;
  readonly aslGammaNeg: 4;
  readonly aslGammaPos: 1;
  readonly aslClip: 0.05;
  readonly aslVariant: 'original';
  readonly kTargets: 20;
  readonly kFeatures: 10;
  readonly targetDistance: 'euclidean';
  readonly targetAssignment: 'mean';
  readonly algorithm: 'ema';
}

/**
 * The defaults of the original implementation: `new FastKMeansClassifier({ backend, ...originalDefaults })`. They work with every
 * estimator, which ignores those it does not have. A value that contradicts one of your own options gets its usual default.
 * Features and targets are not scaled, so a step of `finetune` has the same length for targets of thousandths and of thousands:
 * scale them, or set another `lr`.
 */
export const originalDefaults: OriginalDefaults = /* @__PURE__ */ Object.freeze({
  [mark]: true,
  distance: 'cosine',
  initMode: 'kmeans++',
  softType: 'scaled',
  temperature: 1,
  topK: 5,
  heads: 1,
  scaling: 'none',
  metric: 'none',
  autoFeatureWeights: false,
  prototypeDropout: 0,
  halfLife: Number.POSITIVE_INFINITY,
  l2Reg: 0,
  diversityReg: 0,
  minWeight: 0,
  batchSize: 10240,
  learningRate: 'auto',
  useIndex: false,
  useCompile: true,
  dtype: 'float32',
  arithmetic: 'original',
  kInit: 3,
  repulsionFactor: 0.05,
  prototypeTargets: 'owners',
  labelSmoothing: 0,
  aslGammaNeg: 4,
  aslGammaPos: 1,
  aslClip: 0.05,
  aslVariant: 'original',
  kTargets: 20,
  kFeatures: 10,
  targetDistance: 'euclidean',
  targetAssignment: 'mean',
  algorithm: 'ema',
} as const);

/** Whether a value comes from a spread of `originalDefaults`, as far as that can be told. */
export const isOriginal = (options: object, name: string, value: unknown): boolean =>
  mark in options &&
  Object.hasOwn(originalDefaults, name) &&
  originalDefaults[name as keyof OriginalDefaults] === value;

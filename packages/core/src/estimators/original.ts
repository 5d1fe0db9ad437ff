// The option values of the original implementation, for those who compare.

/** Tells the spread of these values from options that a caller wrote: each estimator takes those that it has. */
const mark: unique symbol = Symbol.for('fkm.originalDefaults') as never;

/** Every option that the original has, and ours at what it does. */
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
 * What the original implementation does where nothing is said: `new FastKMeansClassifier({ backend, ...originalDefaults })`.
 * Works with every estimator; each takes the options that it has, and a value that contradicts one that you write beside it goes
 * back to its default. Features and targets stay in their own units, so that a step of
 * `finetune` is as long for a target of thousandths as for one of thousands: scale them, or set another `lr`.
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

/** True for a value that came with the spread of `originalDefaults`, as far as that can be told. */
export const isOriginal = (options: object, name: string, value: unknown): boolean =>
  mark in options &&
  Object.hasOwn(originalDefaults, name) &&
  originalDefaults[name as keyof OriginalDefaults] === value;

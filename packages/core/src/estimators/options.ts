// The options of the estimators: one row an option with what it allows; defaults that depend on one another below.

import type { Backend } from '../backend.js';
import type { Vector } from '../data/matrix.js';
import { OptionError } from '../errors.js';
import type { SoftType } from '../method/routing.js';
import type { Distance } from '../method/similarity.js';
import type { Scaling } from '../scaling/scaler.js';
import type { TargetAssignment } from '../training/assign.js';
import { checkedGrid, type InitialGrid } from './initial-grid.js';

/** Options of `FastKMeansRegressor`. Every one is optional but the backend. */
export interface RegressorOptions {
  /** Where graphs run: `jsBackend()`, `await onnxBackend()`, `await tfjsBackend()`. */
  readonly backend: Backend;
  /** How rows and prototypes are compared. Default 'euclidean'. */
  readonly distance?: Distance;
  /** 'joint' clusters features and targets together; the others put prototypes into strata of the target. Default 'joint' with 'gaussian', else 'kmeans++'. */
  readonly initMode?: 'joint' | 'kmeans++' | 'random' | InitialGrid;
  /** How the nearest prototypes share the answer. Default 'gaussian'. */
  readonly softType?: SoftType;
  /** Divides the similarities of 'softmax_scaled' routing and target assignment. Default 1. */
  readonly temperature?: number;
  /** How many prototypes share the answer; −1 all. Default −1 with 'gaussian', else 5. */
  readonly topK?: number;
  /** Groups of prototypes with a metric of their own whose answers add up; 'gaussian' only. Default 8, fewer on few prototypes. */
  readonly heads?: number;
  /** Prototypes in all. Default kTargets·kFeatures where one is given, else min(400, rows/4). */
  readonly nPrototypes?: number;
  /** Strata of the target. Default 20. */
  readonly kTargets?: number | 'auto';
  /** Prototypes in each stratum. Default 10. */
  readonly kFeatures?: number | 'auto';
  /** Distance between targets, for the strata. Default 'euclidean'. */
  readonly targetDistance?: Distance;
  /** How much each row counts in its prototype's target in phase 1. Default 'mean'. */
  readonly targetAssignment?: TargetAssignment;
  /** Scaling of the features, part of the model. Default 'dual' with euclidean and l1, 'none' with cosine or a given grid. */
  readonly scaling?: Scaling;
  /** 'slopes' weighs features by how fast the target changes along them; 'auto' keeps that where held-out rows say so. Default 'auto' with 'joint', else 'none'. */
  readonly metric?: 'none' | 'slopes' | 'auto';
  /** Weights of the features [D] in [0, 1]; with 'gaussian' the start of what phase 2 trains. Needs scaling 'none' or 'standard'. */
  readonly featureWeights?: Vector;
  /** Learns featureWeights from variances in phase 1, and trains them in phase 2. Default false. */
  readonly autoFeatureWeights?: boolean;
  /** Weight of Σ p² in the loss. Default 0. */
  readonly l2Reg?: number;
  /** Weight of Σ_{i≠j} s(p_i, p_j)² in the loss. Default 0. */
  readonly diversityReg?: number;
  /** Share of prototypes that each gradient step leaves out. Default 0.05 with 'gaussian', else 0. */
  readonly prototypeDropout?: number;
  /** Ages below which prototypes are pruned; 0 never. One head only. Default 0. */
  readonly minWeight?: number;
  /** Also prune every so many batches. Default 0: after passes of `fit` alone. */
  readonly pruneEvery?: number;
  /** Rows after which old rows count half, in rows. Default Infinity. */
  readonly halfLife?: number;
  /** Rows of a batch of fit and of finetune. Default 10240 and 256. */
  readonly batchSize?: number;
  /** Peak learning rate of phase 2. Default 0.02. */
  readonly learningRate?: number;
  /** Seed. Default 0. */
  readonly randomState?: number;
  /** Graphs are always compiled. Default true. */
  readonly useCompile?: true;
  /** What prototypes are stored in. Default 'float32'. */
  readonly dtype?: 'float32';
}

/** Options with every default filled in. */
export type Resolved = Required<
  Omit<RegressorOptions, 'featureWeights' | 'nPrototypes' | 'batchSize' | 'heads' | 'kTargets' | 'kFeatures'>
> & {
  readonly featureWeights: Vector | undefined;
  /** undefined: chosen from the rows, up to 400. */
  readonly nPrototypes: number | undefined;
  readonly batchSize: number | undefined;
  readonly kTargets: number | 'auto' | undefined;
  readonly kFeatures: number | 'auto' | undefined;
  /** undefined: 8, or fewer on few prototypes. */
  readonly heads: number | undefined;
};

interface Rule {
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

const oneOf = (...values: readonly unknown[]): Rule => ({
  allowed: values.map((v) => (typeof v === 'string' ? `'${v}'` : String(v))).join(', '),
  accepts: (value) => values.includes(value),
});
const number = (allowed: string, accepts: (value: number) => boolean): Rule => ({
  allowed,
  accepts: (value) => typeof value === 'number' && accepts(value),
});
const either = (a: Rule, b: Rule): Rule => ({
  allowed: `${a.allowed} or ${b.allowed}`,
  accepts: (value) => a.accepts(value) || b.accepts(value),
});
const count = number('a positive integer', (v) => Number.isInteger(v) && v > 0);
const countOrZero = number('an integer of at least 0', (v) => Number.isInteger(v) && v >= 0);
const notNegative = number('a finite number of at least 0', (v) => v >= 0 && v < Number.POSITIVE_INFINITY);
const positive = number('a positive number', (v) => v > 0);
const positiveFinite = number('a positive finite number', (v) => v > 0 && v < Number.POSITIVE_INFINITY);
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const distance = oneOf('cosine', 'euclidean', 'l1');
const rules: { readonly [N in keyof Required<RegressorOptions>]: Rule } = {
  backend: {
    allowed: 'a backend: jsBackend(), await onnxBackend(), await tfjsBackend()',
    accepts: (value) => isObject(value) && 'compile' in value && 'upload' in value,
  },
  distance,
  initMode: either(oneOf('joint', 'kmeans++', 'random'), {
    allowed: 'a grid { prototypes, targets?, ages? }',
    accepts: (value) => isObject(value) && 'prototypes' in value,
  }),
  softType: oneOf('gaussian', 'hard', 'mean', 'scaled', 'softmax_scaled'),
  temperature: positiveFinite,
  topK: number('−1 or a positive integer', (v) => Number.isInteger(v) && (v === -1 || v > 0)),
  heads: count,
  nPrototypes: count,
  kTargets: either(count, oneOf('auto')),
  kFeatures: either(count, oneOf('auto')),
  targetDistance: distance,
  targetAssignment: oneOf('mean', 'scaled', 'softmax_scaled', 'hard'),
  scaling: oneOf('none', 'standard', 'quantile', 'dual'),
  metric: oneOf('none', 'slopes', 'auto'),
  featureWeights: {
    allowed: 'an array of numbers in [0, 1], not all of them 0',
    accepts: (value) =>
      (Array.isArray(value) || ArrayBuffer.isView(value)) &&
      Array.from(value as unknown as ArrayLike<unknown>).every(
        (w) => typeof w === 'number' && w >= 0 && w <= 1,
      ) &&
      Array.from(value as unknown as ArrayLike<number>).some((w) => w > 0),
  },
  autoFeatureWeights: oneOf(true, false),
  l2Reg: notNegative,
  diversityReg: notNegative,
  prototypeDropout: number('a number in [0, 1)', (v) => v >= 0 && v < 1),
  minWeight: notNegative,
  pruneEvery: countOrZero,
  halfLife: positive,
  batchSize: count,
  learningRate: positiveFinite,
  randomState: number('an integer of at least 0', (v) => Number.isSafeInteger(v) && v >= 0),
  useCompile: oneOf(true),
  dtype: oneOf('float32'),
};

const show = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : isObject(value)
      ? Array.isArray(value)
        ? 'an array'
        : 'an object'
      : String(value);

/** Checks names and values one by one. Errors: OptionError with the option, what came, and what is allowed. */
export function checkOptions(options: object, owner: string): void {
  if (!isObject(options)) {
    throw new OptionError(`${owner}: the options should be an object, got ${String(options)}.`);
  }
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof RegressorOptions] : undefined;
    if (!rule) {
      throw new OptionError(
        `${owner}: there is no option ${name}; there are ${Object.keys(rules).join(', ')}.`,
        { option: name },
      );
    }
    if (value !== undefined && !rule.accepts(value)) {
      throw new OptionError(`${owner}: ${name} is ${show(value)}; allowed is ${rule.allowed}.`, {
        option: name,
        value,
      });
    }
  }
}

/** The backend among a call's options. Errors: OptionError. */
export function checkedBackend({ backend }: Partial<RegressorOptions>, owner: string): Backend {
  if (backend !== undefined) return backend;
  throw new OptionError(`${owner}: backend is missing; pass ${rules.backend.allowed}.`, {
    option: 'backend',
  });
}

/** Strata of the target and prototypes in each, where neither is said. */
export const defaultStrata = { kTargets: 20, kFeatures: 10 } as const;

/** Fills in the defaults and refuses combinations that cannot work. Errors: OptionError. */
export function resolveOptions(given: RegressorOptions, owner: string): Resolved {
  checkOptions(given, owner);
  const softType = given.softType ?? 'gaussian';
  const gaussian = softType === 'gaussian';
  const distance = given.distance ?? 'euclidean';
  const start = given.initMode ?? (gaussian ? 'joint' : 'kmeans++');
  const initMode = typeof start === 'object' ? checkedGrid(start, owner) : start;
  const isGrid = typeof initMode === 'object';
  const refuse = (option: keyof RegressorOptions, why: string): never => {
    throw new OptionError(`${owner}: ${option} ${show(given[option])} ${why}`, {
      option,
      value: given[option],
    });
  };
  const { kTargets, kFeatures } = given;
  const strata = kTargets !== undefined || kFeatures !== undefined;
  const [targets, features] = [kTargets ?? defaultStrata.kTargets, kFeatures ?? defaultStrata.kFeatures];
  const product =
    strata && typeof targets === 'number' && typeof features === 'number' ? targets * features : undefined;
  const options: Resolved = {
    backend: checkedBackend(given, owner),
    distance,
    initMode,
    softType,
    temperature: given.temperature ?? 1,
    topK: given.topK ?? (gaussian ? -1 : 5),
    heads: given.heads ?? (initMode === 'joint' && gaussian ? undefined : 1),
    nPrototypes: initMode === 'joint' ? (given.nPrototypes ?? product) : undefined,
    kTargets,
    kFeatures,
    targetDistance: given.targetDistance ?? 'euclidean',
    targetAssignment: given.targetAssignment ?? 'mean',
    scaling: given.scaling ?? (isGrid || distance === 'cosine' ? 'none' : 'dual'),
    metric: given.metric ?? (initMode === 'joint' ? 'auto' : 'none'),
    featureWeights: given.featureWeights && Float32Array.from(given.featureWeights),
    autoFeatureWeights: given.autoFeatureWeights ?? false,
    l2Reg: given.l2Reg ?? 0,
    diversityReg: given.diversityReg ?? 0,
    prototypeDropout: given.prototypeDropout ?? (gaussian ? 0.05 : 0),
    minWeight: given.minWeight ?? 0,
    pruneEvery: given.pruneEvery ?? 0,
    halfLife: given.halfLife ?? Number.POSITIVE_INFINITY,
    batchSize: given.batchSize,
    learningRate: given.learningRate ?? 0.02,
    randomState: given.randomState ?? 0,
    useCompile: true,
    dtype: 'float32',
  };
  if (given.nPrototypes !== undefined && initMode !== 'joint') {
    refuse('nPrototypes', isGrid ? 'is what a given grid says.' : 'is kTargets · kFeatures here; set those.');
  }
  if (product !== undefined && given.nPrototypes !== undefined && given.nPrototypes !== product) {
    refuse('nPrototypes', `contradicts kTargets · kFeatures, which is ${product}; set one of the two.`);
  }
  if (isGrid && options.scaling !== 'none')
    refuse('scaling', "would move a given grid; scale its prototypes yourself and leave scaling 'none'.");
  if (!gaussian && (options.heads ?? 1) > 1) refuse('heads', "needs softType 'gaussian'.");
  if (!gaussian && initMode === 'joint') refuse('initMode', "needs softType 'gaussian'.");
  if (!gaussian && options.prototypeDropout > 0) refuse('prototypeDropout', "needs softType 'gaussian'.");
  if ((options.heads ?? 1) > 1 && (initMode === 'kmeans++' || initMode === 'random')) {
    refuse('heads', "start from initMode 'joint' or a given grid.");
  }
  if (options.minWeight > 0 && options.heads !== 1)
    refuse('minWeight', 'prunes one head alone; set heads: 1.');
  if (options.metric !== 'none' && initMode !== 'joint') refuse('metric', "needs initMode 'joint'.");
  if (initMode === 'joint' && (kTargets === 'auto' || kFeatures === 'auto')) {
    refuse(kTargets === 'auto' ? 'kTargets' : 'kFeatures', "needs initMode 'kmeans++' or 'random'.");
  }
  if (options.featureWeights && (options.scaling === 'dual' || options.scaling === 'quantile')) {
    refuse('featureWeights', "weigh raw columns; set scaling 'none' or 'standard'.");
  }
  return options;
}

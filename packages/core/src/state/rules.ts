// The allowed values of each option, and the options that estimators share; a head adds its own to them.

import {
  boolean,
  either,
  integer,
  number,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
} from '../checked-options.js';
import { distanceNames } from '../formulas/distances.js';
import { softTypeNames } from '../formulas/routing.js';
import type { OptionName } from './options.js';

const notNegative = number('a finite number of at least 0', (v) => v >= 0 && v < Number.POSITIVE_INFINITY);
const positive = number('a positive number', (v) => v > 0);
const positiveFinite = number(
  'a positive finite number of float32',
  (v) => Math.fround(v) > 0 && Math.fround(v) < Number.POSITIVE_INFINITY,
);
const distance = oneOf(...distanceNames);
const columnKinds: readonly unknown[] = ['number', 'boolean', 'date', 'category', 'ignore'];

function isColumnSpec(value: unknown): boolean {
  if (columnKinds.includes(value)) return true;
  const { order, decimal, ...rest } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof value !== 'object' || Object.keys(rest).length > 0) return false;
  if (order === undefined) return decimal === ',' || decimal === '.';
  const texts = Array.isArray(order) && order.length > 0 && order.every((text) => typeof text === 'string');
  return decimal === undefined && texts && new Set(order).size === order.length;
}

/** What each option allows. */
export const rules: { readonly [N in OptionName]: Rule } = {
  backend: objectOf(
    'a backend: jsBackend(), await onnxBackend(), await tfjsBackend()',
    (value) => 'compile' in value && 'upload' in value,
  ),
  distance,
  initMode: either(
    oneOf('joint', 'kmeans++', 'random'),
    objectOf('a grid { prototypes, owners?, targets?, ages? }', (value) => 'prototypes' in value),
  ),
  softType: oneOf(...softTypeNames),
  temperature: positiveFinite,
  topK: number('−1 or a positive integer', (v) => Number.isInteger(v) && (v === -1 || v > 0)),
  heads: positiveInteger,
  nPrototypes: positiveInteger,
  kTargets: either(positiveInteger, oneOf('auto')),
  kFeatures: either(positiveInteger, oneOf('auto')),
  targetDistance: distance,
  targetAssignment: oneOf('mean', 'scaled', 'softmax_scaled', 'hard'),
  prototypeModel: oneOf('constant', 'linear'),
  scaling: oneOf('none', 'standard', 'quantile', 'dual'),
  columns: objectOf(
    "an object of columns, each 'number', 'boolean', 'date', 'category', 'ignore', { order: [texts] } or { decimal: ',' }",
    (value) => !Array.isArray(value) && Object.values(value).every(isColumnSpec),
  ),
  missing: oneOf('mask', 'error'),
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
  autoFeatureWeights: boolean,
  l2Reg: notNegative,
  diversityReg: notNegative,
  prototypeDropout: number('a number in [0, 1)', (v) => v >= 0 && v < 1),
  minWeight: notNegative,
  pruneEvery: integer(0),
  halfLife: positive,
  batchSize: positiveInteger,
  learningRate: either(positiveFinite, oneOf('auto')),
  randomState: integer(0),
  useCompile: oneOf(true),
  useIndex: oneOf(true, false, 'auto'),
  index: {
    allowed: "hnswIndex of '@fkm/index-hnsw', or a function that calls it with options",
    accepts: (value) => typeof value === 'function',
  },
  dtype: oneOf('float32', 'float16', 'bfloat16'),
  arithmetic: oneOf('standard', 'original'),
  kInit: either(positiveInteger, oneOf('auto')),
  repulsionFactor: notNegative,
  negativeSampling: positiveInteger,
  prototypeTargets: oneOf('vectors', 'owners'),
  labelSmoothing: number('a number in [0, 1)', (v) => v >= 0 && v < 1),
  aslGammaNeg: notNegative,
  aslGammaPos: notNegative,
  aslClip: number('a number in [0, 1]', (v) => v >= 0 && v <= 1),
  aslVariant: oneOf('standard', 'original'),
  thresholdMetric: oneOf('macroF1', 'microF1', 'accuracy'),
  algorithm: oneOf('ema', 'lloyd'),
  quantiles: {
    allowed: 'an array of one or more numbers between 0 and 1, each above the one before',
    accepts: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((tau, q) => typeof tau === 'number' && tau > (q === 0 ? 0 : value[q - 1]) && tau < 1),
  },
};

/** All keys of a type: a missing one fails the type check. */
export const keysOf =
  <T>() =>
  <K extends keyof T & OptionName>(
    keys: readonly K[] & (Exclude<keyof T & OptionName, K> extends never ? unknown : never),
  ): readonly K[] =>
    keys;

/** Options of every estimator. */
export const sharedOptions = [
  'backend',
  'distance',
  'initMode',
  'softType',
  'temperature',
  'topK',
  'scaling',
  'columns',
  'missing',
  'featureWeights',
  'autoFeatureWeights',
  'l2Reg',
  'diversityReg',
  'minWeight',
  'pruneEvery',
  'halfLife',
  'batchSize',
  'learningRate',
  'randomState',
  'useCompile',
  'useIndex',
  'index',
  'dtype',
  'arithmetic',
] as const;
/** Options besides of those that learn from targets. */
export const supervisedOptions = ['heads', 'nPrototypes', 'metric', 'prototypeDropout'] as const;
/** Options besides of the classifiers. */
export const classifyingOptions = ['kInit', 'repulsionFactor', 'negativeSampling'] as const;

// Checks and resolves the options of the estimators: defaults, and impossible combinations.

import { checkOptions } from '../checked-options.js';
import { ownCopy } from '../data/own-copy.js';
import { OptionError, shown } from '../errors.js';
import { comparesDirections, distanceNames } from '../formulas/distances.js';
import { findsOf, hasBandwidths } from '../formulas/routing.js';
import type { Backend } from '../graph/backend.js';
import type { HeadFamily } from '../heads/head.js';
import { checkedGrid } from '../state/initial-grid.js';
import type { AnyOptions, LoadOptions, OptionName, Resolved } from '../state/options.js';
import { defaultLearningRate, defaultStrata } from '../state/options.js';
import { rules } from '../state/rules.js';
import { isOriginal } from './original.js';

/**
 * The options of an estimator, each checked by its rule. Options of other estimators are allowed if they come from a spread of
 * `originalDefaults`. Errors: OptionError.
 */
export const checkEstimator = <O extends object>(
  options: O,
  family: HeadFamily,
  owner: string = family.estimator,
): O =>
  checkOptions(options, rules, {
    call: owner,
    names: family.options(),
    renamed: { lr: 'learningRate' },
    ignores: (name, value) => isOriginal(options, name, value),
  });

/** The backend among a call's options. Errors: OptionError. */
export function checkedBackend({ backend }: { readonly backend?: Backend }, owner: string): Backend {
  if (backend !== undefined) return backend;
  throw new OptionError(`${owner}: backend is missing; pass ${rules.backend.allowed}.`, {
    option: 'backend',
  });
}

/**
 * The search options of a loaded model: the caller's, else the saved ones; a passed index is used. Errors: OptionError if the saved
 * model had `useIndex: true` and no index is passed.
 */
export function searchOf(
  { index, useIndex }: LoadOptions,
  saved: Pick<AnyOptions, 'useIndex'>,
): Pick<AnyOptions, 'index' | 'useIndex'> {
  const search = useIndex ?? (saved.useIndex || (index ? 'auto' : false));
  if (search === true && !index) {
    throw new OptionError(
      `load: useIndex is true${useIndex ? '' : ' in the checkpoint'} and needs an index; pass index: hnswIndex of '@fkm/index-hnsw', or useIndex: false.`,
      { option: 'useIndex', value: true },
    );
  }
  return { useIndex: search, ...(index ? { index } : {}) };
}

/**
 * Fills in defaults and refuses impossible combinations. Values from a spread of `originalDefaults` that contradict the caller's
 * own count as absent. Errors: OptionError.
 */
export function resolveOptions(options: AnyOptions, family: HeadFamily): Resolved {
  const { estimator: owner } = family;
  const all = checkEstimator(options, family);
  const names = family.options();
  // Undefined counts as absent, and so do options of other estimators from `originalDefaults`.
  const own = Object.entries(all).filter(
    ([name, value]) => value !== undefined && names.includes(name as OptionName),
  );
  const given: Partial<Record<OptionName, unknown>> = { ...family.defaults, ...Object.fromEntries(own) };
  for (;;) {
    const written = given as unknown as AnyOptions;
    const options = withDefaults(written, family);
    const conflict = conflictsOf(written, options, family).find(({ holds }) => holds);
    if (!conflict) return options;
    const { option, why, against = [] } = conflict;
    const value = given[option];
    const yielding = [option, ...against].find((name) => name in given && isOriginal(all, name, given[name]));
    if (!yielding) throw new OptionError(`${owner}: ${option} ${shown(value)} ${why}`, { option, value });
    delete given[yielding];
  }
}

function withDefaults(given: AnyOptions, { estimator: owner, grid, supervised }: HeadFamily): Resolved {
  const softType = given.softType ?? 'gaussian';
  const gaussian = hasBandwidths(softType);
  const distance = given.distance ?? 'euclidean';
  const start = given.initMode ?? (gaussian && supervised ? undefined : 'kmeans++');
  const initMode = typeof start === 'object' ? ownCopy(checkedGrid(start, owner, grid)) : start;
  const isGrid = typeof initMode === 'object';
  const drawn = initMode === 'kmeans++' || initMode === 'random';
  const { kTargets, kFeatures } = given;
  // Negative sampling already leaves out prototypes.
  const dropsOut = gaussian && supervised && given.negativeSampling === undefined;
  return {
    backend: checkedBackend(given, owner),
    distance,
    initMode,
    softType,
    temperature: given.temperature ?? 1,
    topK: given.topK ?? (gaussian ? -1 : 5),
    heads: given.heads ?? (initMode === undefined || initMode === 'joint' ? undefined : 1),
    nPrototypes: given.nPrototypes ?? (drawn || isGrid ? undefined : product(given)),
    kInit: given.kInit,
    kTargets,
    kFeatures,
    targetDistance: given.targetDistance ?? 'euclidean',
    targetAssignment: given.targetAssignment ?? 'mean',
    prototypeModel: given.prototypeModel ?? 'constant',
    columns: given.columns ?? {},
    missing: given.missing ?? 'mask',
    scaling: given.scaling ?? (isGrid ? 'none' : undefined),
    metric: given.metric ?? (drawn || isGrid ? 'none' : undefined),
    featureWeights: given.featureWeights && Float32Array.from(given.featureWeights),
    autoFeatureWeights: given.autoFeatureWeights ?? false,
    l2Reg: given.l2Reg ?? 0,
    diversityReg: given.diversityReg ?? 0,
    prototypeDropout: given.prototypeDropout ?? (dropsOut ? 0.05 : 0),
    minWeight: given.minWeight ?? 0,
    pruneEvery: given.pruneEvery ?? 0,
    halfLife: given.halfLife ?? Number.POSITIVE_INFINITY,
    batchSize: given.batchSize,
    learningRate: given.learningRate ?? defaultLearningRate,
    randomState: given.randomState ?? 0,
    useCompile: true,
    useIndex: given.useIndex ?? (given.index ? 'auto' : false),
    index: given.index,
    dtype: given.dtype ?? 'float32',
    arithmetic: given.arithmetic ?? 'standard',
    repulsionFactor: given.repulsionFactor ?? 0,
    negativeSampling: given.negativeSampling,
    prototypeTargets: given.prototypeTargets,
    labelSmoothing: given.labelSmoothing ?? 0.1,
    aslGammaNeg: given.aslGammaNeg ?? 2,
    aslGammaPos: given.aslGammaPos ?? 0,
    aslClip: given.aslClip ?? 0.05,
    aslVariant: given.aslVariant ?? 'standard',
    thresholdMetric: given.thresholdMetric ?? 'macroF1',
    algorithm: given.algorithm ?? 'ema',
    quantiles: Array.from(given.quantiles ?? []),
  };
}

/** The number of prototypes by the options of strata, if both are numbers. */
function product({ kTargets, kFeatures }: AnyOptions): number | undefined {
  if (kTargets === undefined && kFeatures === undefined) return undefined;
  const [targets, features] = [kTargets ?? defaultStrata.kTargets, kFeatures ?? defaultStrata.kFeatures];
  return typeof targets === 'number' && typeof features === 'number' ? targets * features : undefined;
}

const pointDistances = distanceNames
  .filter((name) => !comparesDirections(name))
  .map(shown)
  .join(' or ');

/** An option that is impossible together with others. */
interface Conflict {
  readonly holds: boolean;
  readonly option: OptionName;
  readonly why: string;
  /** Options that could be changed instead. */
  readonly against?: readonly OptionName[];
}

function conflictsOf(given: AnyOptions, options: Resolved, family: HeadFamily): readonly Conflict[] {
  const { supervised } = family;
  const { initMode, kTargets, kFeatures } = options;
  const gaussian = hasBandwidths(options.softType);
  const isGrid = typeof initMode === 'object';
  const drawn = initMode === 'kmeans++' || initMode === 'random';
  const isJoint = initMode === 'joint';
  const several = (options.heads ?? 1) > 1;
  const strata = product(given);
  const sized = given.nPrototypes !== undefined;
  const place = family.options().includes('kTargets')
    ? 'kTargets · kFeatures here; set those.'
    : 'kInit a class here; set that.';
  const samples = options.negativeSampling !== undefined;
  const indexed = options.useIndex === true;
  // Labels with owners depend only on the nearest prototypes, whatever the soft type.
  const { routes } = family.head(options, family.carries(options, 2));
  const softmax = gaussian && routes;
  const isRouted = supervised && findsOf(options.softType) !== 'nearest' && !softmax;
  const ranked = options.scaling === 'dual' || options.scaling === 'quantile';
  return [
    { holds: sized && isGrid, option: 'nPrototypes', why: 'is fixed by a given grid.' },
    {
      holds: sized && drawn,
      option: 'nPrototypes',
      why: `is ${place}`,
      against: ['initMode', 'softType'],
    },
    {
      holds: sized && strata !== undefined && given.nPrototypes !== strata,
      option: 'nPrototypes',
      why: `contradicts kTargets · kFeatures, which is ${strata}; set one of the two.`,
      against: ['kTargets', 'kFeatures'],
    },
    {
      holds: sized && given.kInit !== undefined,
      option: 'nPrototypes',
      why: 'is kInit times the number of classes; set one of the two.',
      against: ['kInit'],
    },
    {
      holds: isGrid && options.scaling !== 'none',
      option: 'scaling',
      why: "would move a given grid; scale its prototypes yourself and leave scaling 'none'.",
    },
    {
      holds: !gaussian && several,
      option: 'heads',
      why: "needs softType 'gaussian'.",
      against: ['softType'],
    },
    {
      holds: options.prototypeModel === 'linear' && comparesDirections(options.distance),
      option: 'prototypeModel',
      why: `needs a distance of points, ${pointDistances}: with '${options.distance}' prototypes have lost their length.`,
      against: ['distance'],
    },
    {
      holds: isJoint && !gaussian,
      option: 'initMode',
      why: "needs softType 'gaussian'.",
      against: ['softType'],
    },
    {
      holds: isJoint && !supervised,
      option: 'initMode',
      why: 'needs targets; a clusterer has none.',
    },
    {
      holds: !gaussian && options.prototypeDropout > 0,
      option: 'prototypeDropout',
      why: "needs softType 'gaussian'.",
      against: ['softType'],
    },
    {
      holds: several && drawn,
      option: 'heads',
      why: "start from initMode 'joint' or a given grid.",
      against: ['initMode'],
    },
    {
      holds: options.minWeight > 0 && options.heads !== 1 && supervised,
      option: 'minWeight',
      why: 'prunes only a single head; set heads: 1.',
    },
    {
      holds: (options.metric ?? 'none') !== 'none' && (drawn || isGrid),
      option: 'metric',
      why: "needs initMode 'joint'.",
      against: ['initMode', 'softType'],
    },
    {
      holds: !drawn && (kTargets === 'auto' || kFeatures === 'auto'),
      option: kTargets === 'auto' ? 'kTargets' : 'kFeatures',
      why: "needs initMode 'kmeans++' or 'random'.",
    },
    {
      holds: !drawn && options.targetDistance !== 'euclidean',
      option: 'targetDistance',
      why: "needs strata of the target; set initMode 'kmeans++' or 'random'.",
    },
    {
      holds: !drawn && options.kInit === 'auto',
      option: 'kInit',
      why: "needs initMode 'kmeans++' or 'random'.",
    },
    {
      holds: isGrid && options.kInit !== undefined && !supervised,
      option: 'kInit',
      why: 'is fixed by a given grid.',
    },
    {
      holds: options.prototypeTargets === 'vectors' && !gaussian,
      option: 'prototypeTargets',
      why: "needs softType 'gaussian'.",
      against: ['softType'],
    },
    {
      holds: samples && options.prototypeTargets === 'vectors',
      option: 'negativeSampling',
      why: "needs prototypeTargets 'owners': vectors have a logit for every class.",
    },
    {
      holds: samples && several,
      option: 'negativeSampling',
      why: 'needs a single head; set heads: 1.',
    },
    {
      holds: samples && !routes && options.prototypeDropout > 0,
      option: 'prototypeDropout',
      why: 'drops prototypes from the routing, and sampled labels use none; set it to 0.',
    },
    {
      holds: indexed && !options.index,
      option: 'useIndex',
      why: "needs an index; pass index: hnswIndex of '@fkm/index-hnsw'.",
    },
    {
      holds: indexed && options.topK < 0 && isRouted,
      option: 'useIndex',
      why: 'finds only the nearest prototypes, and topK −1 needs all; set topK.',
    },
    {
      holds: options.featureWeights !== undefined && options.autoFeatureWeights,
      option: 'featureWeights',
      why: 'are learned with autoFeatureWeights; set one of the two.',
    },
    {
      holds: options.featureWeights !== undefined && ranked,
      option: 'featureWeights',
      why: "weigh raw columns; set scaling 'none' or 'standard'.",
    },
  ];
}

// Options of the estimators, checked and resolved: defaults, and combinations that cannot work.

import type { Backend } from '../backend.js';
import { ownCopy } from '../data/own-copy.js';
import { OptionError } from '../errors.js';
import { checkedGrid } from '../model/initial-grid.js';
import type { AnyOptions, LoadOptions, OptionName, Resolved, Task } from '../model/options.js';
import { defaultLearningRate, defaultStrata } from '../model/options.js';
import { isOriginal } from './original.js';
import { optionNames, rules } from './rules.js';

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const show = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : isObject(value)
      ? Array.isArray(value)
        ? 'an array'
        : 'an object'
      : String(value);

/** Checks names and values one by one. Errors: OptionError with the option, what came, and what is allowed. */
export function checkOptions(options: object, owner: string, task: Task): void {
  if (!isObject(options)) {
    throw new OptionError(`${owner}: the options should be an object, got ${String(options)}.`);
  }
  const names: readonly string[] = optionNames[task];
  for (const [name, value] of Object.entries(options)) {
    const rule = names.includes(name) ? rules[name as OptionName] : undefined;
    if (!rule) {
      if (isOriginal(options, name, value)) continue;
      throw new OptionError(`${owner}: there is no option ${name}; there are ${names.join(', ')}.`, {
        option: name,
      });
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
export function checkedBackend({ backend }: { readonly backend?: Backend }, owner: string): Backend {
  if (backend !== undefined) return backend;
  throw new OptionError(`${owner}: backend is missing; pass ${rules.backend.allowed}.`, {
    option: 'backend',
  });
}

/**
 * How a loaded model searches: as the caller says, else as the saved one did; an index that comes with the call is used. Errors:
 * OptionError where the saved one used an index at any size, and none came.
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

/** Fills in the defaults and refuses combinations that cannot work. Errors: OptionError. */
export function resolveOptions(all: AnyOptions, owner: string, task: Task): Resolved {
  checkOptions(all, owner, task);
  // Those of other estimators that came with the spread of `originalDefaults` say nothing here.
  const own = Object.entries(all).filter(([name]) => optionNames[task].includes(name as OptionName));
  const given = Object.fromEntries(own) as unknown as AnyOptions;
  const softType = given.softType ?? 'gaussian';
  const gaussian = softType === 'gaussian';
  const distance = given.distance ?? 'euclidean';
  const start = given.initMode ?? (gaussian && task !== 'clusterer' ? undefined : 'kmeans++');
  const initMode = typeof start === 'object' ? ownCopy(checkedGrid(start, owner, task)) : start;
  const isGrid = typeof initMode === 'object';
  const drawn = initMode === 'kmeans++' || initMode === 'random';
  const { kTargets, kFeatures } = given;
  // A sample of the classes leaves out enough.
  const dropsOut = gaussian && task !== 'clusterer' && given.negativeSampling === undefined;
  const options: Resolved = {
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
    scaling: given.scaling ?? (isGrid ? 'none' : undefined),
    metric: given.metric ?? (drawn || isGrid || task === 'multiLabel' ? 'none' : undefined),
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
  };
  refuseCombinations(given, options, owner, task);
  return options;
}

/** Prototypes that the options of the strata come to, where they are numbers. */
function product({ kTargets, kFeatures }: AnyOptions): number | undefined {
  if (kTargets === undefined && kFeatures === undefined) return undefined;
  const [targets, features] = [kTargets ?? defaultStrata.kTargets, kFeatures ?? defaultStrata.kFeatures];
  return typeof targets === 'number' && typeof features === 'number' ? targets * features : undefined;
}

function refuseCombinations(given: AnyOptions, options: Resolved, owner: string, task: Task): void {
  const { initMode, kTargets, kFeatures } = options;
  const gaussian = options.softType === 'gaussian';
  const isGrid = typeof initMode === 'object';
  const drawn = initMode === 'kmeans++' || initMode === 'random';
  const refuse = (option: OptionName, why: string): never => {
    throw new OptionError(`${owner}: ${option} ${show(given[option])} ${why}`, {
      option,
      value: given[option],
    });
  };
  if (given.nPrototypes !== undefined && (drawn || isGrid)) {
    const place =
      task === 'regressor' ? 'kTargets · kFeatures here; set those.' : 'kInit a class here; set that.';
    refuse('nPrototypes', isGrid ? 'is what a given grid says.' : `is ${place}`);
  }
  const strata = product(given);
  if (strata !== undefined && given.nPrototypes !== undefined && given.nPrototypes !== strata) {
    refuse('nPrototypes', `contradicts kTargets · kFeatures, which is ${strata}; set one of the two.`);
  }
  if (given.nPrototypes !== undefined && given.kInit !== undefined) {
    refuse('nPrototypes', 'is kInit times the number of classes; set one of the two.');
  }
  if (isGrid && options.scaling !== 'none')
    refuse('scaling', "would move a given grid; scale its prototypes yourself and leave scaling 'none'.");
  if (!gaussian && (options.heads ?? 1) > 1) refuse('heads', "needs softType 'gaussian'.");
  if (options.prototypeModel === 'linear' && options.distance === 'cosine')
    refuse(
      'prototypeModel',
      "needs distance 'euclidean' or 'l1': with 'cosine' prototypes have lost their length.",
    );
  if (initMode === 'joint' && !gaussian) refuse('initMode', "needs softType 'gaussian'.");
  if (initMode === 'joint' && task === 'clusterer')
    refuse('initMode', 'needs targets, which clusters have not.');
  if (!gaussian && options.prototypeDropout > 0) refuse('prototypeDropout', "needs softType 'gaussian'.");
  if ((options.heads ?? 1) > 1 && drawn) refuse('heads', "start from initMode 'joint' or a given grid.");
  if (options.minWeight > 0 && options.heads !== 1 && task !== 'clusterer')
    refuse('minWeight', 'prunes one head alone; set heads: 1.');
  if ((options.metric ?? 'none') !== 'none' && (drawn || isGrid)) refuse('metric', "needs initMode 'joint'.");
  if (!drawn && (kTargets === 'auto' || kFeatures === 'auto')) {
    refuse(kTargets === 'auto' ? 'kTargets' : 'kFeatures', "needs initMode 'kmeans++' or 'random'.");
  }
  if (!drawn && options.targetDistance !== 'euclidean')
    refuse('targetDistance', "is between strata of the target; set initMode 'kmeans++' or 'random'.");
  if (!drawn && options.kInit === 'auto') refuse('kInit', "needs initMode 'kmeans++' or 'random'.");
  if (isGrid && options.kInit !== undefined && task === 'clusterer')
    refuse('kInit', 'is what a given grid says.');
  if (options.prototypeTargets === 'vectors' && !gaussian)
    refuse('prototypeTargets', "needs softType 'gaussian'.");
  if (options.negativeSampling !== undefined) {
    if (options.prototypeTargets === 'vectors')
      refuse('negativeSampling', "needs prototypeTargets 'owners': vectors speak on every class.");
    if ((options.heads ?? 1) > 1)
      refuse('negativeSampling', 'samples the classes of one head; set heads: 1.');
    if (task === 'multiLabel' && options.prototypeDropout > 0)
      refuse(
        'prototypeDropout',
        'leaves prototypes out of the routing, and labels that are sampled have none.',
      );
  }
  if (options.useIndex === true) {
    if (!options.index) refuse('useIndex', "needs an index; pass index: hnswIndex of '@fkm/index-hnsw'.");
    // Labels of owners are those of their nearest prototypes, whatever the soft type.
    const softmax = gaussian && (task !== 'multiLabel' || options.negativeSampling === undefined);
    if (task !== 'clusterer' && options.topK < 0 && options.softType !== 'hard' && !softmax)
      refuse('useIndex', 'finds the nearest prototypes, and topK −1 asks all of them; set topK.');
  }
  if (options.featureWeights && options.autoFeatureWeights)
    refuse('featureWeights', 'are learned with autoFeatureWeights; set one of the two.');
  if (options.featureWeights && (options.scaling === 'dual' || options.scaling === 'quantile')) {
    refuse('featureWeights', "weigh raw columns; set scaling 'none' or 'standard'.");
  }
}

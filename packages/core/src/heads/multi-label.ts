// Prototypes that say for each label whether it holds: by a vector of logits each, or by the label that owns them.

import { distances } from '../formulas/distances.js';
import { hasBandwidths, largest } from '../formulas/routing.js';
import { sigmoid, zerosLike } from '../graph/functions.js';
import { concat, gather, matmul, reduceMax, reshape, select, slice } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { MultiLabelOptions, Resolved } from '../state/options.js';
import { classifyingOptions, keysOf, sharedOptions, supervisedOptions } from '../state/rules.js';
import { type AsymmetricLoss, asymmetricLoss, shareOfPositives } from './asymmetric-loss.js';
import { onHost, shareOfRows } from './calibration.js';
import {
  asTheyAre,
  type Head,
  type HeadFamily,
  type LabelReading,
  mapRuns,
  type Routed,
  type TargetCode,
} from './head.js';
import { decide } from './strategies.js';

/** logit(0.9·share + 0.05), divided among the heads. */
const logitShares: TargetCode = {
  standardised: false,
  store: (means, _, heads, into) => {
    const logit = (p: number): number => Math.log(p / (1 - p));
    return mapRuns(means, (share) => logit(0.9 * share + 0.05) / heads, into);
  },
  recall: (targets, _, heads, into) => {
    const share = (target: number): number => (1 / (1 + Math.exp(-target * heads)) - 0.05) / 0.9;
    return mapRuns(targets, (target) => Math.min(1, Math.max(0, share(target))), into);
  },
};

/** Σ_k r_k · targets_k through the sigmoid. */
const byVectors = ({ weights, parameters }: Routed): Tensor =>
  sigmoid(matmul(weights, parameters.targets as Tensor));

/**
 * For each label the highest similarity among its prototypes that are among the topK nearest, with cosine mapped to (s + 1)/2; 0 if
 * it has none there.
 */
function byOwners({ similarity, comparison, parameters }: Routed, topK: number): Tensor {
  const p = distances[comparison.distance].share(similarity);
  const members = parameters.members as Tensor;
  const [heads, labels, most] = members.shape as [number, number, number];
  const perHead = p.dim(1) / heads;
  const parts: Tensor[] = [];
  for (let head = 0; head < heads; head++) {
    const part = (all: Tensor): Tensor => slice(all, 1, head * perHead, (head + 1) * perHead);
    const every = topK < 0 || topK >= perHead;
    const own = every ? part(p) : select(largest(part(similarity), topK), part(p), 0);
    // Missing members point past the last prototype, at a zero.
    const padded = concat([own, zerosLike(slice(own, 1, 0, 1))], 1);
    const index = reshape(slice(members, 0, head, head + 1), [labels * most]);
    parts.push(reshape(gather(padded, index, 1), [p.dim(0), labels, most]));
  }
  return reduceMax(concat(parts, 2), -1);
}

/**
 * Vectors hold shares of rows as transformed by the loss or by phase 1. A label is given where the loss would have p >= .5. With
 * higher powers for negatives that is a lower share, which favours F1.
 */
const ofVectors = (options: AsymmetricLoss): LabelReading => {
  const trained = (p: Tensor): Tensor => shareOfPositives(p, options);
  const undo = { given: (p: Tensor) => p, rows: shareOfRows, gradients: trained };
  return {
    undo: (p, origin) => undo[origin](p),
    cut: (origin) => (origin === 'given' ? 0.5 : (onHost([0.5], trained)[0] as number)),
  };
};

/** Similarities are not calibrated, since they are not shares of rows. */
const ofOwners: LabelReading = { undo: (p) => p, cut: () => 0.5 };

function head(
  options: AsymmetricLoss,
  code: TargetCode | null,
  uncalibrated: (routed: Routed) => Tensor,
): Head {
  const labels = code ? ofVectors(options) : ofOwners;
  const probabilities = (routed: Routed): Tensor => labels.undo(uncalibrated(routed), routed.origin);
  const read =
    (strategy: Parameters<typeof decide>[0]): Head['reads'][string] =>
    (routed, k) =>
      decide(strategy, probabilities(routed), {
        k,
        cut: labels.cut(routed.origin),
        thresholds: routed.parameters.thresholds,
      });
  return {
    key: `multiLabel ${code ? 'vectors' : 'owners'} ${JSON.stringify(options)}`,
    code,
    routes: code !== null,
    candidates: 'labels',
    start: 'owners',
    // There are many labels, and they are correlated: at a third of the scale they still separate rows that features alone would
    // not.
    jointScale: (columns) => 0.3 * Math.sqrt(columns),
    ...asTheyAre,
    labels,
    loss: (routed, y) => asymmetricLoss(uncalibrated(routed), y, options, routed.parameters.labelWeights),
    reads: {
      probabilities,
      adaptive: read('adaptive'),
      gap: read('gap'),
      top_k: read('top_k'),
      tuned: read('tuned'),
    },
    exported: (strategy) => ({ label: strategy, probabilities: 'probabilities' }),
  };
}

const lossOptions = ({ aslGammaNeg, aslGammaPos, aslClip, aslVariant }: Resolved): AsymmetricLoss => ({
  gammaNeg: aslGammaNeg,
  gammaPos: aslGammaPos,
  clip: aslClip,
  variant: aslVariant,
});

export const multiLabelHeads: HeadFamily = {
  task: 'multiLabel',
  estimator: 'FastMultiLabelKMeansClassifier',
  options: () =>
    keysOf<MultiLabelOptions>()([
      ...sharedOptions,
      ...supervisedOptions,
      ...classifyingOptions,
      'aslGammaNeg',
      'aslGammaPos',
      'aslClip',
      'aslVariant',
      'thresholdMetric',
    ]),
  defaults: { metric: 'none' },
  grid: ['prototypes', 'owners', 'targets', 'ages'],
  supervised: true,
  numeric: false,
  // Without held-out rows: the asymmetric loss of a few rows rises while F1 still improves, so the last epoch of a run on all rows
  // is better.
  carries: ({ softType, negativeSampling }) => hasBandwidths(softType) && negativeSampling === undefined,
  head: (options, carries) =>
    carries
      ? head(lossOptions(options), logitShares, byVectors)
      : head(lossOptions(options), null, (routed) => byOwners(routed, options.topK)),
};

// Prototypes that vote for classes: by a vector of logits each, or by the class that owns them.

import { denseRows, type Features } from '../data/sparse.js';
import { hasBandwidths } from '../formulas/routing.js';
import { expandDims, logSoftmax, softmax, zerosLike } from '../graph/functions.js';
import {
  add,
  argMax,
  broadcast,
  cast,
  div,
  eq,
  log,
  matmul,
  max,
  mul,
  neg,
  oneHot,
  reshape,
  scatter,
  select,
  slice,
  sum,
  transpose,
} from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { ClassifierOptions } from '../state/options.js';
import { classifyingOptions, keysOf, sharedOptions, supervisedOptions } from '../state/rules.js';
import { type Origin, unsmoothed } from './calibration.js';
import { type Head, type HeadFamily, mapRuns, type Routed, type TargetCode } from './head.js';

/** Most classes for which prototypes have a logit each. */
export const mostVectors = 256;

/** Share of class frequencies that is spread over all classes before the logarithm is stored: log 0 is not finite. */
const storedSmoothing = 0.1;

/** log(0.9·share + 0.1/C), divided among the heads; their sum gives logits whose softmax is 0.9·share + 0.1/C. */
const logShares: TargetCode = {
  standardised: false,
  store: (means, outputs, heads, into) =>
    mapRuns(
      means,
      (share) => Math.log((1 - storedSmoothing) * share + storedSmoothing / outputs) / heads,
      into,
    ),
  // Closures and calls a number would take most of the time that a stream of new classes takes.
  recall: (targets, outputs, heads, into = new Float64Array(targets.length)) => {
    for (let at = 0; at < targets.length; at += outputs) {
      const end = at + outputs;
      let most = targets[at] as number;
      for (let i = at + 1; i < end; i++) if ((targets[i] as number) > most) most = targets[i] as number;
      const peak = most * heads;
      let total = 0;
      let last = Number.NaN;
      let power = 0;
      for (let i = at; i < end; i++) {
        const target = targets[i] as number;
        // What a prototype has no row of is alike.
        if (target !== last) power = Math.exp(target * heads - peak);
        last = target;
        into[i] = power;
        total += power;
      }
      for (let i = at; i < end; i++) {
        const share = (into[i] as number) / total;
        into[i] = Math.max(0, (share - storedSmoothing / outputs) / (1 - storedSmoothing));
      }
    }
    return into;
  },
};

/** y [B, 1] holds the index of the class. */
const common = {
  routes: true,
  candidates: 'class',
  start: 'owners',
  counts: 'classes',
  exported: () => ({ label: 'label', probabilities: 'probabilities' }),
  yColumns: () => 1,
  jointScale: (columns: number) => Math.sqrt(columns),
  coordinates: (y: Tensor, outputs: number) => oneHot(indexOf(y), outputs),
  coordinatesOf: (y: Features, outputs: number) => {
    const { data, rows } = denseRows(y);
    const shares = new Float32Array(rows * outputs);
    for (let i = 0; i < rows; i++) shares[i * outputs + (data[i] as number)] = 1;
    return { data: shares, rows, columns: outputs };
  },
} as const;

const indexOf = (y: Tensor): Tensor => reshape(cast(y, 'int32'), [y.dim(0)]);

/** Σ_k r_k · targets_k */
const logits = ({ weights, parameters }: Routed): Tensor => matmul(weights, parameters.targets as Tensor);

/** The one-hot class with label smoothing (Szegedy et al. 2016). */
function smoothed(y: Tensor, outputs: number, smoothing: number): Tensor {
  const own = common.coordinates(y, outputs);
  return smoothing > 0 ? add(mul(own, 1 - smoothing), smoothing / outputs) : own;
}

/** Class probabilities: the softmax of `sharpness` · logits (temperature scaling), with label smoothing undone. */
export function classProbabilities(logits: Tensor, sharpness: Tensor | undefined, smoothing: number): Tensor {
  return unsmoothed(softmax(sharpness ? mul(logits, sharpness) : logits), smoothing);
}

/** The label smoothing contained in targets of this origin. */
export const smoothingOf = (origin: Origin, labelSmoothing: number): number =>
  ({ given: 0, rows: storedSmoothing, gradients: labelSmoothing })[origin];

const vectors = (smoothing: number): Head => ({
  ...common,
  key: `classifier vectors ${smoothing}`,
  code: logShares,
  // −Σ_c t_c·log p_c, p the softmax of the logits, t the true class, smoothed
  loss: (routed, y) => neg(sum(mul(logSoftmax(logits(routed)), smoothed(y, routed.outputs, smoothing)), -1)),
  reads: {
    label: (routed) => argMax(logits(routed)),
    logits,
    probabilities: (routed) =>
      classProbabilities(logits(routed), routed.parameters.sharpness, smoothingOf(routed.origin, smoothing)),
  },
});

/** Least share in a logarithm; below it the gradient is 0. */
const leastShare = 1e-9;

/** Most entries of a one-hot [K, C] of the owners that is still faster than a scatter. */
const mostOneHot = 2 ** 20;

/** Sum of routing weights of each class's prototypes [B, C]. */
function shares({ weights, parameters, heads, outputs }: Routed): Tensor {
  const mine = parameters.owners as Tensor;
  let sums: Tensor;
  if (mine.dim(0) * outputs <= mostOneHot) sums = matmul(weights, oneHot(mine, outputs));
  else {
    const columns = transpose(weights);
    const zeros = broadcast(zerosLike(slice(columns, 0, 0, 1)), [outputs, columns.dim(1)]);
    sums = transpose(scatter(zeros, mine, columns));
  }
  return heads === 1 ? sums : div(sums, heads);
}

/** Prototypes of the class of each row [B, K]. */
const own = (owners: Tensor, y: Tensor): Tensor => eq(expandDims(owners, 0), expandDims(indexOf(y), 1));

const owners: Head = {
  ...common,
  key: 'classifier owners',
  code: null,
  // −log of the true class's share of r
  loss: (routed, y) => {
    const mine = own(routed.parameters.owners as Tensor, y);
    const share = sum(select(mine, routed.weights, 0), -1);
    return neg(log(max(routed.heads === 1 ? share : div(share, routed.heads), leastShare)));
  },
  rival: ({ weights, parameters }, y) => argMax(select(own(parameters.owners as Tensor, y), -1, weights)),
  reads: {
    label: (routed) => argMax(shares(routed)),
    probabilities: shares,
  },
};

export const classifierHeads: HeadFamily = {
  task: 'classifier',
  estimator: 'FastKMeansClassifier',
  options: () =>
    keysOf<ClassifierOptions>()([
      ...sharedOptions,
      ...supervisedOptions,
      ...classifyingOptions,
      'prototypeTargets',
      'labelSmoothing',
    ]),
  grid: ['prototypes', 'owners', 'targets', 'ages'],
  supervised: true,
  numeric: false,
  carries: ({ softType, prototypeTargets, negativeSampling }, outputs) =>
    hasBandwidths(softType) &&
    (prototypeTargets ??
      (outputs <= mostVectors && negativeSampling === undefined ? 'vectors' : 'owners')) === 'vectors',
  head: ({ labelSmoothing }, carries) => (carries ? vectors(labelSmoothing) : owners),
};

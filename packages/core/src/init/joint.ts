// The 'joint' start: each head clusters features and targets together, with its own half of the features emphasised (docs/method.md
// §3, §4).

import { beside, visitRow } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { voicesOf } from '../formulas/voices.js';
import { jointScaleOf } from '../heads/head.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { drawByWeight } from '../state/row-counts.js';
import type { Programs } from '../training/program.js';
import { breathe } from '../training/progress.js';
import type { GridSpec } from '../training/spec.js';
import { majority } from '../training/target-rows.js';
import { foundingMeans } from './means.js';

/** Most rows that the start uses. */
const sampleRows = 8192;
const lloydPasses = 5;
/** Weight of the features that a head does not emphasise. */
const damping = 0.15;

/**
 * Prototypes, targets and featureWeights of all heads from scaled rows, whose weights count rows. `featureWeights` [D] are the
 * initial weights of every head.
 */
export async function jointStart(
  programs: Programs,
  spec: Pick<GridSpec, 'heads' | 'columns' | 'outputs' | 'prototypes' | 'distance' | 'head'>,
  batch: Batch,
  start: ArrayLike<number> | undefined,
  random: Random,
  signal?: AbortSignal,
): Promise<Record<string, NdArray>> {
  const { heads, columns, outputs, prototypes: count, head: kind } = spec;
  const drawn = drawByWeight(batch, sampleRows, random);
  const sample = { ...drawn, y: kind.coordinatesOf(drawn.y, outputs) };
  const perHead = count / heads;
  const scale = jointScaleOf(spec, columns, outputs);
  const rows = beside(sample.x, sample.y, scale);
  const masks = sample.mask?.rows ?? 0;
  const answered = { data: new Float32Array(masks * outputs).fill(1), rows: masks, columns: outputs };
  const mask = sample.mask && beside(sample.mask, answered, 1);

  const prototypes = new Float32Array(count * columns);
  const means = new Float64Array(count * outputs);
  const clusterWeights = new Float64Array(count);
  const featureWeights = new Float32Array(heads * columns);
  for (let head = 0; head < heads; head++) {
    await breathe(signal);
    const weights = new Float32Array(columns + outputs).fill(1);
    if (start) weights.set(start);
    if (heads > 1)
      for (const j of random.permutation(columns).subarray(0, columns >> 1))
        weights[j] = (weights[j] as number) * damping;
    featureWeights.set(weights.subarray(0, columns), head * columns);
    const { centers, index, founders } = await foundingMeans(
      programs,
      {
        rows,
        mask,
        sampleWeight: sample.sampleWeight,
        distance: spec.distance,
        featureWeights: weights,
        k: perHead,
        passes: lloydPasses,
        start: 'kmeans++',
      },
      random,
    );
    // Targets are means of the rows' own targets: a center of 'cosine' has lost its length.
    const founding = founders ? takeBatch(sample, founders, 0, founders.length) : sample;
    means.set(meanTargets(founding, index, perHead), head * perHead * outputs);
    index.forEach((k, i) => {
      const at = head * perHead + k;
      clusterWeights[at] = (clusterWeights[at] as number) + (founding.sampleWeight[i] as number);
    });
    for (let k = 0; k < perHead; k++) {
      const center = centers.subarray(k * (columns + outputs), k * (columns + outputs) + columns);
      prototypes.set(center, (head * perHead + k) * columns);
    }
  }
  return {
    prototypes: ndarray(prototypes, [count, columns]),
    ...(kind.code ? { targets: ndarray(kind.code.store(means, outputs, heads), [count, outputs]) } : {}),
    ...(kind.start === 'owners'
      ? { owners: majority(means, outputs, ndarray(new Int32Array(count), [count], 'int32')) }
      : {}),
    featureWeights: ndarray(featureWeights, [heads, columns]),
    bias: ndarray(voicesOf(clusterWeights, heads), [count]),
  };
}

/** Weighted mean target of each cluster [k, T]; the mean of all rows for a cluster without rows. */
export function meanTargets({ y, sampleWeight }: Batch, index: Int32Array, k: number): Float64Array {
  const width = y.columns;
  const sums = new Float64Array(k * width);
  const weights = new Float64Array(k);
  const overall = new Float64Array(width);
  let total = 0;
  index.forEach((cluster, i) => {
    const w = sampleWeight[i] as number;
    total += w;
    weights[cluster] = (weights[cluster] as number) + w;
    visitRow(y, i, (t, value) => {
      sums[cluster * width + t] = (sums[cluster * width + t] as number) + w * value;
      overall[t] = (overall[t] as number) + w * value;
    });
  });
  return sums.map((sum, i) => {
    const weight = weights[Math.floor(i / width)] as number;
    return weight > 0 ? sum / weight : (overall[i % width] as number) / total;
  });
}

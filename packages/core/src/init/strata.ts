// The two-stage start: strata of the target, then prototypes within each (docs/method.md §4).

import { type NdArray, ndarray } from '../dtype.js';
import type { Head } from '../heads/head.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { defaultStrata, type Resolved } from '../state/options.js';
import { wholeRows } from '../state/row-counts.js';
import type { Programs } from '../training/program.js';
import { automaticK } from './auto-k.js';
import { meanTargets } from './joint.js';
import { foundingMeans, meanRow } from './means.js';

const targetPasses = 10;

/** Prototypes [K, D] and targets [K, T] from rows whose weights count rows: of each stratum first its mean, then rows of it. */
export async function strataStart(
  programs: Programs,
  { coordinatesOf }: Head,
  outputs: number,
  options: Pick<Resolved, 'distance' | 'targetDistance' | 'kTargets' | 'kFeatures'>,
  batch: Batch,
  start: 'kmeans++' | 'random',
  random: Random,
): Promise<Record<string, NdArray>> {
  const { x, y, sampleWeight } = batch;
  const { kTargets = defaultStrata.kTargets, kFeatures = defaultStrata.kFeatures } = options;
  const strata = Math.min(
    kTargets === 'auto'
      ? await automaticK(programs, { rows: y, sampleWeight, distance: options.targetDistance })
      : kTargets,
    wholeRows(sampleWeight),
  );
  const { index, founders } = await foundingMeans(
    programs,
    {
      rows: y,
      sampleWeight,
      distance: options.targetDistance,
      k: strata,
      passes: targetPasses,
      start,
    },
    random,
  );
  const prototypes: number[] = [];
  const answers: number[] = [];
  for (let stratum = 0; stratum < strata; stratum++) {
    const indices = Array.from(index.keys()).filter((i) => index[i] === stratum);
    const members = founders ? indices.map((i) => founders[i] as number) : indices;
    if (members.length === 0) continue;
    const part = takeBatch(batch, members, 0, members.length);
    const wanted =
      kFeatures === 'auto'
        ? await automaticK(programs, { ...part, rows: part.x, distance: options.distance })
        : kFeatures;
    const k = Math.min(wanted, wholeRows(part.sampleWeight));
    const first = meanRow({ ...part, rows: part.x });
    for (const value of first) prototypes.push(value);
    if (k > 1) {
      const problem = {
        rows: part.x,
        mask: part.mask,
        sampleWeight: part.sampleWeight,
        distance: options.distance,
        k: k - 1,
        passes: 0,
        start,
      };
      const { centers } = await foundingMeans(programs, problem, random);
      for (const value of centers) prototypes.push(value);
    }
    const mean = meanTargets(
      { ...part, y: coordinatesOf(part.y, outputs) },
      new Int32Array(members.length),
      1,
    );
    for (let i = 0; i < k; i++) for (const value of mean) answers.push(value);
  }
  const count = prototypes.length / x.columns;
  return {
    prototypes: ndarray(prototypes, [count, x.columns]),
    targets: ndarray(answers, [count, outputs]),
  };
}

// The start of a clusterer: rows of all, by k-means++ and a few passes over those that matter, or drawn by weight.

import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import type { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { wholeRows } from '../state/row-counts.js';
import type { Programs } from '../training/program.js';
import { automaticK } from './auto-k.js';
import { coreset } from './coreset.js';
import { clusterRows, type Means } from './means.js';

const defaultClusters = 8;
/** Numbers of the rows that the start holds, at most: fewer rows where they are wide. */
const mostNumbers = 2 ** 25;
/** Passes over those rows before starts are compared: two tell them apart as ten do. */
const passes = 3;
/** Few clusters start several times, since where they end depends on their start and they cost little; the best is kept. */
const startsOf = (k: number): number => Math.max(1, Math.min(6, Math.round(300 / k)));

/** Rows that the start looks at: 4096 and more, 16 a cluster and more, up to 64 a cluster where that is few. */
const rowsFor = (k: number, columns: number): number => {
  const wanted = Math.max(2 ** 12, Math.min(2 ** 14, 64 * k), 16 * k);
  return Math.max(2 * k, Math.min(wanted, Math.floor(mostNumbers / columns)));
};

/** Prototypes [K, D], from rows whose weights count rows; as many as the options say, and no more than there are rows. */
export async function rowsStart(
  programs: Programs,
  { kInit = defaultClusters, distance }: Pick<Resolved, 'kInit' | 'distance'>,
  batch: Batch,
  start: 'kmeans++' | 'random',
  random: Random,
): Promise<Record<string, NdArray>> {
  const { x, mask, sampleWeight } = batch;
  const all = { rows: x, mask, sampleWeight, distance };
  const most = wholeRows(sampleWeight);
  const k = Math.min(kInit === 'auto' ? await automaticK(programs, all) : kInit, most);
  let best: Means;
  if (start === 'random') {
    best = await clusterRows(programs, { ...all, k, passes: 0, start }, random);
  } else {
    const some = await coreset(programs, batch, distance, k, rowsFor(k, x.columns), random);
    const problem = { rows: denseRows(some.x), mask: some.mask, sampleWeight: some.sampleWeight, distance };
    const again = (): Promise<Means> =>
      clusterRows(programs, { ...problem, k, passes, start: 'greedy' }, random);
    best = await again();
    for (let i = 1; i < startsOf(k); i++) {
      const other = await again();
      if (other.inertia < best.inertia) best = other;
    }
  }
  return { prototypes: ndarray(best.centers, [k, x.columns]) };
}

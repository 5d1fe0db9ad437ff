// The start of a clusterer: rows of all, by k-means++ and a few passes over those that matter, or drawn uniformly.

import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import type { Batch } from '../model/batch.js';
import type { Resolved } from '../model/options.js';
import type { Random } from '../random.js';
import type { Programs } from '../training/program.js';
import { automaticK } from './auto-k.js';
import { clusterRows, type Means } from './means.js';
import { representatives } from './representatives.js';

const defaultClusters = 8;
/** Rows that the start looks at: so many, and so many a cluster where that is more; fewer where they are wide. */
const [leastRows, rowsPerCluster, mostNumbers] = [2 ** 14, 16, 2 ** 25];
/** Passes over them. */
const passes = 10;
/** Few clusters start several times, since where they end depends on their start and they cost little; the best is kept. */
const startsOf = (k: number): number => Math.max(1, Math.min(8, Math.round(300 / k)));

/** Prototypes [K, D]. */
export async function rowsStart(
  programs: Programs,
  { kInit = defaultClusters, distance }: Pick<Resolved, 'kInit' | 'distance'>,
  batch: Batch,
  start: 'kmeans++' | 'random',
  random: Random,
): Promise<Record<string, NdArray>> {
  const { x, mask, sampleWeight } = batch;
  const all = { rows: x, mask, sampleWeight, distance };
  const k = Math.min(kInit === 'auto' ? await automaticK(programs, all) : kInit, x.rows);
  let best: Means;
  if (start === 'random') {
    best = await clusterRows(programs, { ...all, k, passes: 0, start }, random);
  } else {
    const wanted = Math.max(leastRows, rowsPerCluster * k);
    const limit = Math.max(2 * k, Math.min(wanted, Math.floor(mostNumbers / x.columns)));
    const some = await representatives(programs, batch, distance, k, limit, random);
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

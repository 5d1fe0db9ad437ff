// The start of a clusterer: k-means++ and a few passes over a coreset, or rows drawn by weight.

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
/** Most numbers in the rows that the start holds: fewer rows if they are wide. */
const mostNumbers = 2 ** 25;
/** Passes before starts are compared: two passes rank them like ten. */
const passes = 3;
/** Number of starts, of which the best is kept. The result of few clusters depends on the start, and few clusters are cheap. */
const startsOf = (k: number): number => Math.max(1, Math.min(6, Math.round(300 / k)));

/** Number of rows that the start uses: at least 4096 and 16 a cluster; up to 64 a cluster if that is little. */
const rowsFor = (k: number, columns: number): number => {
  const wanted = Math.max(2 ** 12, Math.min(2 ** 14, 64 * k), 16 * k);
  return Math.max(2 * k, Math.min(wanted, Math.floor(mostNumbers / columns)));
};

/** Prototypes [K, D] from rows whose weights count rows; as many as the options say, but at most one a row. */
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

// The start of a clusterer: rows of all, by k-means++ or drawn uniformly.

import { type NdArray, ndarray } from '../dtype.js';
import type { Batch } from '../model/batch.js';
import type { Resolved } from '../model/options.js';
import type { Random } from '../random.js';
import type { Programs } from '../training/program.js';
import { automaticK } from './auto-k.js';
import { clusterRows } from './means.js';

const defaultClusters = 8;

/** Prototypes [K, D]. */
export async function rowsStart(
  programs: Programs,
  { kInit = defaultClusters, distance }: Pick<Resolved, 'kInit' | 'distance'>,
  { x, sampleWeight, mask }: Batch,
  start: 'kmeans++' | 'random',
  random: Random,
): Promise<Record<string, NdArray>> {
  const problem = { rows: x, mask, sampleWeight, distance };
  const k = Math.min(kInit === 'auto' ? await automaticK(programs, problem) : kInit, x.rows);
  const { centers } = await clusterRows(programs, { ...problem, k, passes: 0, start }, random);
  return { prototypes: ndarray(centers, [k, x.columns]) };
}

// A coreset: a bounded, weighted sample that represents all rows. Unlike a uniform sample, it keeps outliers and small clusters; on
// data with outliers, a start from uniform rows ends at many times the inertia.

import type { Distance } from '../formulas/distances.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { Programs } from '../training/program.js';
import { assignToCenters, clusterRows, meanRow } from './means.js';

/** Rows and centers of the rough clustering that determines which rows matter. */
const [roughRows, roughCenters] = [8192, 256];

/**
 * At most `limit` rows with weights, so that Σ w·f(x) over them estimates that over all rows. The probability of a row is a third
 * by its weight, a third by its share of Σ w·δ to the nearest of some centers, and a third by its share of its cluster, with all
 * clusters equal. The centers come from a first sample drawn around the mean. Sources: sensitivity sampling (Feldman & Langberg
 * 2011); around the mean (Bachem, Lucic & Krause 2018).
 */
export async function coreset(
  programs: Programs,
  batch: Batch,
  distance: Distance,
  k: number,
  limit: number,
  random: Random,
): Promise<Batch> {
  if (batch.x.rows <= limit) return batch;
  const problem = { rows: batch.x, mask: batch.mask, sampleWeight: batch.sampleWeight, distance };
  const size = Math.min(limit, roughRows);
  const rough = await sampleAround(programs, batch, distance, meanRow(problem), size, random);
  const { centers } = await clusterRows(
    programs,
    {
      rows: rough.x,
      mask: rough.mask,
      sampleWeight: rough.sampleWeight,
      distance,
      k: Math.min(k, roughCenters, rough.x.rows),
      passes: 0,
      start: 'greedy',
    },
    random,
  );
  return sampleAround(programs, batch, distance, centers, limit, random);
}

async function sampleAround(
  programs: Programs,
  batch: Batch,
  distance: Distance,
  centers: ArrayLike<number>,
  size: number,
  random: Random,
): Promise<Batch> {
  const { x, mask, sampleWeight } = batch;
  const { index, cost, sums, spread } = await assignToCenters(
    programs,
    { rows: x, mask, sampleWeight, distance },
    centers,
  );
  const used = sums.weights.reduce((count, w) => count + (w > 0 ? 1 : 0), 0);
  const [paid = 0, weight = 0] = spread;
  const probability = (i: number): number => {
    const w = sampleWeight[i] as number;
    if (w === 0) return 0;
    const ofCost = paid > 0 ? Math.max(0, cost[i] as number) / paid : 1 / weight;
    return (w * (1 / weight + ofCost + 1 / (used * (sums.weights[index[i] as number] as number)))) / 3;
  };
  // Systematic sampling: one random offset, then steps of equal probability. A row with a probability above one step is always
  // kept, with a weight for all steps that it spans.
  const [rows, weights]: [number[], number[]] = [[], []];
  let next = random.uniform();
  let passed = 0;
  for (let i = 0; i < x.rows; i++) {
    const steps = size * probability(i);
    passed += steps;
    if (passed <= next) continue;
    const taken = Math.ceil(passed - next);
    next += taken;
    rows.push(i);
    weights.push((taken * (sampleWeight[i] as number)) / steps);
  }
  return { ...takeBatch(batch, rows, 0, rows.length), sampleWeight: Float32Array.from(weights) };
}

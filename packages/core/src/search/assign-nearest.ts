// Phase 1 with very many prototypes: an index proposes candidates, and the nearest of them by float64 differences is taken. Used
// where a row may choose any prototype by features alone: clusterers, and regressors that do not start 'joint'.

import type { Rows } from '../data/matrix.js';
import { denseRows } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { distances } from '../formulas/distances.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import type { Context } from '../training/context.js';
import { type Assign, assigner } from '../training/ema-step.js';
import { addRows, spreadOf, summedByIndex } from '../training/host-sums.js';
import { type Assignment, meansBy, nearestTargets } from '../training/phase1.js';
import { breathe } from '../training/progress.js';
import type { GridSpec } from '../training/spec.js';
import { indexedOf } from './keeper.js';
import { canSearch, fewest, keeperFor, unlessRefused } from './serving.js';
import { intoSpace, spaceOf } from './space.js';

type Arrays = Readonly<Record<string, NdArray>>;

/** Rows searched at a time. */
const chunkRows = 4096;

/** Assigns the rows of a batch by the model's index where that pays, else as `assigner` does. */
export const nearestAssigner =
  (context: Context, batch: Batch): Assign =>
  async (spec, arrays, y) =>
    (await assignNearest(context, spec, arrays, batch)) ?? assigner(context, batch)(spec, arrays, y);

async function assignNearest(
  context: Context,
  spec: GridSpec,
  arrays: Arrays,
  batch: Batch,
): Promise<Assignment | null> {
  const { x, mask } = batch;
  const { heads, columns } = spec;
  const perHead = spec.prototypes / heads;
  const keeper = keeperFor(context, 'start', perHead, x.rows);
  if (!keeper || !canSearch(x, mask) || !summedByIndex(spec) || spec.joint || perHead <= fewest) return null;
  // The index keeps references to these arrays.
  context.ownership?.share();
  const of = indexedOf(arrays);
  const index = new Int32Array(x.rows * heads);
  const delta = new Float32Array(x.rows * heads);
  const spaces = Array.from({ length: heads }, (_, h) => spaceOf(spec.distance, of.featureWeights, h));
  const points = spaces.map((space, h) => {
    const all = of.prototypes.data as Float32Array;
    return intoSpace(space, all.subarray(h * perHead * columns, (h + 1) * perHead * columns));
  });
  for (let begin = 0; begin < x.rows; begin += chunkRows) {
    await breathe(context.signal);
    const rows = denseRows(x, begin, Math.min(x.rows, begin + chunkRows));
    const found = await unlessRefused(context, keeper, () => keeper.nearest(of, rows, fewest));
    if (!found) return null;
    for (const [h, { indices, shape }] of found.entries()) {
      const space = spaces[h] as (typeof spaces)[number];
      const data = intoSpace(space, rows.data);
      const measure = distances[space.distance].indexed;
      for (let row = 0; row < rows.rows; row++) {
        let [best, least] = [-1, Number.POSITIVE_INFINITY];
        for (let i = row * shape[1]; i < (row + 1) * shape[1]; i++) {
          const k = indices[i] as number;
          if (k < 0) break;
          const d = measure(data, row * columns, points[h] as Float32Array, k * columns, columns);
          if (d < least || (d === least && k < best)) [best, least] = [k, d];
        }
        if (best < 0) return null;
        index[(begin + row) * heads + h] = best;
        delta[(begin + row) * heads + h] = Math.max(0, space.scale * least);
      }
    }
  }
  const targetMean = targetMeans(spec, batch, index, delta, context.options);
  return {
    sums: addRows(spec, batch, index),
    ...(targetMean ? { targetMean } : {}),
    spread: spreadOf(spec.heads, batch.sampleWeight, delta),
    index,
    cost: delta,
  };
}

/** Mean target of the rows of each prototype, weighted as in the graph of phase 1, NaN without weight; null without targets. */
function targetMeans(
  spec: GridSpec,
  batch: Batch,
  index: Int32Array,
  delta: Float32Array,
  { targetAssignment, temperature }: Pick<Resolved, 'targetAssignment' | 'temperature'>,
): ((k: number) => Float64Array) | null {
  const { head, heads, prototypes, outputs } = spec;
  if (head.code === null) return null;
  const similarity = delta.map((d) => distances[spec.distance].similarityOf(d));
  if (targetAssignment === 'hard') return nearestTargets(spec, batch, index, similarity);
  const factor = (s: number): number =>
    targetAssignment === 'mean'
      ? 1
      : targetAssignment === 'scaled'
        ? Math.max(0, s)
        : Math.exp((s - 1) / temperature);
  const y = denseRows(head.coordinatesOf(batch.y, outputs)) as Rows;
  const totals = new Float64Array(prototypes);
  const sums = new Float64Array(prototypes * outputs);
  index.forEach((own, i) => {
    const row = Math.floor(i / heads);
    const k = (i % heads) * (prototypes / heads) + own;
    const v = (batch.sampleWeight[row] as number) * factor(similarity[i] as number);
    totals[k] = (totals[k] as number) + v;
    for (let t = 0; t < outputs; t++) {
      sums[k * outputs + t] = (sums[k * outputs + t] as number) + v * (y.data[row * outputs + t] as number);
    }
  });
  return meansBy(sums, totals);
}

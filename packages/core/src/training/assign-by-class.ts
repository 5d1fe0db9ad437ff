// Phase 1 with very many classes: rows are sorted by class, and each block of rows is compared only with the prototypes of its own
// classes. The choices are the same as with the whole grid, since no row may choose another class; the cost depends on the block,
// not on C.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { TargetAssignment } from '../state/options.js';
import { type Assignment, assignRows } from './phase1.js';
import type { Programs } from './program.js';
import { bucketOf, gatherRows, indexClasses, prototypesOf } from './sampling.js';
import type { GridSpec } from './spec.js';

/** Rows in a block: few enough for few classes, enough to be worth a run. */
const blockRows = 256;
/** Number of prototypes up to which the whole grid is as fast. */
const fewPrototypes = 1024;

/** Whether rows may choose only prototypes of their own class, and nothing else is asked of the other prototypes. */
export const assignsByClass = ({ candidates, head, joint, repels, heads, prototypes }: GridSpec): boolean =>
  candidates === 'class' &&
  head.code === null &&
  !joint &&
  !repels &&
  heads === 1 &&
  prototypes > fewPrototypes;

/** Assigns rows as `assignRows` does. */
export async function assignByClass(
  programs: Programs,
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  batch: Batch,
  targetAssignment: TargetAssignment,
  signal?: AbortSignal,
): Promise<Assignment> {
  const { prototypes: k, columns } = spec;
  const n = batch.x.rows;
  // y is one class index a row, which is dense even if the features are sparse.
  const classOf = (row: number): number => (batch.y as Rows).data[row] as number;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => classOf(a) - classOf(b) || a - b);
  const classes = indexClasses(arrays.owners as NdArray, spec.outputs);
  const totals = {
    weights: new Float64Array(k),
    sums: new Float64Array(k * columns),
    coordinateWeights: spec.masked ? new Float64Array(k * columns) : undefined,
  };
  const spread = new Float64Array(2);
  const index = new Int32Array(n);
  const cost = new Float32Array(n);
  for (let begin = 0; begin < n; begin += blockRows) {
    const end = Math.min(n, begin + blockRows);
    const own = prototypesOf(classes, Int32Array.from(new Set(order.subarray(begin, end)), classOf));
    const count = bucketOf(own.length, k);
    const small: Record<string, NdArray> = {
      prototypes: gatherRows(arrays.prototypes as NdArray, own, count),
      // Padding belongs to no class.
      owners: gatherRows(arrays.owners as NdArray, own, count, -1),
      ...(arrays.featureWeights ? { featureWeights: arrays.featureWeights } : {}),
    };
    const part = await assignRows(
      programs,
      { ...spec, prototypes: count },
      small,
      takeBatch(batch, order, begin, end),
      targetAssignment,
      signal,
    );
    for (let i = begin; i < end; i++) {
      const row = order[i] as number;
      // A row of a class without prototypes has weight 0, so any index will do.
      index[row] = own[part.index[i - begin] as number] ?? 0;
      cost[row] = part.cost[i - begin] as number;
    }
    addAt(totals.weights, part.sums.weights, own, 1);
    addAt(totals.sums, part.sums.sums, own, columns);
    if (totals.coordinateWeights && part.sums.coordinateWeights)
      addAt(totals.coordinateWeights, part.sums.coordinateWeights, own, columns);
    part.spread.forEach((value, i) => {
      spread[i] = (spread[i] as number) + value;
    });
  }
  return { sums: totals, spread, index, nearest: index, cost };
}

/** Adds rows of `width` numbers to the rows of `total` at these indices. */
function addAt(total: Float64Array, rows: Float64Array, indices: Int32Array, width: number): void {
  indices.forEach((index, i) => {
    for (let j = 0; j < width; j++) {
      const at = index * width + j;
      total[at] = (total[at] as number) + (rows[i * width + j] as number);
    }
  });
}

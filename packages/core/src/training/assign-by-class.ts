// Phase 1 with very many classes: rows sorted by class, each block of them beside the prototypes of its own classes alone.
// The same choices as beside the whole grid, for no row may choose among other classes; the cost follows the block, not C.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { TargetAssignment } from '../state/options.js';
import { type Assignment, assignRows } from './phase1.js';
import type { Programs } from './program.js';
import { bucketOf, gatherRows, indexClasses, prototypesOf } from './sampling.js';
import type { GridSpec } from './spec.js';

/** Rows of a block: few enough classes, and enough rows for a run to be worth it. */
const blockRows = 256;
/** Prototypes up to which the whole grid is as quick. */
const fewPrototypes = 1024;

/** Rows may choose among their own class's prototypes alone, and nothing is asked of the others. */
export const assignsByClass = ({ candidates, head, joint, repels, heads, prototypes }: GridSpec): boolean =>
  candidates === 'class' &&
  head.code === null &&
  !joint &&
  !repels &&
  heads === 1 &&
  prototypes > fewPrototypes;

/** As `assignRows`. */
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
  // One class a row comes dense, whatever form the features have.
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
      // Nobody's prototypes fill the block up.
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
      // A row of a class without prototypes has no choice, and no weight.
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
  const sums = { ...totals, means: new Float64Array(0), push: undefined };
  const assignment = { sums, spread, index, nearest: index, cost };
  return assignment;
}

/** Adds rows of `width` at their indices. */
function addAt(total: Float64Array, rows: Float64Array, indices: Int32Array, width: number): void {
  indices.forEach((index, i) => {
    for (let j = 0; j < width; j++) {
      const at = index * width + j;
      total[at] = (total[at] as number) + (rows[i * width + j] as number);
    }
  });
}

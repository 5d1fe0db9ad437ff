// The target columns that occur in a batch. With thousands of prototypes and hundreds of classes, the joint search of phase 1 keeps
// the columns of the classes in the batch. All other columns become one coordinate, in which every row is 0.

import { denseRows, type Features, visitRow } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { distances } from '../formulas/distances.js';
import { bucketOf } from './sampling.js';
import type { GridSpec } from './spec.js';

/** Prototypes × columns up to which all columns are searched. */
const fewCells = 2 ** 15;

/** What the search reads in place of the spec, y and the means of all columns. */
export interface BatchColumns {
  readonly spec: GridSpec;
  readonly y: Features;
  /** Owners as columns of this search. */
  readonly owners: NdArray | undefined;
  /** The mean of a prototype [T] in the columns of this search. The result is overwritten by the next call. */
  narrow(mean: Float64Array): Float64Array;
  /** A mean over rows of the batch in all columns [T]. */
  widen(mean: Float64Array): Float64Array;
  /** Factor of a cost of this search, since weighted distances are times the number of columns. */
  readonly costScale: number;
}

/** Null where all columns are searched. */
export function batchColumns(
  spec: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  y: Features,
  least: number = fewCells,
): BatchColumns | null {
  const { outputs, candidates, distance, columns } = spec;
  // The other columns count by a feature weight.
  if (!spec.joint || candidates === 'all' || !arrays.featureWeights) return null;
  if (spec.prototypes * outputs <= least) return null;
  const present = presentColumns(spec, y);
  // Few different widths, so that batches with other classes share graphs.
  const count = bucketOf(present.size, outputs);
  const others = outputs - count;
  if (2 * (count + 1) > outputs) return null;
  for (let c = 0; present.size < count; c++) present.add(c);
  const kept = Int32Array.from(present).sort();
  const at = new Int32Array(outputs).fill(count);
  kept.forEach((c, i) => {
    at[c] = i;
  });
  const { squared, rescales } = distances[distance];
  const width = count + 1;
  const narrowed = new Float64Array(width);
  return {
    spec: { ...spec, outputs: width, yColumns: candidates === 'class' ? 1 : width, others },
    y: candidates === 'class' ? renumbered(y, at) : picked(y, kept, width),
    owners: arrays.owners && {
      ...arrays.owners,
      data: Int32Array.from(arrays.owners.data, (owner) => at[owner] as number),
    },
    // Rows are 0 there, so that Σ (m − 0)², or Σ |m|, over the others is `others` times that of one coordinate.
    narrow: (mean) => {
      let rest = 0;
      for (let c = 0; c < outputs; c++) {
        const value = mean[c] as number;
        if (at[c] === count) rest += squared ? value * value : Math.abs(value);
        else narrowed[at[c] as number] = value;
      }
      narrowed[count] = squared ? Math.sqrt(rest / others) : rest / others;
      return narrowed;
    },
    widen: (mean) => {
      // A mean without weight is NaN in all columns.
      const all = new Float64Array(outputs).fill(mean[count] as number);
      kept.forEach((c, i) => {
        all[c] = mean[i] as number;
      });
      return all;
    },
    costScale: rescales ? (columns + outputs) / (columns + width) : 1,
  };
}

/** Classes or labels of the rows. */
function presentColumns({ candidates }: GridSpec, y: Features): Set<number> {
  if (candidates === 'class') return new Set(denseRows(y).data);
  const present = new Set<number>();
  for (let row = 0; row < y.rows; row++) {
    visitRow(y, row, (c, value) => {
      if (value !== 0) present.add(c);
    });
  }
  return present;
}

/** Class indices [N, 1] as columns of the search. */
const renumbered = (y: Features, at: Int32Array): Features => {
  const { data, rows, columns } = denseRows(y);
  return { data: data.map((c) => at[c] as number), rows, columns };
};

/** Labels [N, C] in the kept columns, and a last column of zeros. */
function picked(y: Features, kept: Int32Array, width: number): Features {
  const data = new Float32Array(y.rows * width);
  for (let row = 0; row < y.rows; row++) {
    const all = denseRows(y, row, row + 1).data;
    kept.forEach((c, i) => {
      data[row * width + i] = all[c] as number;
    });
  }
  return { data, rows: y.rows, columns: width };
}

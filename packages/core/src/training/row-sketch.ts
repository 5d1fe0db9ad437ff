// What prototypes keep of the rows nearest to them, where the mean of a target does not tell what they say: phase 1 adds to it.

import { denseRows } from '../data/sparse.js';
import { addToSketch, quantileOf } from '../formulas/quantile-sketch.js';
import type { RowSketch } from '../heads/head.js';
import type { Batch } from '../state/batch.js';
import { leastWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import type { GridSpec } from './spec.js';

/**
 * Sketches after a scaled batch, whose rows are nearest to the prototypes of `index` [N, H]; what was before counts the share `past`.
 * And what each of them says [Q], NaN of a prototype that has had no row.
 */
export function sketchRows(
  { heads, prototypes: count }: GridSpec,
  { points, quantiles }: RowSketch,
  { moments: before, unit }: ModelState,
  { y, sampleWeight }: Batch,
  index: Int32Array,
  past: number,
): { moments: Float64Array; says(k: number): Float64Array } {
  const size = 2 * points;
  const moments = before?.slice() ?? new Float64Array(count * size);
  const rows = Array.from({ length: count }, (): number[] => []);
  const least = leastWeight * (unit ?? 1);
  index.forEach((own, i) => {
    const row = Math.floor(i / heads);
    if ((sampleWeight[row] as number) > least) rows[((i % heads) * count) / heads + own]?.push(row);
  });
  const { data } = denseRows(y);
  const sketchOf = (k: number): Float64Array => moments.subarray(k * size, (k + 1) * size);
  rows.forEach((own, k) => {
    const sketch = sketchOf(k);
    for (let i = points; i < size; i++) sketch[i] = past * (sketch[i] as number);
    const [values, weights] = [data, sampleWeight].map((all) => own.map((row) => all[row] as number));
    if (own.length > 0) addToSketch(sketch, values as number[], weights as number[]);
  });
  return { moments, says: (k) => Float64Array.from(quantiles, (tau) => quantileOf(sketchOf(k), tau)) };
}

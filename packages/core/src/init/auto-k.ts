// kInit 'auto': more prototypes for more rows that resemble their mean less (SPEC §4).

import type { Rows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { clamp } from '../graph/functions.js';
import { BATCH } from '../graph/ir.js';
import { trace } from '../graph/trace.js';
import { type Distance, pairwise } from '../method/similarity.js';
import { type Programs, runOnce, take } from '../training/program.js';
import { f32 } from '../training/spec.js';

/** k = ⌈3·√n·(1 − mean similarity to the mean)⌉ within [1, n], similarities clamped to [0, 1]. */
export async function automaticK(
  programs: Programs,
  { rows, distance }: { rows: Rows; distance: Distance },
): Promise<number> {
  const { columns } = rows;
  const n = rows.rows;
  const mean = new Float64Array(columns);
  for (let i = 0; i < n * columns; i++)
    mean[i % columns] = (mean[i % columns] as number) + (rows.data[i] as number) / n;
  const program = await programs.get(`similarityToOne ${distance} ${columns}`, () =>
    trace('similarityToOne', { x: f32(BATCH, columns), one: f32(1, columns) }, ({ x, one }) => ({
      similarity: clamp(pairwise({ distance, x, prototypes: one }), 0, 1),
    })),
  );
  const uploads = {
    x: programs.upload(ndarray(rows.data, [n, columns])),
    one: programs.upload(ndarray(mean, [1, columns])),
  };
  const { similarity } = await runOnce(program, {}, uploads);
  const { data } = await take(similarity as NonNullable<typeof similarity>);
  const total = (data as Float32Array).reduce((a, b) => a + b, 0);
  return Math.max(1, Math.min(n, Math.ceil(3 * Math.sqrt(n) * (1 - total / n))));
}

// kInit 'auto': more prototypes for more rows that resemble their mean less (SPEC §4).

import { type Rows, repeatMask } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { clamp } from '../graph/functions.js';
import { BATCH } from '../graph/ir.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import { type Distance, pairwise } from '../method/similarity.js';
import { type Programs, runOnce, take, uploadRows } from '../training/program.js';
import { f32 } from '../training/spec.js';

export interface AutomaticKProblem {
  readonly rows: Rows;
  readonly distance: Distance;
  readonly sampleWeight?: Float32Array | undefined;
  /** One row, or one a row of `rows`. */
  readonly mask?: Rows | undefined;
}

/** k = ⌈3·√n·(1 − mean similarity to the mean)⌉ within [1, n], similarities clamped to [0, 1]; means are weighted. */
export async function automaticK(programs: Programs, problem: AutomaticKProblem): Promise<number> {
  const { rows, distance, sampleWeight } = problem;
  const { columns } = rows;
  const n = rows.rows;
  const mask = problem.mask && repeatMask(problem.mask, n);
  const weight = (i: number): number => sampleWeight?.[i] ?? 1;
  const sums = new Float64Array(columns);
  const counts = new Float64Array(columns);
  for (let at = 0; at < n * columns; at++) {
    const w = weight(Math.floor(at / columns)) * (mask ? Math.max(0, mask.data[at] as number) : 1);
    if (w === 0) continue;
    const j = at % columns;
    sums[j] = (sums[j] as number) + w * (rows.data[at] as number);
    counts[j] = (counts[j] as number) + w;
  }
  const mean = sums.map((sum, j) => ((counts[j] as number) > 0 ? sum / (counts[j] as number) : 0));
  const specs: Record<string, TensorSpec> = {
    x: f32(BATCH, columns),
    one: f32(1, columns),
    ...(mask ? { mask: f32(BATCH, columns) } : {}),
  };
  const program = await programs.get(`similarityToOne ${distance} ${columns} ${!!mask}`, () =>
    trace('similarityToOne', specs, (t: Readonly<Record<string, Tensor>>) => ({
      similarity: clamp(
        pairwise({ distance, x: t.x as Tensor, prototypes: t.one as Tensor, mask: t.mask }),
        0,
        1,
      ),
    })),
  );
  const uploads = {
    x: uploadRows(programs, rows),
    one: programs.upload(ndarray(mean, [1, columns])),
    ...(mask ? { mask: uploadRows(programs, mask) } : {}),
  };
  const { similarity } = await runOnce(program, {}, uploads);
  const { data } = await take(similarity as NonNullable<typeof similarity>);
  let [total, all] = [0, 0];
  data.forEach((s, i) => {
    total += weight(i) * s;
    all += weight(i);
  });
  return Math.max(1, Math.min(n, Math.ceil(3 * Math.sqrt(n) * (1 - total / all))));
}

// kInit 'auto': the number of prototypes grows with the number of rows and with their spread around the mean (docs/method.md §4).

import type { Rows } from '../data/matrix.js';
import { blockRowsOf, type Features } from '../data/sparse.js';
import { ndarray } from '../dtype.js';
import type { Distance } from '../formulas/distances.js';
import { pairwise } from '../formulas/similarity.js';
import type { Value } from '../graph/backend.js';
import { clamp } from '../graph/functions.js';
import { BATCH } from '../graph/ir.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import { wholeRows } from '../state/row-counts.js';
import { disposeAll } from '../training/phase1.js';
import { type Programs, readAndFree, runOnce, uploadMask, uploadRows } from '../training/program.js';
import { f32 } from '../training/spec.js';
import { meanRow } from './means.js';

export interface AutomaticKProblem {
  readonly rows: Features;
  readonly distance: Distance;
  /** Weights in rows. */
  readonly sampleWeight?: Float32Array | undefined;
  /** [N, D], or [1, D] for all rows. */
  readonly mask?: Rows | undefined;
}

/** k = ⌈3·√n·(1 − mean similarity to the mean)⌉ within [1, n]; similarities are clamped to [0, 1]; means and n are weighted. */
export async function automaticK(programs: Programs, problem: AutomaticKProblem): Promise<number> {
  const { rows, distance, sampleWeight } = problem;
  const { columns } = rows;
  const n = rows.rows;
  const { mask } = problem;
  const mean = meanRow(problem);
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
  const fixed = { one: programs.upload(ndarray(mean, [1, columns])) };
  let [total, all] = [0, 0];
  const size = blockRowsOf(rows, n);
  try {
    for (let begin = 0; begin < n; begin += size) {
      const end = Math.min(n, begin + size);
      const { similarity } = await runOnce(program, fixed, {
        x: uploadRows(programs, rows, begin, end),
        ...(mask ? { mask: uploadMask(programs, mask, begin, end) } : {}),
      });
      (await readAndFree(similarity as Value)).data.forEach((s, i) => {
        const w = sampleWeight?.[begin + i] ?? 1;
        total += w * s;
        all += w;
      });
    }
  } finally {
    disposeAll(fixed);
  }
  const counted = sampleWeight ? wholeRows(sampleWeight) : n;
  return Math.max(1, Math.min(counted, Math.ceil(3 * Math.sqrt(counted) * (1 - total / all))));
}

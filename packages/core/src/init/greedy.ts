// Greedy k-means++ by a graph: all candidates are evaluated in one product over the rows, and a step reads back only n numbers.

import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features } from '../data/sparse.js';
import { ndarray } from '../dtype.js';
import type { Distance } from '../formulas/distances.js';
import { compare } from '../formulas/similarity.js';
import type { Value } from '../graph/backend.js';
import { expandDims } from '../graph/functions.js';
import { BATCH } from '../graph/ir.js';
import { argMax, matmul, min, neg, oneHot, reshape } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import type { Random } from '../random.js';
import { disposeAll } from '../training/phase1.js';
import { type Programs, readAndFree, runOnce, uploadRows } from '../training/program.js';
import { f32 } from '../training/spec.js';
import { candidatesPerRound, greedyKMeansPlusPlus } from './kmeanspp.js';
import { presentRow } from './present-row.js';

/** Rows, and the number of centers to choose among them. */
export interface StartProblem {
  readonly rows: Features;
  /** [N, D], or [1, D] for all rows. */
  readonly mask?: Rows | undefined;
  readonly sampleWeight: Float32Array;
  readonly distance: Distance;
  /** Diagonal metric [D]. */
  readonly featureWeights?: Float32Array | undefined;
  readonly k: number;
}

/** Larger than any distance. */
const far = 3e38;

/** k rows that make good centers; uploads live as long as the search. */
export async function greedyRows(
  programs: Programs,
  problem: StartProblem,
  random: Random,
): Promise<number[]> {
  const { mask, distance, featureWeights, sampleWeight, k } = problem;
  const rows = denseRows(problem.rows);
  const { columns } = rows;
  const n = rows.rows;
  const specs = {
    x: f32(BATCH, columns),
    sampleWeight: f32(BATCH),
    nearest: f32(BATCH),
    candidates: f32(candidatesPerRound, columns),
    ...(mask ? { mask: f32(BATCH, columns) } : {}),
    ...(featureWeights ? { featureWeights: f32(1, columns) } : {}),
  };
  const program = await programs.get(`bestCenter ${distance} ${columns} ${!!mask} ${!!featureWeights}`, () =>
    trace('bestCenter', specs, (t: Readonly<Record<string, Tensor>>) => {
      const { delta } = compare({
        distance,
        x: t.x as Tensor,
        prototypes: t.candidates as Tensor,
        mask: t.mask,
        weights: t.featureWeights,
      });
      // δ to the nearest center with each candidate added [B, C], and the resulting cost of all rows [1, C].
      const lowered = min(delta, expandDims(t.nearest as Tensor, 1));
      const best = argMax(neg(matmul(expandDims(t.sampleWeight as Tensor, 0), lowered)));
      const column = oneHot(best, candidatesPerRound);
      return { best, nearest: reshape(matmul(lowered, column, { transposeB: true }), [BATCH]) };
    }),
  );
  const fixed = {
    x: uploadRows(programs, rows),
    sampleWeight: programs.upload(ndarray(sampleWeight, [n])),
    ...(mask ? { mask: uploadRows(programs, repeatMask(mask, n)) } : {}),
    ...(featureWeights ? { featureWeights: programs.upload(ndarray(featureWeights, [1, columns])) } : {}),
  };
  let nearest: ArrayLike<number> = new Float32Array(n).fill(far);
  const takeBest = async (chosen: readonly number[]) => {
    // Missing candidates are filled with the last one; the first of equals wins.
    const candidates = new Float32Array(candidatesPerRound * columns);
    for (let i = 0; i < candidatesPerRound; i++) {
      const row = chosen[Math.min(i, chosen.length - 1)] as number;
      candidates.set(presentRow({ rows, mask }, row), i * columns);
    }
    const results = await runOnce(program, fixed, {
      candidates: programs.upload(ndarray(candidates, [candidatesPerRound, columns])),
      nearest: programs.upload(ndarray(nearest, [n])),
    });
    const best = (await readAndFree(results.best as Value)).data[0] as number;
    nearest = (await readAndFree(results.nearest as Value)).data;
    return { best, nearest };
  };
  try {
    return await greedyKMeansPlusPlus(takeBest, sampleWeight, k, random);
  } finally {
    disposeAll(fixed);
  }
}

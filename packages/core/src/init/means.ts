// A plain k-means of some rows, as the start of a grid: k-means++ and a few Lloyd passes through the graphs of phase 1.

import { type Rows, repeatMask } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { BATCH } from '../graph/ir.js';
import { trace } from '../graph/trace.js';
import { clustererHead } from '../heads/clusterer.js';
import { emaUpdate } from '../method/ema.js';
import { compare, type Distance } from '../method/similarity.js';
import type { Random } from '../random.js';
import { assignRows, disposeAll } from '../training/phase1.js';
import { type Programs, runOnce, take, uploadRows } from '../training/program.js';
import { f32, type GridSpec } from '../training/spec.js';
import { candidatesPerRound, kMeansPlusPlus } from './kmeanspp.js';

export interface MeansProblem {
  readonly rows: Rows;
  readonly mask?: Rows | undefined;
  readonly sampleWeight: Float32Array;
  readonly distance: Distance;
  /** Diagonal metric [D]. */
  readonly featureWeights?: Float32Array | undefined;
  readonly k: number;
  readonly passes: number;
  /** Draw the start by k-means++, or uniformly. */
  readonly start: 'kmeans++' | 'random';
}

/** Centers [k, D] and the center of each row. */
export interface Means {
  readonly centers: Float32Array;
  readonly index: Int32Array;
}

/** Errors: none; k is at least 1 and the weights are not all zero. */
export async function clusterRows(programs: Programs, problem: MeansProblem, random: Random): Promise<Means> {
  const { rows, mask, k, sampleWeight } = problem;
  const { columns } = rows;
  const chosen =
    problem.start === 'random'
      ? Array.from(random.permutation(rows.rows).subarray(0, k))
      : await spreadOut(programs, problem, random);
  while (chosen.length < k) chosen.push(random.below(rows.rows));
  const centers = new Float64Array(k * columns);
  chosen.forEach((row, i) => {
    for (let j = 0; j < columns; j++) centers[i * columns + j] = present(problem, row, j);
  });

  const spec: GridSpec = {
    head: clustererHead,
    distance: problem.distance,
    routing: { softType: 'hard', temperature: 1, topK: -1 },
    scaling: 'none',
    heads: 1,
    rawColumns: columns,
    columns,
    prototypes: k,
    outputs: 0,
    yColumns: 0,
    masked: mask !== undefined,
    candidates: 'all',
    joint: false,
    repels: false,
    members: 0,
    l2Reg: 0,
    diversityReg: 0,
    trainable: [],
    frozen: false,
    offsets: false,
  };
  const y: Rows = { data: new Float32Array(0), rows: rows.rows, columns: 0 };
  const weights = problem.featureWeights;
  let index: Int32Array = new Int32Array(rows.rows);
  for (let pass = 0; ; pass++) {
    const arrays = {
      prototypes: ndarray(centers, [k, columns]),
      ...(weights ? { featureWeights: ndarray(weights, [1, columns]) } : {}),
    };
    const assigned = await assignRows(programs, spec, arrays, { x: rows, y, mask, sampleWeight }, 'mean');
    index = assigned.index;
    if (pass === problem.passes) return { centers: Float32Array.from(centers), index };
    // Ages of zero make an EMA step a Lloyd step: η = 1.
    const moved = emaUpdate(
      {
        distance: problem.distance,
        prototypes: centers,
        means: new Float64Array(0),
        ages: new Float64Array(k),
        coordinateAges: mask && new Float64Array(k * columns),
        frozen: new Uint8Array(k),
      },
      assigned.sums,
    );
    if (moved === 0) return { centers: Float32Array.from(centers), index };
  }
}

/** A coordinate of a row, 0 where it is masked. */
const present = ({ rows, mask }: MeansProblem, row: number, j: number): number => {
  const at = row * rows.columns + j;
  const active = !mask || (mask.data[mask.rows === 1 ? j : at] as number) > 0;
  return active ? (rows.data[at] as number) : 0;
};

/** Rows by k-means++; the uploads live as long as the search. */
async function spreadOut(programs: Programs, problem: MeansProblem, random: Random): Promise<number[]> {
  const { rows, mask, distance, featureWeights } = problem;
  const { columns } = rows;
  const specs = {
    x: f32(BATCH, columns),
    candidates: f32(candidatesPerRound, columns),
    ...(mask ? { mask: f32(BATCH, columns) } : {}),
    ...(featureWeights ? { featureWeights: f32(1, columns) } : {}),
  };
  const program = await programs.get(`distances ${distance} ${columns} ${!!mask} ${!!featureWeights}`, () =>
    trace('distances', specs, (t) => ({
      delta: compare({
        distance,
        x: t.x,
        prototypes: t.candidates,
        mask: (t as Record<string, typeof t.x>).mask,
        weights: (t as Record<string, typeof t.x>).featureWeights,
      }).delta,
    })),
  );
  const fixed = {
    x: uploadRows(programs, rows),
    ...(mask ? { mask: uploadRows(programs, repeatMask(mask, rows.rows)) } : {}),
    ...(featureWeights ? { featureWeights: programs.upload(ndarray(featureWeights, [1, columns])) } : {}),
  };
  const distanceTo = async (chosen: readonly number[]): Promise<ArrayLike<number>> => {
    const candidates = new Float32Array(candidatesPerRound * columns);
    chosen.forEach((row, i) => {
      for (let j = 0; j < columns; j++) candidates[i * columns + j] = present(problem, row, j);
    });
    const upload = { candidates: programs.upload(ndarray(candidates, [candidatesPerRound, columns])) };
    const { delta } = await runOnce(program, fixed, upload);
    const all = (await take(delta as NonNullable<typeof delta>)).data;
    const kept = new Float64Array(rows.rows * chosen.length);
    for (let i = 0; i < rows.rows; i++) {
      for (let c = 0; c < chosen.length; c++)
        kept[i * chosen.length + c] = all[i * candidatesPerRound + c] as number;
    }
    return kept;
  };
  try {
    return await kMeansPlusPlus(distanceTo, problem.sampleWeight, problem.k, random);
  } finally {
    disposeAll(fixed);
  }
}

// Plain k-means of some rows, as the start of a grid: k-means++ and a few Lloyd passes by the graphs of phase 1.

import { type Rows, takeRows } from '../data/matrix.js';
import { blockRowsOf, isSparse, takeFeatures, visitRow } from '../data/sparse.js';
import { ndarray } from '../dtype.js';
import { emaUpdate } from '../formulas/ema.js';
import { compare } from '../formulas/similarity.js';
import type { Value } from '../graph/backend.js';
import { BATCH } from '../graph/ir.js';
import { trace } from '../graph/trace.js';
import { clustererHead } from '../heads/clusterer.js';
import type { Random } from '../random.js';
import { drawIndices, leastFounder } from '../state/row-counts.js';
import { type Assignment, assignRows, disposeAll } from '../training/phase1.js';
import { type Programs, readAndFree, runOnce, uploadMask, uploadRows } from '../training/program.js';
import { f32, type GridSpec } from '../training/spec.js';
import { greedyRows, type StartProblem } from './greedy.js';
import { candidatesPerRound, kMeansPlusPlus } from './kmeanspp.js';
import { maskOf, presentRow } from './present-row.js';

export interface MeansProblem extends StartProblem {
  readonly passes: number;
  /**
   * How centers are drawn: by k-means++; by its greedy form, which is better, slower, and holds all rows dense; or by weight alone.
   */
  readonly start: 'greedy' | 'kmeans++' | 'random';
}

/** Centers [k, D], the center of each row, and Σ w·δ to them. */
export interface Means {
  readonly centers: Float32Array;
  readonly index: Int32Array;
  readonly inertia: number;
}

/** Clusters rows; k has to be at least 1, and some weight above 0. */
export async function clusterRows(programs: Programs, problem: MeansProblem, random: Random): Promise<Means> {
  const { rows, mask, k } = problem;
  const { columns } = rows;
  const chosen = await chosenRows(programs, problem, random);
  while (chosen.length < k) chosen.push(random.below(rows.rows));
  const centers = new Float64Array(k * columns);
  chosen.forEach((row, i) => {
    centers.set(presentRow(problem, row), i * columns);
  });

  for (let pass = 0; ; pass++) {
    const assigned = await assignToCenters(programs, problem, centers);
    const means = (): Means => ({
      centers: Float32Array.from(centers),
      index: assigned.index,
      inertia: assigned.spread[0] as number,
    });
    if (pass === problem.passes) return means();
    // Ages of 0 make an EMA step a Lloyd step: η = 1.
    const moved = emaUpdate(
      {
        distance: problem.distance,
        prototypes: centers,
        ages: new Float64Array(k),
        coordinateAges: mask && new Float64Array(k * columns),
        frozen: new Uint8Array(k),
      },
      assigned.sums,
    );
    if (moved === 0) return means();
  }
}

/**
 * `clusterRows` without clusters lighter than half a row, since their answers would count like those of any other; weights count
 * rows. Their rows are removed and the rest is clustered anew. `founders` are the remaining rows, if some were removed.
 */
export async function foundingMeans(
  programs: Programs,
  problem: MeansProblem,
  random: Random,
): Promise<Means & { readonly founders: Uint32Array | undefined }> {
  const { rows, mask } = problem;
  let founders: Uint32Array | undefined;
  for (let part = problem; ; ) {
    const found = await clusterRows(programs, part, random);
    const weights = new Float64Array(problem.k);
    found.index.forEach((k, i) => {
      weights[k] = (weights[k] as number) + (part.sampleWeight[i] as number);
    });
    const indices = founders ?? Uint32Array.from(found.index.keys());
    const founding = indices.filter((_, i) => (weights[found.index[i] as number] as number) >= leastFounder);
    if (founding.length === indices.length || founding.length === 0) return { ...found, founders };
    founders = founding;
    const n = founding.length;
    part = {
      ...problem,
      rows: takeFeatures(rows, founding, 0, n),
      mask: mask && mask.rows > 1 ? takeRows(mask, founding, 0, n) : mask,
      sampleWeight: Float32Array.from(founding, (i) => problem.sampleWeight[i] as number),
    };
  }
}

/** Rows to start from, drawn as the problem asks. */
async function chosenRows(programs: Programs, problem: MeansProblem, random: Random): Promise<number[]> {
  const { k, start } = problem;
  if (start === 'random') return drawIndices(problem.sampleWeight, k, random);
  return start === 'greedy' ? greedyRows(programs, problem, random) : spreadOut(programs, problem, random);
}

/** Assigns the rows to their nearest centers [k, D]. */
export function assignToCenters(
  programs: Programs,
  { rows, mask, sampleWeight, distance, featureWeights }: Omit<MeansProblem, 'k' | 'passes' | 'start'>,
  centers: ArrayLike<number>,
): Promise<Assignment> {
  const { columns } = rows;
  const k = centers.length / columns;
  const spec: GridSpec = {
    head: clustererHead,
    origin: 'rows',
    distance,
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
    linear: false,
    repels: false,
    members: 0,
    l2Reg: 0,
    diversityReg: 0,
    trainable: [],
    frozen: false,
    offsets: false,
  };
  const arrays = {
    prototypes: ndarray(Float32Array.from(centers), [k, columns]),
    ...(featureWeights ? { featureWeights: ndarray(featureWeights, [1, columns]) } : {}),
  };
  const y: Rows = { data: new Float32Array(0), rows: rows.rows, columns: 0 };
  return assignRows(programs, spec, arrays, { x: rows, y, mask, sampleWeight }, 'mean');
}

/** Weighted mean of the rows, each column over the rows that have it; 0 if none has it. */
export function meanRow({
  rows,
  sampleWeight,
  mask,
}: Pick<MeansProblem, 'rows' | 'mask'> & { sampleWeight?: Float32Array | undefined }): Float64Array {
  const sums = new Float64Array(rows.columns);
  const weights = new Float64Array(rows.columns);
  for (let i = 0; i < rows.rows; i++) {
    const w = sampleWeight?.[i] ?? 1;
    const own = mask && maskOf(mask, i);
    for (let j = 0; j < weights.length; j++) {
      weights[j] = (weights[j] as number) + (own ? w * Math.max(0, own[j] as number) : w);
    }
    visitRow(rows, i, (j, value) => {
      const m = own ? Math.max(0, own[j] as number) : 1;
      if (m * w > 0) sums[j] = (sums[j] as number) + m * w * value;
    });
  }
  return sums.map((sum, j) => ((weights[j] as number) > 0 ? sum / (weights[j] as number) : 0));
}

/** Rows drawn by k-means++; uploads live as long as the search, except blocks of sparse rows. */
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
  const block = (begin: number, end: number): Record<string, Value> => ({
    x: uploadRows(programs, rows, begin, end),
    ...(mask ? { mask: uploadMask(programs, mask, begin, end) } : {}),
  });
  const n = rows.rows;
  const size = blockRowsOf(rows, n);
  const fixed = {
    ...(isSparse(rows) ? {} : block(0, n)),
    ...(featureWeights ? { featureWeights: programs.upload(ndarray(featureWeights, [1, columns])) } : {}),
  };
  const distanceTo = async (chosen: readonly number[]): Promise<ArrayLike<number>> => {
    const candidates = new Float32Array(candidatesPerRound * columns);
    chosen.forEach((row, i) => {
      candidates.set(presentRow(problem, row), i * columns);
    });
    const upload = { candidates: programs.upload(ndarray(candidates, [candidatesPerRound, columns])) };
    let distances = new Float32Array(0);
    try {
      for (let begin = 0; begin < n; begin += size) {
        const end = Math.min(n, begin + size);
        const part = isSparse(rows) ? block(begin, end) : {};
        const { delta } = await runOnce(program, { ...fixed, ...upload }, part);
        const measured = (await readAndFree(delta as Value)).data as Float32Array<ArrayBuffer>;
        if (size >= n) distances = measured;
        else {
          if (begin === 0) distances = new Float32Array(n * candidatesPerRound);
          distances.set(measured, begin * candidatesPerRound);
        }
      }
    } finally {
      disposeAll(upload);
    }
    return distances;
  };
  try {
    return await kMeansPlusPlus(distanceTo, problem.sampleWeight, problem.k, random);
  } finally {
    disposeAll(fixed);
  }
}

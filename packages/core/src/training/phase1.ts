// Phase 1: hard assignment of a batch through the assign graph, in blocks of rows, and the update of the grid.

import type { Value } from '../backend.js';
import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import type { BatchSums } from '../method/ema.js';
import { assignGraph, type TargetAssignment } from './assign.js';
import { parameterNames } from './graphs.js';
import { type Programs, runOnce, take, uploadRows } from './program.js';
import { type GridSpec, specKey } from './spec.js';

/** A batch of scaled rows. */
export interface Batch {
  readonly x: Rows;
  readonly y: Rows;
  readonly sampleWeight: Float32Array;
  readonly mask?: Rows | undefined;
}

/** Where the rows went. */
export interface Assignment {
  readonly sums: BatchSums;
  /** Nearest prototype of each row in each head [N, H]. */
  readonly index: Int32Array;
  /** δ to it [N, H]. */
  readonly delta: Float32Array;
}

type Arrays = Readonly<Record<string, NdArray>>;

/** Rows a run: B·K floats of it stay in the caches, and float32 sums within it stay exact enough. */
const rowsPerBlock = 4096;

/** Uploads a block of rows of a batch under the names of the graphs. */
export function uploadBlock(
  programs: Programs,
  batch: Batch,
  begin: number,
  end: number,
): Record<string, Value> {
  const part = (rows: Rows): Value => uploadRows(programs, rows, begin, end);
  return {
    x: part(batch.x),
    y: part(batch.y),
    sampleWeight: programs.upload({
      data: batch.sampleWeight.subarray(begin, end),
      shape: [end - begin],
      dtype: 'float32',
    }),
    ...(batch.mask ? { mask: part(batch.mask) } : {}),
  };
}

/** Parameters that are present, uploaded. */
export function uploadParameters(
  programs: Programs,
  arrays: Arrays,
  names: readonly string[] = parameterNames,
): Record<string, Value> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const array = arrays[name];
      return array ? [[name, programs.upload(array)]] : [];
    }),
  );
}

export function disposeAll(values: Readonly<Record<string, Value>>): void {
  for (const value of Object.values(values)) value.dispose();
}

/** Assigns every row; sums are gathered over the blocks in float64. */
export async function assignRows(
  programs: Programs,
  spec: GridSpec,
  arrays: Arrays,
  batch: Batch,
  targetAssignment: TargetAssignment,
): Promise<Assignment> {
  const program = await programs.get(
    `assign ${targetAssignment} ${specKey(spec)} ${Object.keys(arrays)}`,
    () => assignGraph(spec, arrays, targetAssignment),
  );
  const { prototypes: k, columns, targets, heads } = spec;
  const n = batch.x.rows;
  const sums: Record<string, Float64Array> = {
    weights: new Float64Array(k),
    sums: new Float64Array(k * columns),
    ...(spec.masked ? { coordinateWeights: new Float64Array(k * columns) } : {}),
    targetWeights: new Float64Array(k),
    targetSums: new Float64Array(k * targets),
  };
  const index = new Int32Array(n * heads);
  const similarity = new Float32Array(n * heads);
  const delta = new Float32Array(n * heads);
  const parameters = uploadParameters(programs, arrays);
  try {
    for (let begin = 0; begin < n; begin += rowsPerBlock) {
      const end = Math.min(n, begin + rowsPerBlock);
      const results = await runOnce(program, parameters, uploadBlock(programs, batch, begin, end));
      index.set((await take(results.index as Value)).data, begin * heads);
      if (results.similarity) similarity.set((await take(results.similarity)).data, begin * heads);
      delta.set((await take(results.delta as Value)).data, begin * heads);
      for (const [name, total] of Object.entries(sums)) {
        const { data } = await take(results[name] as Value);
        for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (data[i] as number);
      }
    }
  } finally {
    disposeAll(parameters);
  }
  const targetMeans =
    targetAssignment === 'hard'
      ? nearestTargets(spec, batch, index, similarity)
      : (sums.targetSums as Float64Array).map((total, i) => {
          const weight = (sums.targetWeights as Float64Array)[Math.floor(i / targets)] as number;
          return weight > 0 ? total / weight : Number.NaN;
        });
  const gathered = {
    weights: sums.weights as Float64Array,
    sums: sums.sums as Float64Array,
    coordinateWeights: sums.coordinateWeights,
    targetMeans,
  };
  return { sums: gathered, index, delta };
}

/** The target of the row nearest to each prototype among its own rows that count; the first of equals. */
function nearestTargets(
  spec: GridSpec,
  { y, sampleWeight }: Batch,
  index: Int32Array,
  similarity: Float32Array,
): Float64Array {
  const { targets, heads } = spec;
  const best = new Float64Array(spec.prototypes).fill(Number.NEGATIVE_INFINITY);
  const means = new Float64Array(spec.prototypes * targets);
  index.forEach((own, i) => {
    const [row, head] = [Math.floor(i / heads), i % heads];
    if (sampleWeight[row] === 0) return;
    const k = head * (spec.prototypes / heads) + own;
    if ((similarity[i] as number) <= (best[k] as number)) return;
    best[k] = similarity[i] as number;
    for (let j = 0; j < targets; j++) means[k * targets + j] = y.data[row * targets + j] as number;
  });
  return means;
}

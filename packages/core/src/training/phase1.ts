// Phase 1: assigns a batch by the assign graph, in blocks of rows, and updates the grid.

import { blockRowsOf, denseRows, type Features } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { distances } from '../formulas/distances.js';
import type { BatchSums } from '../formulas/ema.js';
import type { Value } from '../graph/backend.js';
import type { Batch } from '../state/batch.js';
import type { TargetAssignment } from '../state/options.js';
import { assignGraph, assignNames } from './assign.js';
import { parameterNames } from './graphs.js';
import { addRows, spreadOf, summedByIndex } from './host-sums.js';
import { type Programs, readAndFree, runOnce, uploadMask, uploadRows } from './program.js';
import { breathe } from './progress.js';
import { asksForNearest, type GridSpec, specKey } from './spec.js';

/** The prototype of each row, with the sums over the rows of each prototype. */
export interface Assignment {
  readonly sums: BatchSums;
  /** Mean target of the rows of prototype k [T], NaN without weight; absent without targets. */
  readonly targetMean?: (k: number) => Float64Array;
  /** Σ w·δ and Σ w, a pair a head. */
  readonly spread: Float64Array;
  /** Prototype of each row in each head [N, H]. */
  readonly index: Int32Array;
  /**
   * The nearest prototype by features alone [N, H], for local linear models: a slope cannot be fitted to rows that were chosen by
   * their target.
   */
  readonly nearest?: Int32Array;
  /** δ to the chosen prototype, in the joint space if rows are assigned there [N, H]. */
  readonly cost: Float32Array;
}

type Arrays = Readonly<Record<string, NdArray>>;

/** Rows in a run: B·K floats of them stay in the caches, and float32 sums within a run stay exact enough. */
const mostRows = 4096;
/** Most entries of B×K that a run holds at a time. */
const mostPairs = 2 ** 23;

/** Rows in a block of x beside this number of prototypes, at most `limit`. */
export const rowsThatFit = (x: Features, prototypes: number, limit: number = mostRows): number =>
  Math.max(1, Math.min(blockRowsOf(x, limit), Math.floor(mostPairs / prototypes)));

/**
 * Rows in a search that leaves the sums to the host: larger blocks beside few prototypes. Threads synchronise at every node, so
 * fewer blocks wait less.
 */
export const searchedRows = (prototypes: number): number =>
  Math.max(mostRows, Math.min(4 * mostRows, Math.floor(2 ** 22 / prototypes)));

/** Uploads a block of rows of a batch under the input names of the graphs. */
export function uploadBlock(
  programs: Programs,
  batch: Batch,
  begin: number,
  end: number,
): Record<string, Value> {
  return {
    x: uploadRows(programs, batch.x, begin, end),
    ...(batch.y.columns > 0 ? { y: uploadRows(programs, batch.y, begin, end) } : {}),
    sampleWeight: programs.upload({
      data: batch.sampleWeight.subarray(begin, end),
      shape: [end - begin],
      dtype: 'float32',
    }),
    ...(batch.mask ? { mask: uploadMask(programs, batch.mask, begin, end) } : {}),
  };
}

/** Uploads the parameters that are present. */
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

/** Buffers for the sums over blocks, under the graph's names, without those that the host adds up. */
function totalsOf(spec: GridSpec, onHost: boolean): Record<string, Float64Array> {
  const { prototypes: k, columns, outputs, heads } = spec;
  const sums = (prefix: string): [string, number][] => {
    const name = (what: string): string =>
      prefix ? `${prefix}${what.charAt(0).toUpperCase()}${what.slice(1)}` : what;
    return [
      [name('weights'), k],
      [name('sums'), k * columns],
      ...(spec.masked ? [[name('coordinateWeights'), k * columns] as [string, number]] : []),
    ];
  };
  const sizes: [string, number][] = [
    ...(onHost ? [] : ([['spread', 2 * heads], ...sums('')] as [string, number][])),
    ...(spec.head.code
      ? ([
          ['targetWeights', k],
          ['targetSums', k * outputs],
        ] as [string, number][])
      : []),
    ...(spec.repels ? sums('push') : []),
  ];
  return Object.fromEntries(sizes.map(([name, size]) => [name, new Float64Array(size)]));
}

/** Assigns every row; sums over blocks are in float64. */
export async function assignRows(
  programs: Programs,
  spec: GridSpec,
  arrays: Arrays,
  batch: Batch,
  targetAssignment: TargetAssignment,
  signal?: AbortSignal,
): Promise<Assignment> {
  const byIndex = summedByIndex(spec);
  // With a kernel for the sums in the backend, the host need not read the rows.
  const onHost = byIndex && !programs.backend.flags.fused.includes('sumsByIndex');
  const program = await programs.get(
    `assign ${targetAssignment} ${specKey(spec)} ${Object.keys(arrays)}`,
    () => assignGraph(spec, arrays, targetAssignment, onHost),
  );
  const { heads } = spec;
  const n = batch.x.rows;
  const sums = totalsOf(spec, onHost);
  const index = new Int32Array(n * heads);
  const nearest = asksForNearest(spec) ? new Int32Array(n * heads) : undefined;
  const similarity = new Float32Array(n * heads);
  const delta = new Float32Array(n * heads);
  const cost = spec.joint ? new Float32Array(n * heads) : delta;
  const parameters = uploadParameters(programs, arrays, assignNames);
  // Blocks of such a search depend little on the number of prototypes; with several heads, one head is searched after the other.
  const searches = byIndex && distances[spec.distance].memory === 'products' && heads === 1;
  const size = rowsThatFit(batch.x, spec.prototypes, searches ? searchedRows(spec.prototypes) : mostRows);
  try {
    for (let begin = 0; begin < n; begin += size) {
      await breathe(signal);
      const end = Math.min(n, begin + size);
      const results = await runOnce(program, parameters, uploadBlock(programs, batch, begin, end));
      index.set((await readAndFree(results.index as Value)).data, begin * heads);
      if (results.nearest) nearest?.set((await readAndFree(results.nearest)).data, begin * heads);
      if (results.similarity) similarity.set((await readAndFree(results.similarity)).data, begin * heads);
      delta.set((await readAndFree(results.delta as Value)).data, begin * heads);
      if (results.cost) cost.set((await readAndFree(results.cost)).data, begin * heads);
      for (const [name, total] of Object.entries(sums)) {
        if (!results[name]) continue;
        const { data } = await readAndFree(results[name]);
        for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (data[i] as number);
      }
    }
  } finally {
    disposeAll(parameters);
  }
  await breathe(signal);
  if (onHost) {
    Object.assign(sums, addRows(spec, batch, index), { spread: spreadOf(heads, batch.sampleWeight, delta) });
  }
  await breathe(signal);
  const targetMean =
    spec.head.code &&
    (targetAssignment === 'hard'
      ? nearestTargets(spec, batch, index, similarity)
      : meansBy(sums.targetSums as Float64Array, sums.targetWeights as Float64Array));
  const gathered: BatchSums = {
    weights: sums.weights as Float64Array,
    sums: sums.sums as Float64Array,
    coordinateWeights: sums.coordinateWeights,
    push: sums.pushWeights && {
      weights: sums.pushWeights,
      sums: sums.pushSums as Float64Array,
      coordinateWeights: sums.pushCoordinateWeights,
    },
  };
  return {
    sums: gathered,
    ...(targetMean ? { targetMean } : {}),
    spread: sums.spread as Float64Array,
    index,
    cost,
    ...(nearest ? { nearest } : {}),
  };
}

/** Row k of sums [K, T] over weight k [K]; NaN where that is 0. */
export const meansBy = (sums: Float64Array, weights: Float64Array): ((k: number) => Float64Array) => {
  const width = sums.length / weights.length;
  return (k) => {
    const weight = weights[k] as number;
    return sums.slice(k * width, (k + 1) * width).map((sum) => (weight > 0 ? sum / weight : Number.NaN));
  };
};

/** The target of each prototype's most similar row; of equals the first. Rows of weight 0 do not count. */
export function nearestTargets(
  spec: GridSpec,
  { y, sampleWeight }: Batch,
  index: Int32Array,
  similarity: Float32Array,
): (k: number) => Float64Array {
  const { outputs, heads } = spec;
  const best = new Float64Array(spec.prototypes).fill(Number.NEGATIVE_INFINITY);
  const means = new Float64Array(spec.prototypes * outputs);
  index.forEach((own, i) => {
    const [row, head] = [Math.floor(i / heads), i % heads];
    if (sampleWeight[row] === 0) return;
    const k = head * (spec.prototypes / heads) + own;
    if ((similarity[i] as number) <= (best[k] as number)) return;
    best[k] = similarity[i] as number;
    means.set(denseRows(y, row, row + 1).data, k * outputs);
  });
  return (k) => means.slice(k * outputs, (k + 1) * outputs);
}

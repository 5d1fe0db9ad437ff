// Rows that are searched again and again: what a search asks of them alone is done once, which is a fifth of its time.

import type { Value } from '../backend.js';
import { isSparse } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { BATCH } from '../graph/ir.js';
import { argMax, matmul } from '../graph/ops.js';
import { trace } from '../graph/trace.js';
import type { Batch } from '../model/batch.js';
import type { IndexSums } from './host-sums.js';
import { disposeAll, rowsThatFit, searchedRows } from './phase1.js';
import { type Programs, runOnce, take } from './program.js';
import { breathe } from './progress.js';
import { f32, type GridSpec } from './spec.js';

/** Numbers that the copy may have: half a gigabyte. */
const mostNumbers = 2 ** 27;

/** The largest ‖x − p‖² of float32, of four times the largest ‖x − c‖² at most. */
const mostSquared = 3.4e38;
/** Rows of a search at most: their products with some hundred prototypes stay in the caches. */
const mostRows = 8192;

/** Whether searches of such rows can be prepared: all their columns count, alike, by squares. */
export const canPrepare = (
  { distance, heads, masked }: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  { x }: Batch,
): boolean =>
  distance === 'euclidean' &&
  heads === 1 &&
  !masked &&
  !arrays.featureWeights &&
  !isSparse(x) &&
  x.rows * (x.columns + 1) <= mostNumbers;

/**
 * Rows as [x − c, 1] around a center c: with prototypes as [2(p − c), −‖p − c‖²] one product is what `nearest` computes,
 * ‖x − c‖² − δ.
 */
export class PreparedRows {
  private readonly programs: Programs;
  private readonly data: Float32Array;
  private readonly rows: number;
  private readonly center: Float32Array;
  /** Σ w·‖x − c‖²; Infinity where a search would overflow float32 */
  private readonly scatter: number;

  /** `center` [D] lies among the rows, so that what they share takes none of the digits. */
  constructor(
    programs: Programs,
    x: Float32Array,
    sampleWeight: ArrayLike<number>,
    center: ArrayLike<number>,
  ) {
    const middle = Float32Array.from(center);
    const columns = middle.length;
    const rows = x.length / columns;
    const data = new Float32Array(rows * (columns + 1));
    let [scatter, largest] = [0, 0];
    let from = 0;
    let to = 0;
    for (let i = 0; i < rows; i++) {
      // Two sums side by side, for neither waits for the other.
      let even = 0;
      let odd = 0;
      let j = 0;
      for (; j + 1 < columns; j += 2, from += 2, to += 2) {
        const a = (x[from] as number) - (middle[j] as number);
        const b = (x[from + 1] as number) - (middle[j + 1] as number);
        data[to] = a;
        data[to + 1] = b;
        even += a * a;
        odd += b * b;
      }
      if (j < columns) {
        const last = (x[from++] as number) - (middle[j] as number);
        data[to++] = last;
        even += last * last;
      }
      const sum = even + odd;
      data[to++] = 1;
      scatter += (sampleWeight[i] as number) * sum;
      if (sum > largest) largest = sum;
    }
    this.programs = programs;
    this.data = data;
    this.rows = rows;
    this.center = middle;
    this.scatter = 4 * largest > mostSquared ? Number.POSITIVE_INFINITY : scatter;
  }

  /** The nearest prototype [K, D] of each row, the first of equals. */
  async search(prototypes: NdArray, signal?: AbortSignal): Promise<Int32Array> {
    const { programs, data, rows } = this;
    const [count, columns] = prototypes.shape as readonly [number, number];
    const specs = { x: f32(BATCH, columns + 1), prototypes: f32(count, columns + 1) };
    const program = await programs.get(`search ${count} ${columns}`, () =>
      trace('search', specs, ({ x, prototypes }) => ({
        index: argMax(matmul(x, prototypes, { transposeB: true })),
      })),
    );
    const fixed = { prototypes: programs.upload(this.beside(prototypes)) };
    const index = new Int32Array(rows);
    const size = rowsThatFit(
      { data, rows, columns: columns + 1 },
      count,
      Math.min(mostRows, searchedRows(count)),
    );
    try {
      for (let begin = 0; begin < rows; begin += size) {
        await breathe(signal);
        const end = Math.min(rows, begin + size);
        const block = data.subarray(begin * (columns + 1), end * (columns + 1));
        const results = await runOnce(program, fixed, {
          x: programs.upload({ data: block, shape: [end - begin, columns + 1], dtype: 'float32' }),
        });
        index.set((await take(results.index as Value)).data, begin);
      }
    } finally {
      disposeAll(fixed);
    }
    return index;
  }

  /** Prototypes as [2(p − c), −‖p − c‖²] [K, D + 1], once a search: blocks of rows are many. */
  private beside({ data, shape }: NdArray): NdArray {
    const { center } = this;
    const columns = center.length;
    const count = shape[0] as number;
    const prepared = new Float32Array(count * (columns + 1));
    let to = 0;
    for (let k = 0; k < count; k++) {
      let square = 0;
      for (let j = 0; j < columns; j++) {
        const value = (data[k * columns + j] as number) - (center[j] as number);
        prepared[to++] = 2 * value;
        square += value * value;
      }
      prepared[to++] = -square;
    }
    return ndarray(prepared, [count, columns + 1]);
  }

  /**
   * Σ w·‖x − p‖² of rows that were added up by their prototypes, without a look at any of them:
   * Σ w·‖x − c‖² + Σ_k (p_k − c)·(W_k (p_k − c) − 2 Σ w (x − c)).
   */
  cost({ data }: NdArray, { weights, sums }: IndexSums): number {
    const { center } = this;
    let cost = this.scatter;
    weights.forEach((weight, k) => {
      center.forEach((c, j) => {
        const i = k * center.length + j;
        const p = (data[i] as number) - c;
        cost += p * (weight * p - 2 * ((sums[i] as number) - weight * c));
      });
    });
    return Math.max(0, cost);
  }
}

// Rows that are searched again and again: what a search asks of them alone is done once, which is a fifth of its time.

import type { Value } from '../backend.js';
import { isSparse } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { square } from '../graph/functions.js';
import { BATCH } from '../graph/ir.js';
import { argMax, concat, matmul, mul, neg, reduceMax, sub, sum } from '../graph/ops.js';
import { trace } from '../graph/trace.js';
import type { Batch } from '../model/batch.js';
import { disposeAll, rowsThatFit, searchedRows } from './phase1.js';
import { type Programs, runOnce, take } from './program.js';
import { breathe } from './progress.js';
import { f32, type GridSpec } from './spec.js';

/** Numbers that the copy may have: half a gigabyte. */
const mostNumbers = 2 ** 27;

/** The nearest prototype of each row, the first of equals, and δ to it. */
export interface Found {
  readonly index: Int32Array;
  readonly cost: Float32Array;
}

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
 * Rows as [x − c, 1] around a center c, and ‖x − c‖²: with prototypes as [2(p − c), −‖p − c‖²] one product is what `nearest`
 * computes, ‖x − c‖² − δ.
 */
export class PreparedRows {
  private readonly programs: Programs;
  private readonly data: Float32Array;
  private readonly squares: Float32Array;
  private readonly center: Float32Array;

  /** `center` [D] lies among the rows, so that what they share takes none of the digits. */
  constructor(programs: Programs, x: Float32Array, center: ArrayLike<number>) {
    const middle = Float32Array.from(center);
    const columns = middle.length;
    const rows = x.length / columns;
    const data = new Float32Array(rows * (columns + 1));
    const squares = new Float32Array(rows);
    let from = 0;
    let to = 0;
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) {
        const value = (x[from++] as number) - (middle[j] as number);
        data[to++] = value;
        sum += value * value;
      }
      data[to++] = 1;
      squares[i] = sum;
    }
    this.programs = programs;
    this.data = data;
    this.squares = squares;
    this.center = middle;
  }

  /** Where the rows are among prototypes [K, D]. */
  async search(prototypes: NdArray, signal?: AbortSignal): Promise<Found> {
    const { programs, data, squares } = this;
    const [count, columns] = prototypes.shape as readonly [number, number];
    const specs = { x: f32(BATCH, columns + 1), prototypes: f32(count, columns), center: f32(1, columns) };
    const program = await programs.get(`search ${count} ${columns}`, () =>
      trace('search', specs, ({ x, prototypes, center }) => {
        const p = sub(prototypes, center);
        const lengths = sum(square(p), -1, { keepDims: true });
        const score = matmul(x, concat([mul(p, 2), neg(lengths)], 1), { transposeB: true });
        return { index: argMax(score), best: reduceMax(score, -1) };
      }),
    );
    const fixed = {
      prototypes: programs.upload(prototypes),
      center: programs.upload(ndarray(this.center, [1, columns])),
    };
    const rows = squares.length;
    const index = new Int32Array(rows);
    const cost = new Float32Array(rows);
    const x = { data, rows, columns: columns + 1 };
    const size = rowsThatFit(x, count, searchedRows(count));
    try {
      for (let begin = 0; begin < rows; begin += size) {
        await breathe(signal);
        const end = Math.min(rows, begin + size);
        const block = data.subarray(begin * (columns + 1), end * (columns + 1));
        const results = await runOnce(program, fixed, {
          x: programs.upload({ data: block, shape: [end - begin, columns + 1], dtype: 'float32' }),
        });
        index.set((await take(results.index as Value)).data, begin);
        cost.set((await take(results.best as Value)).data, begin);
      }
    } finally {
      disposeAll(fixed);
    }
    for (let i = 0; i < rows; i++) cost[i] = Math.max(0, (squares[i] as number) - (cost[i] as number));
    return { index, cost };
  }
}

// The targets of a grid during a step of phase 1, row by row. A batch moves few prototypes, and float64 copies of K × T targets are
// much slower and larger than the few rows where K and T are in the thousands.

import { type NdArray, ndarray } from '../dtype.js';
import { follow } from '../formulas/ema.js';
import type { TargetCode } from '../heads/head.js';
import { breathe } from './progress.js';

/** The index of the largest of values begin … end − 1, counted from `begin`; of equals the first. */
function argMax(values: ArrayLike<number>, begin: number, end: number): number {
  let best = begin;
  for (let i = begin + 1; i < end; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best - begin;
}

/** The owner of each prototype: the column of its largest mean [K, T]; frozen ones change too. */
export const majority = (means: ArrayLike<number>, outputs: number, { data, shape }: NdArray): NdArray =>
  ndarray(
    Int32Array.from(data, (_, k) => argMax(means, k * outputs, (k + 1) * outputs)),
    shape,
    'int32',
  );

export class TargetRows {
  /** Whether a moved target overflows. */
  overflows = false;
  private readonly code: TargetCode;
  private readonly before: NdArray;
  private readonly heads: number;
  /** After gradient steps, targets are no longer means over rows: rows then move the stored values themselves. */
  private readonly trained: boolean;
  /** Moved targets by prototype: means, or stored values after gradient steps. */
  private readonly moved = new Map<number, Float64Array>();

  /** `targets` [K, T] as stored before the step. */
  constructor(code: TargetCode, targets: NdArray, heads: number, trained: boolean) {
    this.code = code;
    this.before = targets;
    this.heads = heads;
    this.trained = trained;
  }

  /** Mean target of every prototype before the step [K, width], each row as `map` makes it of a mean [T] that is overwritten. */
  async means(
    width: number,
    map: (mean: Float64Array) => Float64Array,
    signal: AbortSignal | undefined,
  ): Promise<NdArray> {
    const count = this.before.shape[0] as number;
    const data = new Float32Array(count * width);
    const row = new Float64Array(this.width);
    for (let k = 0; k < count; k++) {
      await breathe(signal);
      data.set(map(this.mean(k, row)), k * width);
    }
    return { data, shape: [count, width], dtype: 'float32' };
  }

  /** Moves the target of prototype k by η = `rate` towards a mean over its rows [T]. */
  follow(k: number, mean: Float64Array, rate: number): void {
    const after = this.trained
      ? follow(this.stored(k), this.store(mean), rate)
      : follow(this.mean(k), mean, rate);
    this.overflows ||= !after.every(Number.isFinite);
    this.moved.set(k, after);
  }

  /** Targets after the step; prototypes that did not move keep their bits. */
  get targets(): NdArray {
    const data = this.before.data.slice();
    for (const [k, after] of this.moved) {
      if (this.trained) data.set(after, k * this.width);
      else {
        const mean = this.mean(k);
        if (after.some((value, j) => value !== mean[j])) data.set(this.store(after), k * this.width);
      }
    }
    return { ...this.before, data };
  }

  /** Owners after the step. Stored values are in the order of the means, so that they tell the largest as well. */
  owners({ data, shape }: NdArray): NdArray {
    const { width, before, moved } = this;
    const owners = Int32Array.from(data, (_, k) => {
      const after = moved.get(k);
      return after ? argMax(after, 0, width) : argMax(before.data, k * width, (k + 1) * width);
    });
    return { data: owners, shape, dtype: 'int32' };
  }

  private get width(): number {
    return this.before.shape[1] as number;
  }

  private stored(k: number): Float64Array {
    return new Float64Array(this.before.data.subarray(k * this.width, (k + 1) * this.width));
  }

  private store(mean: Float64Array): Float64Array {
    return this.code.store(mean, this.width, this.heads);
  }

  /** The mean target of prototype k [T], written to `row`. */
  private mean(k: number, row: Float64Array = new Float64Array(this.width)): Float64Array {
    row.set(this.before.data.subarray(k * this.width, (k + 1) * this.width));
    return this.code.recall(row, this.width, this.heads, row);
  }
}

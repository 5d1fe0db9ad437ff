// Whether rows teach anything. Of a target that is mostly noise, gradients learn the noise: so some rows wait while a run begins.
// Where it loses on them what it knew, it ends with its best epoch; elsewhere they join, and all rows train.

import { ndarray } from '../dtype.js';
import type { Head } from '../heads/head.js';
import { type Batch, takeBatch } from '../model/batch.js';
import type { ModelState } from '../model/state.js';
import type { Random } from '../random.js';
import { type Context, headOf } from '../training/context.js';
import { lossOf } from './fit.js';
import { drawRows } from './split.js';

/** Rows that wait: a tenth, of which fewer would judge by chance, and more would take time. */
const [share, fewest, most] = [0.1, 50, 2000];
/** Part of the epochs that they wait for, and how many epochs tell something. */
const [part, leastEpochs] = [0.4, 5];
/** Epochs of which the best one says how things stand. */
const recent = 3;
/** A bandwidth of which every prototype weighs alike. */
const flat = -50;

/**
 * Share of the best lead over a constant answer that may be lost: of numbers, whose loss is the score, what chance takes among so
 * many rows; of classes, whose accuracy rises for a while as their loss does, more.
 */
const losable = (candidates: Head['candidates'], rows: number): number =>
  candidates === 'class' ? 0.15 : 0.4 / Math.sqrt(rows);

/** Rows that wait, what they cost epoch by epoch, and whether the run goes on with them. */
export class Trial {
  /** The rows that wait. */
  readonly rows: Batch;
  /** Places of the others. */
  readonly others: Uint32Array;
  readonly epochs: number;
  /** What a constant answer costs the rows that wait. */
  private readonly constant: number;
  /** Share of the best lead over it that may be lost. */
  private readonly losable: number;
  private readonly losses: number[] = [];

  private constructor(rows: Batch, others: Uint32Array, epochs: number, constant: number, losable: number) {
    this.rows = rows;
    this.others = others;
    this.epochs = epochs;
    this.constant = constant;
    this.losable = losable;
  }

  /**
   * None for prototypes that say nothing of their own, for labels, whose F1 rises while their loss does, and for few rows or epochs.
   * `rows` are scaled; `random` draws those that wait.
   */
  static async create(
    context: Context,
    state: ModelState,
    rows: Batch,
    epochs: number,
    random: Random,
  ): Promise<Trial | undefined> {
    const { targets, logBandwidth } = state.arrays;
    const n = rows.x.rows;
    const count = Math.min(most, Math.floor(n * share));
    const first = Math.floor(epochs * part);
    const { candidates } = headOf(context, state);
    const learns = targets && candidates !== 'labels';
    if (!learns || !logBandwidth || count < fewest || first < leastEpochs) return undefined;
    const drawn = drawRows(rows, count, random);
    if (!drawn) return undefined;
    const waiting = takeBatch(rows, drawn.places, 0, count);
    const { data, shape } = logBandwidth;
    const alike = { ...state.arrays, logBandwidth: ndarray(new Float32Array(data.length).fill(flat), shape) };
    const constant = await lossOf(context, { ...state, arrays: alike }, waiting);
    return new Trial(waiting, drawn.others, first, constant, losable(candidates, count));
  }

  /** Notes what an epoch costs the rows that wait. */
  note(loss: number): void {
    this.losses.push(loss);
  }

  /** Whether, at its end, more is lost of what the best epoch knew than may be. */
  get fails(): boolean {
    const lead = (losses: readonly number[]): number => this.constant - Math.min(...losses);
    return lead(this.losses.slice(-recent)) < (1 - this.losable) * Math.max(0, lead(this.losses));
  }
}

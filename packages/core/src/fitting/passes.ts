// What the passes of a fit come to, whoever gives their rows: the history, the best state by rows that evaluate, the result.

import { unitOf } from '../scaling/unit.js';
import type { ModelState } from '../state/state.js';
import type { Progress, RunControl } from '../training/progress.js';

export interface FitResult {
  /** Passes made. */
  readonly nIter: number;
  /** The last pass moved no prototype by more than tol. */
  readonly converged: boolean;
  readonly history: readonly Progress[];
  /** What is otherwise than the options ask for, a sentence each: fewer prototypes, for the rows have no more distinct ones. */
  readonly warnings: readonly string[];
}

/** The tolerance of passes unless the caller gives one. */
export const defaultTol = 1e-4;

/**
 * No prototype moved by more than `tol`, in the units of the rows. The default counts in their common unit: rows of 1e-20 would
 * else stand still from the first pass on.
 */
export const standsStill = (shift: number, tol: number | undefined, { arrays }: ModelState): boolean =>
  shift <= (tol ?? defaultTol / unitOf(arrays));

export interface PassRun extends Pick<RunControl, 'onProgress'> {
  readonly maxIters: number;
  readonly tol?: number | undefined;
  /** What the start has to say. */
  readonly warnings: (start: ModelState) => readonly string[];
}

export class Passes {
  private readonly run: PassRun;
  /** Loss on the rows that evaluate; without them the last state counts. */
  private readonly evaluate: ((state: ModelState) => Promise<number>) | undefined;
  private readonly history: Progress[] = [];
  private best: ModelState;
  private readonly warnings: readonly string[];
  private bestLoss = Number.POSITIVE_INFINITY;

  constructor(
    run: PassRun,
    start: ModelState,
    evaluate: ((state: ModelState) => Promise<number>) | undefined,
  ) {
    this.run = run;
    this.best = start;
    this.warnings = run.warnings(start);
    this.evaluate = evaluate;
  }

  /** Passes made. */
  get done(): number {
    return this.history.length;
  }

  /** No pass follows the one that runs. */
  get last(): boolean {
    return this.done + 1 >= this.run.maxIters;
  }

  /** A pass has come to this state. */
  async ended(state: ModelState, told: Pick<Progress, 'shift' | 'loss'>): Promise<void> {
    const evalLoss = await this.evaluate?.(state);
    if (evalLoss === undefined) this.best = state;
    else if (evalLoss < this.bestLoss) [this.best, this.bestLoss] = [state, evalLoss];
    const progress: Progress = {
      phase: 'fit',
      done: this.done + 1,
      of: this.run.maxIters,
      ...told,
      ...(evalLoss === undefined ? {} : { evalLoss }),
    };
    this.history.push(progress);
    this.run.onProgress?.(progress);
  }

  result(converged: boolean): { readonly state: ModelState; readonly result: FitResult } {
    const { best, history, warnings } = this;
    return { state: best, result: { nIter: this.done, converged, history, warnings } };
  }
}

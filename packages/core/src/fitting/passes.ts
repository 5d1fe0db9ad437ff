// The result of the passes of a fit, from memory or a source: the history, and the best state by evaluation rows.

import { unitOf } from '../scaling/unit.js';
import type { ModelState } from '../state/state.js';
import type { Progress, RunControl } from '../training/progress.js';

export interface FitResult {
  /** Number of passes. */
  readonly nIter: number;
  /** The last pass moved no prototype by more than tol. */
  readonly converged: boolean;
  readonly history: readonly Progress[];
  /** Differences from what the options ask for, a sentence each: fewer prototypes, since the rows have too few distinct ones. */
  readonly warnings: readonly string[];
}

/** Default tolerance of passes. */
export const defaultTol = 1e-4;

/**
 * Whether no prototype moved by more than `tol`, in the units of the rows. The default is relative to their common unit: otherwise
 * a fit on rows of 1e-20 would end after the first pass.
 */
export const standsStill = (shift: number, tol: number | undefined, { arrays }: ModelState): boolean =>
  shift <= (tol ?? defaultTol / unitOf(arrays));

export interface PassRun extends Pick<RunControl, 'onProgress'> {
  readonly maxIters: number;
  readonly tol?: number | undefined;
  /** Warnings about the start. */
  readonly warnings: (start: ModelState) => readonly string[];
}

export class Passes {
  private readonly run: PassRun;
  /** Loss on the evaluation rows; without it the last state is kept. */
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

  /** Number of passes done. */
  get done(): number {
    return this.history.length;
  }

  /** Whether this pass is the last one allowed. */
  get last(): boolean {
    return this.done + 1 >= this.run.maxIters;
  }

  /** Records a pass that ended in this state. */
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

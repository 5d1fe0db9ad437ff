// Early stopping of finetune: rows that do not train say which epoch is kept, and whether the run goes on.
// Evaluation rows never train. Waiting rows stay out of a run's first epochs, and join unless it turns out to learn noise by heart.

import { type NdArray, ndarray } from '../dtype.js';
import { OptionError } from '../errors.js';
import { pairedDifference, weightedMean } from '../formulas/paired-difference.js';
import type { Head } from '../heads/head.js';
import type { Batch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import { type Context, headOf } from '../training/context.js';
import type { GradientTrainer } from '../training/phase2.js';
import { rowLossesOf } from './fit.js';

/** What rows that do not train make of an epoch. */
export interface Verdict {
  readonly evalLoss: number;
  /** The loss is the lowest so far, and this epoch the one that is kept. */
  readonly best: boolean;
  readonly next: 'continue' | 'join' | 'stop';
}

/** Rows that do not train while a run goes on. */
export interface Stopping {
  /** The best state so far; undefined before the first. */
  readonly kept: ModelState | undefined;
  /** Whether the rows may join those that train. */
  readonly waits: boolean;
  /** Called once, before the first epoch. */
  begin(start: ModelState, trainer: GradientTrainer): Promise<void>;
  /** Called when so many epochs are done. */
  after(epochs: number, trainer: GradientTrainer): Promise<Verdict>;
}

/** A state after training: moved parameters, with moments. */
export function trainedState(
  start: ModelState,
  read: Readonly<Record<string, NdArray>>,
  steps: number,
): ModelState {
  const trained = start.trained || steps > 0;
  const { sharpness, ...arrays } = start.arrays;
  // That of phase 1 says nothing of what gradients make of it.
  const kept = sharpness && trained === start.trained ? { sharpness } : {};
  return { ...start, arrays: { ...arrays, ...kept, ...read }, step: steps, trained };
}

/** Rows of the caller's choice: the state of their lowest loss is kept, the start included. */
class EvaluationRows implements Stopping {
  kept: ModelState | undefined;
  readonly waits = false;
  private readonly rows: Batch;
  /** Epochs without a lower loss after which the run ends. */
  private readonly rounds: number;
  private bestLoss = Number.POSITIVE_INFINITY;
  private bestEpoch = 0;

  /** Scaled rows. */
  constructor(rows: Batch, rounds: number = Number.POSITIVE_INFINITY) {
    this.rows = rows;
    this.rounds = rounds;
  }

  async begin(start: ModelState, trainer: GradientTrainer): Promise<void> {
    this.kept = start;
    this.bestLoss = await trainer.evaluate(this.rows);
  }

  async after(epochs: number, trainer: GradientTrainer): Promise<Verdict> {
    const evalLoss = await trainer.evaluate(this.rows);
    const best = evalLoss < this.bestLoss;
    if (best) {
      [this.bestLoss, this.bestEpoch] = [evalLoss, epochs];
      this.kept = trainedState(this.kept as ModelState, await trainer.read('finetune'), trainer.steps);
    }
    return { evalLoss, best, next: epochs - this.bestEpoch >= this.rounds ? 'stop' : 'continue' };
  }
}

/** A tenth of the rows waits: fewer than 50 could not tell learning from chance, and 2,000 suffice. */
const [share, fewest, most] = [0.1, 50, 2000];
/** Parts of the epochs at whose ends the waiting rows are asked, and the epochs that the first part has at least. */
const [looks, leastEpochs] = [[0.4, 0.6, 0.8] as const, 5];
/** Part of a run over which the average of its states fades. */
const window = 1 / 12;
/**
 * Part of the lead over a constant answer that a run may lose before its `waiting` rows join: none of numbers, whose loss is what
 * the score counts; of classes a little, since their accuracy still rises when their loss begins to. Where less than a tenth of
 * the rows of classes waits, they never join (null): they are missed less than the loss that they guard to the end.
 */
export const losablePart = (candidates: Head['candidates'], waiting: number): number | null =>
  candidates !== 'class' ? 0 : waiting < most ? 0.05 : null;
/** Standard errors behind what may be lost that count as none, and that are more than chance. */
const [equal, behind] = [0.5, 2];
/** Standard errors by which a run has to be ahead of a constant answer. */
const ahead = 1;

/** How many of so many rows wait; 0 of labels, whose loss rises while their F1 does too, and of prototypes without targets or bandwidths. */
export function waitingCount(context: Context, state: ModelState, rows: number, epochs: number): number {
  const { targets, logBandwidth } = state.arrays;
  const learns = targets && logBandwidth && headOf(context, state).candidates !== 'labels';
  const count = Math.min(most, Math.floor(rows * share));
  return learns && count >= fewest && Math.floor(epochs * looks[0]) >= leastEpochs ? count : 0;
}

/**
 * Rows that judge a moving average of the states, w̄ ← w + d·(w̄ − w) at the end of every epoch: at a high learning rate a single
 * state is off by where the last batches pulled it, an average over a twelfth of the run is not. At 40, 60 and 80 % of the epochs
 * its losses l are compared, row by row, with those of its best epoch, l*, and of a constant answer, l₀: by how many standard
 * errors is the mean of l − l* − c·(l₀ − l*) above 0, c the part of the lead that may be lost? More than 2: the run has begun
 * to learn noise, and ends. At most .5, and l below l₀ by more than 1: the rows join, and the last state counts. In between
 * nothing is decided and they wait on, which costs a tenth of the rows. A run that they have not joined keeps its best average.
 */
class WaitingRows implements Stopping {
  kept: ModelState | undefined;
  readonly waits = true;
  private readonly context: Context;
  private readonly rows: Batch;
  private readonly epochs: number;
  /** What a constant answer costs each row. */
  private readonly constant: Float64Array;
  /** Part of the lead over it that may be lost. */
  private readonly losable: number | null;
  private start: ModelState | undefined;
  private average: Readonly<Record<string, NdArray>> | undefined;
  private bestLoss = Number.POSITIVE_INFINITY;
  private bestLosses: Float64Array | undefined;

  private constructor(
    context: Context,
    rows: Batch,
    epochs: number,
    constant: Float64Array,
    losable: number | null,
  ) {
    this.context = context;
    this.rows = rows;
    this.epochs = epochs;
    this.constant = constant;
    this.losable = losable;
  }

  /** Scaled rows, as many as `waitingCount` says. */
  static async create(
    context: Context,
    state: ModelState,
    rows: Batch,
    epochs: number,
  ): Promise<WaitingRows> {
    const constant = await rowLossesOf(context, answeringMeanOf(context, state, rows), rows);
    const part = losablePart(headOf(context, state).candidates, rows.x.rows);
    return new WaitingRows(context, rows, epochs, constant, part);
  }

  async begin(start: ModelState): Promise<void> {
    this.start = start;
  }

  async after(epochs: number, trainer: GradientTrainer): Promise<Verdict> {
    const read = await trainer.read('finetune');
    this.average = averaged(this.average, read, Math.max(0, 1 - 1 / (this.epochs * window)));
    const state = trainedState(this.start as ModelState, { ...read, ...this.average }, trainer.steps);
    const losses = await rowLossesOf(this.context, state, this.rows);
    const evalLoss = weightedMean(losses, this.rows.sampleWeight);
    const best = evalLoss < this.bestLoss;
    if (best) [this.kept, this.bestLoss, this.bestLosses] = [state, evalLoss, losses];
    const asked = looks.some((part) => Math.floor(part * this.epochs) === epochs);
    const compared = { now: losses, best: this.bestLosses ?? losses, constant: this.constant };
    const next = asked ? decide(compared, this.rows.sampleWeight, this.losable) : 'continue';
    return { evalLoss, best, next };
  }
}

/** Losses of the same rows: of the average now, of the average of the best epoch, and of a constant answer. */
export interface Compared {
  readonly now: Float64Array;
  readonly best: Float64Array;
  readonly constant: Float64Array;
}

/** What the losses of waiting rows, which have weights, mean for a run that may lose a part of its lead; with null they never join. */
export function decide(
  { now, best, constant }: Compared,
  weights: ArrayLike<number>,
  part: number | null,
): Verdict['next'] {
  const allowed = best.map((loss, i) => loss + (part ?? 0) * ((constant[i] as number) - loss));
  const lost = pairedDifference(now, allowed, weights);
  if (lost > behind) return 'stop';
  if (part === null) return 'continue';
  return lost <= equal && pairedDifference(constant, now, weights) > ahead ? 'join' : 'continue';
}

/** Scaled rows that do not train in a run of so many epochs: those that evaluate, or else those that wait. */
export async function stoppingBy(
  context: Context,
  state: ModelState,
  epochs: number,
  { evaluation, rounds }: { readonly evaluation: Batch | undefined; readonly rounds: number | undefined },
  waiting: Batch | undefined,
): Promise<Stopping | undefined> {
  if (evaluation) return new EvaluationRows(evaluation, rounds);
  return waiting && WaitingRows.create(context, state, waiting, epochs);
}

/** The average after one more epoch, of which the one before keeps so much; equal values stay what they are to the bit. */
function averaged(
  before: Readonly<Record<string, NdArray>> | undefined,
  read: Readonly<Record<string, NdArray>>,
  kept: number,
): Record<string, NdArray> {
  const parameters = Object.entries(read).filter(([name]) => !name.startsWith('adam.'));
  return Object.fromEntries(
    parameters.map(([name, { data, shape }]) => {
      const old = before?.[name]?.data ?? data;
      const mean = Float32Array.from(data, (value, i) => value + kept * ((old[i] as number) - value));
      return [name, ndarray(mean, shape)];
    }),
  );
}

/** The state whose prototypes all answer the weighted mean of the rows. */
function answeringMeanOf(context: Context, state: ModelState, rows: Batch): ModelState {
  const { code, coordinatesOf } = headOf(context, state);
  const { targets, slopes, featureWeights } = state.arrays;
  const { data } = coordinatesOf(rows.y, state.outputs) as { data: Float32Array };
  const { outputs } = state;
  const column = (c: number): Float64Array =>
    Float64Array.from({ length: rows.x.rows }, (_, i) => data[i * outputs + c] as number);
  const means = Float64Array.from({ length: outputs }, (_, c) => weightedMean(column(c), rows.sampleWeight));
  const heads = featureWeights?.shape[0] ?? 1;
  const one = code?.store(means, outputs, heads) ?? means;
  const { shape } = targets as NdArray;
  const answers = Float32Array.from(
    { length: (shape[0] as number) * outputs },
    (_, i) => one[i % outputs] as number,
  );
  const flat = slopes && { slopes: ndarray(new Float32Array(slopes.data.length), slopes.shape) };
  return { ...state, arrays: { ...state.arrays, targets: ndarray(answers, shape), ...flat } };
}

/** What the options of a finetune say of the rows that evaluate it. */
interface EvaluationOptions {
  readonly evalFraction?: number | undefined;
  readonly earlyStoppingRounds?: number | undefined;
}

/** Share of the rows that evaluates where a run is to stop by rows that nobody named. */
export const stoppingShare = ({ earlyStoppingRounds }: EvaluationOptions): number =>
  earlyStoppingRounds === undefined ? 0 : 0.1;

/** Nobody said which rows evaluate, or that none does: some may wait. */
export const freeToWait = ({
  evalSet,
  evalFraction,
  earlyStoppingRounds,
}: EvaluationOptions & { readonly evalSet?: unknown }): boolean =>
  !evalSet && evalFraction === undefined && earlyStoppingRounds === undefined;

/** Errors: OptionError where a run should stop by rows that there are none of. */
export function checkStopping(rounds: number | undefined, evaluation: Batch | undefined): void {
  if (rounds === undefined || evaluation) return;
  throw new OptionError(
    'finetune: earlyStoppingRounds needs rows to evaluate on; pass evalSet or evalFraction.',
    { option: 'earlyStoppingRounds', value: rounds },
  );
}

// Early stopping of finetune by held-out rows: they decide which epoch is kept and whether the run goes on. Evaluation rows never
// train. Waiting rows are held out of the first epochs, and join the training rows unless the run turns out to overfit.

import { type NdArray, ndarray } from '../dtype.js';
import { OptionError } from '../errors.js';
import { pairedDifference, weightedMean } from '../formulas/paired-difference.js';
import type { Head } from '../heads/head.js';
import type { Batch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import { type Context, headOf } from '../training/context.js';
import type { GradientTrainer } from '../training/phase2.js';
import { rowLossesOf } from './fit.js';

/** The decision of held-out rows after an epoch. */
export interface Verdict {
  readonly evalLoss: number;
  /** The loss is the lowest so far, so this epoch's state is kept. */
  readonly best: boolean;
  readonly next: 'continue' | 'join' | 'stop';
}

/** Early stopping of one run by its held-out rows. */
export interface Stopping {
  /** The best state so far; undefined before the first evaluation. */
  readonly kept: ModelState | undefined;
  /** Whether the held-out rows may join the training rows later. */
  readonly waits: boolean;
  /** Called once, before the first epoch. */
  begin(start: ModelState, trainer: GradientTrainer): Promise<void>;
  /** Called after each epoch, with the number of epochs done. */
  after(epochs: number, trainer: GradientTrainer): Promise<Verdict>;
}

/** A state after training: the moved parameters with their moments. */
export function trainedState(
  start: ModelState,
  read: Readonly<Record<string, NdArray>>,
  steps: number,
): ModelState {
  const trained = start.trained || steps > 0;
  const { sharpness, ...arrays } = start.arrays;
  // The sharpness that phase 1 found does not hold for a grid that gradients have moved.
  const kept = sharpness && trained === start.trained ? { sharpness } : {};
  return { ...start, arrays: { ...arrays, ...kept, ...read }, step: steps, trained };
}

/** Evaluation rows: the state of their lowest loss is kept, which may be the start. */
class EvaluationRows implements Stopping {
  kept: ModelState | undefined;
  readonly waits = false;
  private readonly rows: Batch;
  /** Epochs without a lower loss after which the run ends. */
  private readonly rounds: number;
  private bestLoss = Number.POSITIVE_INFINITY;
  private bestEpoch = 0;

  /** `rows` are scaled. */
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

/** Waiting rows: a tenth of the rows. Fewer than 50 cannot tell learning from chance; 2,000 suffice. */
const [share, fewest, most] = [0.1, 50, 2000];
/** The waiting rows decide at the ends of these parts of the epochs; the first part has to have at least 5 epochs. */
const [looks, leastEpochs] = [[0.4, 0.6, 0.8] as const, 5];
/** Time constant of the average of the states, as a part of the run. */
const window = 1 / 12;
/**
 * Part of its lead over a constant answer that a run may lose while its `waiting` rows still join. A regressor may lose nothing,
 * since its loss is what the score measures. A classifier may lose a little, since its accuracy still rises when its loss begins
 * to. If 2,000 are less than a tenth of a classifier's rows, they never join (null): training gains less from them than from early
 * stopping to the end.
 */
export const losablePart = (candidates: Head['candidates'], waiting: number): number | null =>
  candidates !== 'class' ? 0 : waiting < most ? 0.05 : null;
/**
 * Limits in standard errors: a loss beyond what may be lost counts as none up to the first, and as overfitting above the second.
 */
const [equal, behind] = [0.5, 2];
/** Standard errors by which a run has to beat a constant answer before rows join. */
const ahead = 1;

/**
 * Number of waiting rows. 0 for labels, whose loss can rise while their F1 rises, and for prototypes without targets or bandwidths.
 */
export function waitingCount(context: Context, state: ModelState, rows: number, epochs: number): number {
  const { targets, logBandwidth } = state.arrays;
  const learns = targets && logBandwidth && headOf(context, state).candidates !== 'labels';
  const count = Math.min(most, Math.floor(rows * share));
  return learns && count >= fewest && Math.floor(epochs * looks[0]) >= leastEpochs ? count : 0;
}

/**
 * Waiting rows evaluate a moving average of the states, w̄ ← w + d·(w̄ − w) after every epoch. At a high learning rate, the last
 * batches pull a single state off; an average over a twelfth of the run cancels that.
 *
 * At 40, 60 and 80 % of the epochs the rows decide. Their losses l are compared, row by row, with the losses l* of the best epoch
 * and l₀ of a constant answer. Let z be the mean of l − l* − c·(l₀ − l*) in standard errors, where c is the part of the lead that
 * may be lost.
 * - z > 2: the run overfits, and stops.
 * - z <= 0.5, and l below l₀ by more than 1 standard error: the rows join the training rows, and the last state is kept.
 * - Otherwise the rows go on waiting, which leaves a tenth of the rows untrained.
 *
 * If the rows never join, the best average is kept.
 */
class WaitingRows implements Stopping {
  kept: ModelState | undefined;
  readonly waits = true;
  private readonly context: Context;
  private readonly rows: Batch;
  private readonly epochs: number;
  /** Loss of each row for a constant answer. */
  private readonly constant: Float64Array;
  /** Part of the lead over the constant answer that may be lost; null: the rows never join. */
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

  /** `rows` are scaled; `waitingCount` gives their number. */
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

/** Losses of the same rows: of the average now, of the average after the best epoch, and of a constant answer. */
export interface Compared {
  readonly now: Float64Array;
  readonly best: Float64Array;
  readonly constant: Float64Array;
}

/** The decision from the weighted losses of waiting rows; `part` of the lead may be lost, and with null they never join. */
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

/** Early stopping by evaluation rows, else by waiting rows, all scaled; undefined without either. */
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

/** The moving average after one more epoch: `kept` is the share of the previous average. Equal values stay equal to the bit. */
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

/** The state with all prototypes answering the weighted mean of the rows. */
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

/** The options of `finetune` about evaluation rows. */
interface EvaluationOptions {
  readonly evalFraction?: number | undefined;
  readonly earlyStoppingRounds?: number | undefined;
}

/** Share of the rows held out for evaluation: by default a tenth if the run should stop early. */
export const stoppingShare = ({ earlyStoppingRounds }: EvaluationOptions): number =>
  earlyStoppingRounds === undefined ? 0 : 0.1;

/** Neither evaluation rows nor their absence were asked for, so some rows may wait. */
export const freeToWait = ({
  evalSet,
  evalFraction,
  earlyStoppingRounds,
}: EvaluationOptions & { readonly evalSet?: unknown }): boolean =>
  !evalSet && evalFraction === undefined && earlyStoppingRounds === undefined;

/** Errors: OptionError if early stopping is asked for without evaluation rows. */
export function checkStopping(rounds: number | undefined, evaluation: Batch | undefined): void {
  if (rounds === undefined || evaluation) return;
  throw new OptionError(
    'finetune: earlyStoppingRounds needs rows to evaluate on; pass evalSet or evalFraction.',
    { option: 'earlyStoppingRounds', value: rounds },
  );
}

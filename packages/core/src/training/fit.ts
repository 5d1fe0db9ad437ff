// fit: passes of phase 1 over the rows, with what a single batch cannot know: convergence, idle prototypes, evaluation.

import { takeRows } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { draw, type ModelState } from '../estimators/state.js';
import { type Context, specOf } from './context.js';
import { emaStep, prune } from './ema-step.js';
import { type Batch, disposeAll, uploadParameters } from './phase1.js';
import { evaluateLoss } from './phase2.js';
import { breathe, type Progress, type RunControl } from './progress.js';

export interface FitRun extends RunControl {
  readonly maxIters: number;
  readonly tol: number;
  readonly shuffle: boolean;
  readonly batchSize: number;
}

export interface FitResult {
  /** Passes made. */
  readonly nIter: number;
  /** The last pass moved no prototype by more than tol. */
  readonly converged: boolean;
  readonly history: readonly Progress[];
}

/** Rows of a batch in the given order; written over `into`, a batch of as many rows that is no longer used, where given. */
export function takeBatch(
  batch: Batch,
  order: ArrayLike<number>,
  begin: number,
  end: number,
  into?: Batch,
): Batch {
  const sampleWeight = into?.sampleWeight ?? new Float32Array(end - begin);
  for (let i = begin; i < end; i++)
    sampleWeight[i - begin] = batch.sampleWeight[order[i] as number] as number;
  return {
    x: takeRows(batch.x, order, begin, end, into?.x.data),
    y: takeRows(batch.y, order, begin, end, into?.y.data),
    sampleWeight,
    mask: batch.mask && takeRows(batch.mask, order, begin, end, into?.mask?.data),
  };
}

/** A row that its prototype serves badly. */
interface Candidate {
  readonly score: number;
  readonly row: number;
}

/** Rows kept a head as places for idle prototypes. */
const candidatesKept = 64;

/** Passes over scaled rows until nothing moves by more than tol. `order` fixes the first pass. */
export async function fitPasses(
  context: Context,
  start: ModelState,
  rows: Batch,
  order: Uint32Array,
  run: FitRun,
  evaluation: Batch | undefined,
): Promise<{ state: ModelState; result: FitResult }> {
  const history: Progress[] = [];
  const n = rows.x.rows;
  let state = start;
  let [best, bestLoss] = [start, Number.POSITIVE_INFINITY];
  let converged = false;
  for (let pass = 0; pass < run.maxIters && !converged; pass++) {
    let turn: Uint32Array = order;
    if (pass > 0 && run.shuffle) [turn, state] = draw(state, (random) => random.permutation(n));
    let shift = 0;
    const { heads } = specOf(context, state, false);
    const weights = new Float64Array(state.ages.length);
    const worst = Array.from({ length: heads }, (): Candidate[] => []);
    for (let begin = 0; begin < n; begin += run.batchSize) {
      await breathe(run.signal);
      const end = Math.min(n, begin + run.batchSize);
      const batch = takeBatch(rows, turn, begin, end);
      const step = await emaStep(context, state, batch);
      state = step.state;
      shift = Math.max(shift, step.shift);
      if (weights.length === step.assignment.sums.weights.length) {
        step.assignment.sums.weights.forEach((w, k) => {
          weights[k] = (weights[k] as number) + w;
        });
      }
      collectWorst(worst, context, state, batch, step.assignment, (i) => turn[begin + i] as number);
    }
    if (context.options.minWeight > 0) state = prune(state, context.options.minWeight);
    converged = shift <= run.tol;
    // A new place needs a pass to learn from its rows.
    if (pass + 1 < run.maxIters && !converged) state = reseed(state, rows, weights, worst);
    const evalLoss = evaluation && (await lossOf(context, state, evaluation));
    if (evalLoss !== undefined && evalLoss < bestLoss) [best, bestLoss] = [state, evalLoss];
    const progress: Progress = {
      phase: 'fit',
      done: pass + 1,
      of: run.maxIters,
      shift,
      ...(evalLoss === undefined ? {} : { evalLoss }),
    };
    history.push(progress);
    run.onProgress?.(progress);
  }
  return {
    state: evaluation && history.length > 0 ? best : state,
    result: { nIter: history.length, converged, history },
  };
}

/** Weighted mean loss of a state on rows. */
export async function lossOf(context: Context, state: ModelState, rows: Batch): Promise<number> {
  const spec = specOf(context, state, rows.mask !== undefined);
  const values = uploadParameters(context.programs, state.arrays);
  try {
    return await evaluateLoss(context.programs, spec, state.arrays, values, rows);
  } finally {
    disposeAll(values);
  }
}

/** Keeps the rows of the highest phase-1 loss, w·(δ + squared distance of the target in the joint space), a head. */
function collectWorst(
  worst: Candidate[][],
  context: Context,
  state: ModelState,
  batch: Batch,
  { index, delta }: { index: Int32Array; delta: Float32Array },
  rowOf: (i: number) => number,
): void {
  const heads = worst.length;
  const { data } = state.arrays.targets as NdArray;
  const width = batch.y.columns;
  const perHead = state.ages.length / heads;
  const scale = context.options.initMode === 'joint' ? context.head.jointScale ** 2 / width : 0;
  for (let i = 0; i < index.length; i++) {
    const [row, head] = [Math.floor(i / heads), i % heads];
    const k = head * perHead + (index[i] as number);
    let score = delta[i] as number;
    for (let t = 0; scale > 0 && t < width; t++) {
      score +=
        scale * ((batch.y.data[row * width + t] as number) - heads * (data[k * width + t] as number)) ** 2;
    }
    score *= batch.sampleWeight[row] as number;
    const list = worst[head] as Candidate[];
    if (list.length === candidatesKept && score <= (list[list.length - 1] as Candidate).score) continue;
    list.push({ score, row: rowOf(row) });
    list.sort((a, b) => b.score - a.score);
    if (list.length > candidatesKept) list.pop();
  }
}

/** Puts prototypes that no row chose in the whole pass where the loss is highest. */
function reseed(
  state: ModelState,
  rows: Batch,
  weights: Float64Array,
  worst: readonly Candidate[][],
): ModelState {
  if (weights.length !== state.ages.length) return state;
  const frozen = (state.arrays.frozen as NdArray).data;
  const heads = worst.length;
  const perHead = weights.length / heads;
  const idle = Array.from(weights.keys()).filter((k) => weights[k] === 0 && frozen[k] === 0);
  if (idle.length === 0) return state;
  const [prototypes, targets] = [state.arrays.prototypes as NdArray, state.arrays.targets as NdArray];
  const [p, t, ages] = [prototypes.data.slice(), targets.data.slice(), state.ages.slice()];
  const coordinateAges = state.coordinateAges?.slice() ?? null;
  for (const k of idle) {
    const candidate = (worst[Math.floor(k / perHead)] as Candidate[]).shift();
    if (!candidate || candidate.score <= 0) continue;
    const { columns } = rows.x;
    for (let j = 0; j < columns; j++) {
      const at = candidate.row * columns + j;
      if (!rows.mask || (rows.mask.data[at] as number) > 0) p[k * columns + j] = rows.x.data[at] as number;
    }
    for (let j = 0; j < rows.y.columns; j++) {
      t[k * rows.y.columns + j] = (rows.y.data[candidate.row * rows.y.columns + j] as number) / heads;
    }
    ages[k] = 1;
    coordinateAges?.fill(1, k * columns, (k + 1) * columns);
  }
  const arrays = {
    ...state.arrays,
    prototypes: ndarray(p, prototypes.shape),
    targets: ndarray(t, targets.shape),
  };
  return { ...state, arrays, ages, coordinateAges };
}

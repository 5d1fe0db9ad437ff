// Lloyd's passes over a source. Each pass adds up the rows of every prototype in float64, batch by batch, and moves the prototypes
// to their means. It holds one batch, the sums, and rows for prototypes that have none yet.

import { denseRows } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { OptionError } from '../errors.js';
import { lossOf } from '../fitting/fit.js';
import { centerOf, exactSearch, settledState, squaredShift, withoutPast } from '../fitting/lloyd.js';
import { defaultTol, type FitResult, Passes } from '../fitting/passes.js';
import { comparesDirections } from '../formulas/distances.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { leastFounder } from '../state/row-counts.js';
import type { AnySource } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { arraysOf, type Context, lossInOwnUnits, scaleBatch, specOf } from '../training/context.js';
import { emaStep } from '../training/ema-step.js';
import { addRows } from '../training/host-sums.js';
import type { Assignment } from '../training/phase1.js';
import type { Learner } from './learner.js';
import { type SourceFit, SourcePasses } from './source-passes.js';

/**
 * Lloyd's passes as in `lloydPasses`, but initialised on the first rows: passes until Σ ‖p′ − p‖² <= tol · mean variance of the
 * columns, which is 0 once no row changes its prototype. Errors: as `fit` of a source; OptionError for autoFeatureWeights, which
 * would have to read the rows twice.
 */
export async function lloydSource<R extends { readonly batch: Batch }>(
  learner: Learner<R>,
  before: ModelState | null,
  source: AnySource,
  run: SourceFit<R>,
): Promise<{ state: ModelState; result: FitResult; evaluation: Batch | undefined; rows: number }> {
  const { options, call } = learner;
  if (options.autoFeatureWeights) {
    throw new OptionError(
      `${call} of a source: autoFeatureWeights beside algorithm 'lloyd' needs all rows at once; pass arrays, or take algorithm 'ema'.`,
      { option: 'autoFeatureWeights', value: true },
    );
  }
  const rowsOf = await SourcePasses.open(learner, before, source, run);
  const { context, held, evaluation } = rowsOf.begun;
  const { tol = defaultTol } = run;
  let { state } = rowsOf.begun;
  try {
    const passes = new Passes(run, state, evaluation && ((state) => lossOf(context, state, evaluation)));
    let [enough, converged] = [0, false];
    let center: ArrayLike<number> | undefined;
    while (passes.done < run.maxIters && !converged) {
      const gathered = new Gathered(context, state);
      const variance = passes.done === 0 && tol > 0 ? new Variance() : undefined;
      for await (const { rows } of rowsOf.pass(() => state)) {
        const batch = await scaleBatch(context, state, rows.batch);
        center ??= centerOf(batch);
        await gathered.add(batch, center);
        variance?.add(batch);
      }
      // Rows of unit length have a total variance of at most 1.
      if (variance)
        enough = tol * (comparesDirections(options.distance) ? 1 / gathered.columns : variance.mean);
      const step = await gathered.step();
      const moved = squaredShift(state, step.state);
      state = step.state;
      converged = moved <= enough;
      const [cost = 0, weight = 0] = step.assignment.spread;
      const loss = lossInOwnUnits(context, state, cost / weight);
      await passes.ended(state, { shift: step.shift, loss });
    }
    const { state: last, result } = passes.result(converged);
    return {
      state: settledState(last, options.minWeight),
      result,
      evaluation: held.evaluation,
      rows: rowsOf.rows,
    };
  } finally {
    await rowsOf.close();
  }
}

/** A row that is far from its prototype. */
interface Far {
  readonly cost: number;
  readonly index: number;
  readonly row: Batch;
}

/** Sums over the rows of one pass. */
class Gathered {
  readonly columns: number;
  private readonly context: Context;
  private readonly state: ModelState;
  private readonly weights: Float64Array;
  private readonly sums: Float64Array;
  /** Undefined until a mask was seen. */
  private coordinateWeights: Float64Array | undefined;
  private readonly spread = new Float64Array(2);
  /** Number of rows of positive weight, by prototype. */
  private readonly members: Uint32Array;
  /** The farthest rows first, as many as there are prototypes; empty once every prototype has a row. */
  private far: Far[] = [];
  private batch: Batch | undefined;

  constructor(context: Context, state: ModelState) {
    const [count, columns] = (state.arrays.prototypes as NdArray).shape as [number, number];
    this.context = context;
    this.state = state;
    this.columns = columns;
    this.weights = new Float64Array(count);
    this.sums = new Float64Array(count * columns);
    this.members = new Uint32Array(count);
  }

  /** Adds scaled rows; `center` as in searches. */
  async add(batch: Batch, center: ArrayLike<number>): Promise<void> {
    const { context, state } = this;
    const spec = specOf(context, state, batch.mask !== undefined);
    const { assign } = exactSearch(context, state, batch, center);
    const { index, cost, sums, spread } = await assign(spec, arraysOf(context, state), batch.y);
    this.batch = batch;
    if (sums.coordinateWeights) this.coordinateWeights ??= this.everywhere(this.weights);
    addTo(this.weights, sums.weights);
    addTo(this.sums, sums.sums);
    addTo(this.spread, spread);
    if (this.coordinateWeights)
      addTo(this.coordinateWeights, sums.coordinateWeights ?? this.everywhere(sums.weights));
    index.forEach((k, i) => {
      if ((batch.sampleWeight[i] as number) > 0) this.members[k] = (this.members[k] as number) + 1;
    });
    if (this.empty().length > 0) this.keepFar(batch, index, cost);
    else this.far = [];
  }

  /** Weights of prototypes as weights of all their columns. */
  private everywhere(weights: Float64Array): Float64Array {
    return Float64Array.from(this.sums, (_, i) => weights[Math.floor(i / this.columns)] as number);
  }

  private empty(): number[] {
    const frozen = (this.state.arrays.frozen as NdArray).data;
    return Array.from(this.members.keys()).filter((k) => this.members[k] === 0 && frozen[k] !== 1);
  }

  private keepFar(batch: Batch, index: Int32Array, cost: Float32Array): void {
    const most = this.members.length;
    const least = this.far.length === most ? (this.far[most - 1] as Far).cost : 0;
    const founding = leastFounder * (this.state.unit ?? 1);
    const rows = Array.from(cost.keys()).filter(
      (i) => (cost[i] as number) > least && (batch.sampleWeight[i] as number) >= founding,
    );
    rows.sort((a, b) => (cost[b] as number) - (cost[a] as number));
    const farther = rows.slice(0, most).map((i) => ({
      cost: cost[i] as number,
      index: index[i] as number,
      row: takeBatch(batch, [i], 0, 1),
    }));
    this.far = [...this.far, ...farther].sort((a, b) => b.cost - a.cost).slice(0, most);
  }

  /** Moves prototypes without rows to the farthest rows, which leave their own prototypes; the last row of a prototype stays. */
  private repair(): void {
    let next = 0;
    for (const k of this.empty()) {
      const spare = ({ index }: Far): boolean => (this.members[index] as number) > 1;
      while (next < this.far.length && !spare(this.far[next] as Far)) next++;
      const taken = this.far[next++];
      if (!taken) return;
      const one = { heads: 1, prototypes: 1, columns: this.columns };
      const { weights, sums, coordinateWeights } = addRows(one, taken.row, Int32Array.of(0));
      for (const [to, sign] of [[taken.index, -1] as const, [k, 1] as const]) {
        const w = sign * (weights[0] as number);
        this.members[to] = (this.members[to] as number) + sign;
        this.weights[to] = (this.weights[to] as number) + w;
        for (let j = 0, at = to * this.columns; j < this.columns; j++, at++) {
          this.sums[at] = (this.sums[at] as number) + sign * (sums[j] as number);
          if (!this.coordinateWeights) continue;
          const reported = coordinateWeights ? sign * (coordinateWeights[j] as number) : w;
          this.coordinateWeights[at] = (this.coordinateWeights[at] as number) + reported;
        }
      }
    }
  }

  /** Moves the prototypes to the means of their rows: a step of phase 1 without a past. */
  async step(): ReturnType<typeof emaStep> {
    this.repair();
    const { context, weights, sums, spread, coordinateWeights } = this;
    const rows = this.batch as Batch;
    const mask = { data: new Float32Array(this.columns).fill(1), rows: 1, columns: this.columns };
    const { mask: _, ...plain } = rows;
    const masked = coordinateWeights !== undefined;
    const assignment: Assignment = {
      sums: { weights, sums, coordinateWeights },
      spread,
      index: new Int32Array(0),
      cost: new Float32Array(0),
    };
    return emaStep(
      context,
      withoutPast(this.state, masked),
      masked ? { ...plain, mask } : plain,
      async () => assignment,
    );
  }
}

/** Σ w·m, Σ w·m·x and Σ w·m·x² of each column, relative to the first row. */
class Variance {
  private origin: Float32Array | undefined;
  private moments: readonly [Float64Array, Float64Array, Float64Array] | undefined;

  add({ x, sampleWeight, mask }: Batch): void {
    const { data, rows, columns } = denseRows(x);
    const empty = (): Float64Array => new Float64Array(columns);
    this.origin ??= data.slice(0, columns).map((value) => (Number.isFinite(value) ? value : 0));
    this.moments ??= [empty(), empty(), empty()];
    const [weights, sums, squares] = this.moments;
    for (let i = 0, at = 0; i < rows; i++) {
      const w = sampleWeight[i] as number;
      for (let j = 0; j < columns; j++, at++) {
        const m = mask ? Math.min(1, Math.max(0, mask.data[mask.rows === 1 ? j : at] as number)) : 1;
        if (w * m === 0) continue;
        const value = (data[at] as number) - (this.origin[j] as number);
        weights[j] = (weights[j] as number) + w * m;
        sums[j] = (sums[j] as number) + w * m * value;
        squares[j] = (squares[j] as number) + w * m * value * value;
      }
    }
  }

  /** Mean variance over the columns. */
  get mean(): number {
    const [weights, sums, squares] = this.moments as NonNullable<Variance['moments']>;
    const variances = weights.map((w, j) =>
      w > 0 ? Math.max(0, (squares[j] as number) / w - ((sums[j] as number) / w) ** 2) : 0,
    );
    return variances.reduce((a, b) => a + b, 0) / weights.length;
  }
}

function addTo(total: Float64Array, part: Float64Array): void {
  for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (part[i] as number);
}

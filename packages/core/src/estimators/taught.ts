// What training calls make of their arguments: rows, targets and the encoding of tables, checked; the state that they begin from;
// and the one place where a model takes what was learned.

import { toWeights } from '../data/matrix.js';
import { readable, Table } from '../data/table.js';
import { DataError } from '../errors.js';
import { type Judges, withSharpness } from '../fitting/sharpness.js';
import { withThresholds } from '../fitting/thresholds.js';
import { answeringMean, withUnit } from '../init/given.js';
import { growClasses, widenOutputs } from '../init/grow-classes.js';
import { initialise } from '../init/initialise.js';
import { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import { unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { stored, trainable } from '../state/storage.js';
import { isTableEncoding } from '../state/table-encoding.js';
import { type Context, scaleBatch } from '../training/context.js';
import { withTargetRange } from '../training/local-linear.js';
import type { Named, RowOptions } from './calls.js';
import { checkUnmasked, LearnedModel, type RowsIn } from './learned.js';
import { type TableUse, useTable, withoutTarget } from './tabular.js';
import type { Encoded, Known, Raw } from './targets.js';

/** The target that the table of the first fit named. */
const targetOf = (state: Pick<ModelState, 'encoding'> | null): string | undefined =>
  isTableEncoding(state?.encoding) ? state.encoding.target : undefined;

/** Base of what is taught. Y is what a user hands in as targets. */
export abstract class TaughtModel<Y> extends LearnedModel {
  /** y as rows; `known` is null before the first batch. Errors: ShapeError, DataError. */
  protected abstract encode(
    y: Y,
    rows: number,
    call: string,
    known: Known | null,
    sampleWeight?: Float32Array,
  ): Encoded;

  /**
   * Stores the result of a training call, with thresholds and sharpness chosen on the rows that it held out, or on other rows that
   * judge an earlier state. Errors: DataError.
   */
  protected async keep(state: ModelState, call: string, held?: Batch, others?: Judges): Promise<void> {
    const before = this.state?.arrays;
    const context = this.context(call);
    const kept = stored(state, this.options.dtype, call);
    const judged = await withThresholds(context, kept, held);
    this.state = await withSharpness(context, judged, held ?? others?.rows, others?.state);
    if (before) await this.programs.leave(before, this.state.arrays);
  }

  /**
   * The checked arguments of a training call; `known`: what y has to fit, by default the model's own; `use`: what the call does with
   * the encoding of a table, by default the model's own.
   */
  protected checkBatch(
    given: RowsIn,
    y: Named<Y>,
    options: RowOptions,
    call: string,
    use: TableUse,
    known: Known | null = this.state && this.complete(this.state) ? { ...this.state, grows: true } : null,
    state: Pick<ModelState, 'encoding' | 'unit'> | null = this.state,
  ): Raw {
    const X = readable(given, call);
    if (X instanceof Table) return this.checkTable(X, y, options, call, use, known, state);
    const { x, mask } = this.checkRows(X, options.featureMask, call);
    if (x.rows === 0)
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows: 0 });
    const sampleWeight = toWeights(options.sampleWeight, x.rows, call) ?? new Float32Array(x.rows).fill(1);
    const { y: targets, ...outputs } = this.encode(y as Y, x.rows, call, known, sampleWeight);
    const shown = options.featureMask !== undefined;
    return { ...outputs, batch: { x, y: targets, sampleWeight, mask }, shown };
  }

  /** `checkBatch` of a table. */
  private checkTable(
    table: Table,
    given: Named<Y>,
    { sampleWeight: weights, featureMask }: RowOptions,
    call: string,
    use: TableUse,
    known: Known | null,
    state: Pick<ModelState, 'encoding' | 'unit'> | null,
  ): Raw {
    checkUnmasked(featureMask, call);
    const target = targetOf(use === 'fit' ? null : state);
    const targeted = withoutTarget(table, given, target, call);
    const { rows } = table;
    if (rows === 0)
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows });
    const sampleWeight = toWeights(weights, rows, call) ?? new Float32Array(rows).fill(1);
    const encoded = this.encode(targeted.y as Y, rows, call, known, sampleWeight);
    const model = { options: this.options, state, call };
    const { x, mask, encoding } = useTable(model, use, targeted, encoded, sampleWeight);
    const { y, ...outputs } = encoded;
    return { ...outputs, encoding, batch: { x, y, sampleWeight, mask }, shown: mask !== undefined };
  }

  /** The current state with room for new classes of y, or a state initialised on these first rows. */
  private async begin(
    state: ModelState | null,
    { batch: first, ...outputs }: Raw,
    call: string,
    signal?: AbortSignal,
  ): Promise<ModelState> {
    const begun = await this.beginRows(state, { batch: first, ...outputs }, call, signal);
    return outputs.encoding ? { ...begun, encoding: outputs.encoding } : begun;
  }

  private async beginRows(
    state: ModelState | null,
    { batch: first, ...outputs }: Omit<Raw, 'shown'>,
    call: string,
    signal?: AbortSignal,
  ): Promise<ModelState> {
    const context = this.context(call, signal);
    if (!state) {
      return initialise(context, first, outputs, new Random(this.options.randomState), call);
    }
    const known = withUnit(state, this.options, outputs.unit ?? unitWeight(first.sampleWeight));
    if (this.complete(known)) return widenOutputs(context, known, outputs.classes);
    const { coordinatesOf } = this.family.head(this.options, true);
    const told = { ...first, y: coordinatesOf(first.y, outputs.outputs) };
    return answeringMean(known, told, this.options.heads ?? 1, outputs.targetCenter ?? null);
  }

  /**
   * `begin`, and prototypes for classes that are new in the rows. Scaling of the rows is deferred until it is needed. The call will
   * learn the targets of `learned`.
   */
  protected async ready(
    before: ModelState | null,
    raw: Raw,
    call: string,
    signal?: AbortSignal,
    learned: Batch = raw.batch,
  ): Promise<{ context: Context; state: ModelState; batch: () => Promise<Batch> }> {
    const context = this.context(call, signal);
    const start = await this.begin(before && trainable(before), raw, call, signal);
    const begun = withTargetRange(context, start, learned, call);
    // Scaling needs no targets. They are replaced when a grid grows, and with many classes they are most of its memory.
    const { targets: _, ...arrays } = begun.arrays;
    const scaler = { ...begun, arrays };
    let scaled: Promise<Batch> | undefined;
    const batch = (): Promise<Batch> => {
      scaled ??= scaleBatch(context, scaler, raw.batch);
      return scaled;
    };
    // Only a joint start can leave classes of its rows without prototypes.
    if (!begun.arrays.owners || (!before && !begun.joint)) return { context, state: begun, batch };
    const from = before && begun.joint ? before.outputs : 0;
    return { context, state: await growClasses(context, begun, await batch(), undefined, from), batch };
  }
}

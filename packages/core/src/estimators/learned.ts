// What all estimators share except training: the state, and the calls that read it.

import { decodeModel, encodeModel } from '../checkpoint/checkpoint.js';
import { readWhole, writeWhole } from '../checkpoint/files.js';
import type { FileBytes } from '../checkpoint/safetensors.js';
import {
  type DenseMatrix,
  hiding,
  type Matrix,
  type Place,
  type Rows,
  toFlags,
  toMask,
  type Vector,
} from '../data/matrix.js';
import { ownCopy } from '../data/own-copy.js';
import { checkFeatures, type Features, toFeatures } from '../data/sparse.js';
import { readable, Table, type Tabular } from '../data/table.js';
import { DisposingBase } from '../disposal.js';
import { type NdArray, ndarray } from '../dtype.js';
import { isFkmError, OptionError, StateError } from '../errors.js';
import { withoutMoments } from '../fitting/finetune.js';
import type { HeadFamily } from '../heads/head.js';
import { initialFromGrid } from '../init/given.js';
import { Random } from '../random.js';
import { printsItsName, ResultArray } from '../result.js';
import { checkReach } from '../scaling/unit.js';
import { IndexKeeper } from '../search/keeper.js';
import { readNearest } from '../search/read-nearest.js';
import type { Batch } from '../state/batch.js';
import type { AnyEncoding } from '../state/encoding.js';
import type { AnyOptions, LoadOptions, Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import { stored, withoutMasters } from '../state/storage.js';
import { isTableEncoding, type ModelColumn, shownColumns } from '../state/table-encoding.js';
import type { Context } from '../training/context.js';
import { readGraph, transformGraph } from '../training/graphs.js';
import { overRows } from '../training/over-rows.js';
import { Ownership } from '../training/ownership.js';
import { Programs } from '../training/program.js';
import { checkCall, type PredictOptions, type RowOptions, type SaveOptions } from './calls.js';
import { type Grid, gridOf } from './grid.js';
import { checkEstimator, checkedBackend, resolveOptions, searchOf } from './options.js';
import { readTable } from './tabular.js';

/** Rows that a call takes: a matrix, records, or columns by name. */
export type RowsIn = Matrix | Tabular | Table;

/** The matrix itself; reads may run while the caller reuses it, except that nested arrays are flattened at once. */
const asTheyAre = <M>(matrix: M): M =>
  Array.isArray(matrix) || ArrayBuffer.isView(matrix) ? matrix : ownCopy(matrix);

/** Errors: OptionError for a mask beside a table. */
export function checkUnmasked(mask: unknown, call: string): void {
  if (mask === undefined) return;
  throw new OptionError(
    `${call}: featureMask is of a matrix; in a table leave out the value, or pass null.`,
    {
      option: 'featureMask',
    },
  );
}

const wasDisposed = (call: string): StateError =>
  new StateError(`${call}: this model was disposed; make another one, or load it again.`);

/** The options and the learned state of a model. */
export interface Snapshot {
  readonly context: Context;
  readonly state: ModelState;
}

/** Internals of a model for exports and `batched`, kept out of its public methods. */
export interface Internals {
  /** Errors: StateError before fit. */
  snapshot(call: string): Snapshot;
  /** Checked rows for prediction. Errors: ShapeError, DataError. */
  checkRows(X: RowsIn, mask: DenseMatrix | Vector | undefined, call: string): Pick<Batch, 'x' | 'mask'>;
}

const internals: WeakMap<object, Internals> = /* @__PURE__ */ new WeakMap();

/** Undefined if `model` is not an estimator. */
export const internalsOf = (model: unknown): Internals | undefined => internals.get(model as object);

/** A class of models, as the loaders of files use it. */
export interface EstimatorClass {
  readonly prototype: LearnedModel;
  new (options: AnyOptions): LearnedModel;
}

/** Base of all estimators: options, state, and reads. */
export abstract class LearnedModel extends DisposingBase {
  protected readonly options: Resolved;
  protected readonly programs: Programs;
  protected readonly family: HeadFamily;
  protected state: ModelState | null;
  private last: Promise<unknown> = Promise.resolve();
  private training = 0;
  /** Running calls that read. */
  private readonly calls = new Set<Promise<unknown>>();
  private disposal: Promise<void> | undefined;
  protected readonly ownership: Ownership = new Ownership();
  private readonly search: IndexKeeper | undefined;

  /** The descriptor of the estimator. A method, so that `load` finds it on the prototype before there is a model. */
  protected abstract heads(): HeadFamily;

  protected constructor(options: AnyOptions) {
    super();
    this.family = this.heads();
    const { estimator: owner } = this.family;
    this.options = resolveOptions(options, this.family);
    printsItsName(this);
    this.programs = new Programs(this.options.backend);
    const { index, useIndex, distance } = this.options;
    this.search = index && useIndex !== false ? new IndexKeeper(index, distance) : undefined;
    const given = this.given(owner);
    this.state = given && stored(given, this.options.dtype, owner);
    internals.set(this, {
      snapshot: (call) => ({ context: this.context(call), state: this.fitted(call) }),
      checkRows: (...rows) => this.checkRows(...rows),
    });
  }

  protected context(call: string, signal?: AbortSignal): Context {
    const { programs, options, family, ownership, search } = this;
    return { programs, options, family, ownership, search, call, signal };
  }

  /** One line: the class, the numbers of prototypes and columns, and the stage: not fitted, fitted, or disposed. */
  override toString(): string {
    const { name } = this.constructor;
    const { state } = this;
    if (!state) return `${name}(${this.disposal ? 'disposed' : 'not fitted'})`;
    const parts = [`${state.ages.length} prototypes`, `${state.rawColumns} columns`];
    if (state.classes.length > 0) parts.push(`${state.classes.length} classes`);
    return `${name}(${parts.join(', ')}, ${this.stage(state)})`;
  }

  private stage(state: ModelState): string {
    if (!this.complete(state)) return 'not fitted';
    return state.trained ? 'fitted and finetuned' : state.batches > 0 ? 'fitted' : 'given';
  }

  /** Training calls run one at a time, in the order of the calls, so that none overwrites another's result. */
  protected async inTurn<R>(call: string, run: () => Promise<R>): Promise<R> {
    this.expectAlive(call);
    this.training++;
    const turn = this.last.then(run);
    this.last = turn.then(
      () => this.training--,
      () => this.training--,
    );
    return turn;
  }

  /** Runs a call, during which the model is not disposed of. Errors: StateError once disposed. */
  protected async inUse<R>(call: string, run: () => Promise<R>): Promise<R> {
    this.expectAlive(call);
    const running = run();
    this.calls.add(running);
    try {
      return await running;
    } finally {
      this.calls.delete(running);
    }
  }

  /**
   * Frees the model's arrays, its index, and compiled graphs that no other model on the backend uses. Later calls are refused with
   * a StateError. It waits for earlier calls, also for an endless `fitStream`, which its signal stops. The backend is not disposed
   * of. `await using` calls this, `using` without waiting. A second call waits for the first.
   */
  override dispose(): Promise<void> {
    this.disposal ??= this.free();
    return this.disposal;
  }

  private async free(): Promise<void> {
    await Promise.allSettled([this.last, ...this.calls]);
    this.search?.dispose();
    await this.programs.dispose();
    this.forget();
  }

  /** Drops the learned state. */
  protected forget(): void {
    this.state = null;
  }

  /** Errors: StateError once disposed. */
  protected expectAlive(call: string): void {
    if (this.disposal) throw wasDisposed(call);
  }

  protected given(call: string): ModelState | null {
    const { initMode, randomState } = this.options;
    return typeof initMode === 'object'
      ? initialFromGrid(this.options, this.family, initMode, new Random(randomState), call)
      : null;
  }

  /** The state of a fitted model. Errors: StateError. */
  protected fitted(call: string): ModelState {
    if (!this.state) this.expectAlive(call);
    if (!this.state || !this.complete(this.state)) {
      throw new StateError(
        `${call}: this model has not been fitted; call fit(X, y) or fitBatch(X, y) first.`,
      );
    }
    // A read may still be running when the next batch comes.
    this.ownership.share();
    return this.state;
  }

  /** The reason for the number of columns in errors: a given grid, if there was one. */
  protected fittedOn(part: 'prototypes' | 'targets'): Pick<Place, 'against'> {
    const { initMode } = this.options;
    return typeof initMode === 'object' && initMode[part] ? { against: `initMode.${part} has` } : {};
  }

  protected checkRows(
    given: RowsIn,
    mask: DenseMatrix | Vector | undefined,
    call: string,
  ): { x: Features; mask: Rows | undefined } {
    const X = readable(given, call);
    if (X instanceof Table) {
      checkUnmasked(mask, call);
      const { x, mask: hidden } = readTable({ options: this.options, state: this.state, call }, X);
      return { x, mask: hidden };
    }
    const place = { call, argument: 'X', ...this.fittedOn('prototypes') };
    const x = toFeatures(X, place, this.state?.rawColumns);
    const checked = toMask(mask, x, call);
    checkFeatures(x, place, checked, X);
    // The original treats a mask of ones like any other mask.
    return { x, mask: this.options.arithmetic === 'original' ? checked : hiding(checked) };
  }

  /** Whether the state is complete: a grid given without targets waits for the first rows. */
  protected complete(state: ModelState): boolean {
    return !this.family.numeric || state.arrays.targets !== undefined;
  }

  /** Similarities s(x, p) of rows [N, D] to all prototypes [N, K]. Errors: ShapeError, DataError, StateError. */
  transform(X: RowsIn, options: PredictOptions = {}): Promise<ResultArray<Float32Array, number[][]>> {
    const call = 'transform';
    return this.inUse(call, async () => {
      const { state, rows } = this.asked(call, X, options);
      const similarities = await overRows(this.context(call), state, rows, call, transformGraph);
      return new ResultArray(similarities as NdArray<Float32Array>);
    });
  }

  /** An output of the head for raw rows, by name; `k` if the output takes one. */
  protected async read(
    call: string,
    X: RowsIn,
    options: PredictOptions,
    name: string,
    k?: number,
  ): Promise<NdArray> {
    const { state, rows } = this.asked(call, X, options);
    const context = this.context(call);
    return (
      (await readNearest(context, state, rows, name, k)) ??
      overRows(context, state, rows, `${name} ${k}`, readGraph(name, k))
    );
  }

  /** The state and the checked rows of a reading call. */
  private asked(call: string, X: RowsIn, options: PredictOptions) {
    checkCall(call, options);
    const state = this.fitted(call);
    const rows = this.checkRows(asTheyAre(readable(X, call)), asTheyAre(options.featureMask), call);
    if (state.scaling === 'none') checkReach(state.arrays, this.options.distance, rows.x, rows.mask, call);
    return { state, rows };
  }

  /** The options of a call that accompany rows. */
  protected readonly maskOf = ({ featureMask }: RowOptions): PredictOptions =>
    featureMask === undefined ? {} : { featureMask };

  /** The learned arrays, with targets in the caller's units. Errors: StateError. */
  get grid(): Grid {
    this.expectAlive('grid');
    if (!this.state)
      throw new StateError('grid: this model has not been fitted; call fit(X, y) or fitBatch(X, y) first.');
    return gridOf(this.state);
  }

  /**
   * The encoding by which the model's source turned columns into X: pass it as `encoding` to later sources, and to `encodeRows` of
   * @fkm/data. It is saved, loaded and exported with the model; undefined if rows came as arrays.
   */
  get encoding(): AnyEncoding | undefined {
    this.expectAlive('encoding');
    return this.state?.encoding;
  }

  /** What became of each column of the table that the model was fitted on, and why; empty if rows came as matrices. */
  get columns(): readonly ModelColumn[] {
    this.expectAlive('columns');
    const encoding = this.state?.encoding;
    return isTableEncoding(encoding) ? shownColumns(encoding) : [];
  }

  /** Freezes prototypes: those whose entry in `mask` [K] is true, or all. Errors: StateError, ShapeError. */
  freezePrototypes(mask?: readonly boolean[] | Vector): void {
    this.expectAlive('freezePrototypes');
    if (!this.state)
      throw new StateError('freezePrototypes: this model has no prototypes yet; fit it first.');
    if (this.training > 0)
      throw new StateError('freezePrototypes: a training call is running; await it first.');
    const count = this.state.ages.length;
    const frozen = toFlags(mask, count, { call: 'freezePrototypes', argument: 'mask' });
    this.state = {
      ...this.state,
      arrays: { ...this.state.arrays, frozen: ndarray(frozen, [count], 'bool') },
    };
  }

  /**
   * The model as safetensors bytes, from which training continues to the bit. `optimiser: false` leaves out Adam's moments, two
   * thirds of a trained model, which prediction and `finetune` do not need; and the float32 masters of a model stored in halves,
   * which then continues from the stored numbers. Errors: OptionError.
   */
  async save(options: SaveOptions = {}): Promise<Uint8Array> {
    this.expectAlive('save');
    checkCall('save', options);
    const whole = options.optimiser ?? true;
    const state = this.state && (whole ? this.state : withoutMasters(withoutMoments(this.state)));
    return encodeModel({ family: this.family, options: this.options, state });
  }

  /**
   * Writes `save()` to a file atomically: whenever the process dies, the old or the new model can be loaded. Node from 20.16, Deno,
   * Bun. Errors: BackendError on runtimes without files; OptionError.
   */
  async saveFile(path: string, options: SaveOptions = {}): Promise<void> {
    this.expectAlive('saveFile');
    checkCall('save', options, 'saveFile');
    await writeWhole(path, await this.save(options), 'saveFile');
  }

  /** A model from the bytes of `save()`, a view or a whole ArrayBuffer, on any backend. Errors: FormatError, OptionError. */
  static async load<C extends EstimatorClass>(
    this: C,
    bytes: FileBytes,
    options: LoadOptions,
  ): Promise<InstanceType<C>> {
    // biome-ignore lint/complexity/noThisInStatic: the class that was asked, and not this base of it.
    const family = this.prototype.heads();
    checkCall('load', options);
    checkEstimator(options, family, 'load');
    const backend = checkedBackend(options, 'load');
    const saved = decodeModel(bytes, family);
    const search = searchOf(options, saved.options);
    let model: InstanceType<C>;
    try {
      model = new this({ ...saved.options, ...search, backend }) as InstanceType<C>;
    } catch (error) {
      if (!isFkmError(error)) throw error;
      throw saved.damaged(`the options in the checkpoint are damaged: ${error.message.replace(/\.$/, '')}`);
    }
    model.state = saved.state?.(model.options) ?? null;
    return model;
  }

  /** A model from a file of `saveFile()`. Errors: as `load`; OptionError, BackendError where there are no files. */
  static loadFile<C extends EstimatorClass & Pick<typeof LearnedModel, 'load'>>(
    this: C,
    path: string,
    options: LoadOptions,
  ): Promise<InstanceType<C>> {
    // biome-ignore lint/complexity/noThisInStatic: as above.
    return readWhole(path, 'loadFile', (bytes) => this.load(bytes, options));
  }
}

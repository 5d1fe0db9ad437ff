// What all estimators share besides training: the state, and the calls that read it.

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
import { DisposingBase } from '../disposal.js';
import { type NdArray, ndarray } from '../dtype.js';
import { isFkmError, StateError } from '../errors.js';
import { withoutMoments } from '../fitting/finetune.js';
import type { HeadFamily } from '../heads/head.js';
import { initialFromGrid } from '../init/given.js';
import { Random } from '../random.js';
import { printsItsName, ResultArray } from '../result.js';
import { checkReach } from '../scaling/unit.js';
import { IndexKeeper } from '../search/keeper.js';
import { readNearest } from '../search/read-nearest.js';
import type { Batch } from '../state/batch.js';
import type { Encoding } from '../state/encoding.js';
import type { AnyOptions, LoadOptions, Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import { stored, withoutMasters } from '../state/storage.js';
import type { Context } from '../training/context.js';
import { readGraph, transformGraph } from '../training/graphs.js';
import { overRows } from '../training/over-rows.js';
import { Ownership } from '../training/ownership.js';
import { Programs } from '../training/program.js';
import { checkCall, type PredictOptions, type RowOptions, type SaveOptions } from './calls.js';
import { type Grid, gridOf } from './grid.js';
import { checkEstimator, checkedBackend, resolveOptions, searchOf } from './options.js';

/** A matrix that its caller may overwrite while it is read; nested arrays are flattened before anybody can. */
const asTheyAre = <M>(matrix: M): M =>
  Array.isArray(matrix) || ArrayBuffer.isView(matrix) ? matrix : ownCopy(matrix);

const wasDisposed = (call: string): StateError =>
  new StateError(`${call}: this model was disposed; make another one, or load it again.`);

/** What a model was made with, and what it has learned. */
export interface Snapshot {
  readonly context: Context;
  readonly state: ModelState;
}

/** What a model shows to exports and to `batched`, and not to its users: public methods would. */
export interface Internals {
  /** Errors: StateError before fit. */
  snapshot(call: string): Snapshot;
  /** Rows to predict, checked. Errors: ShapeError, DataError. */
  checkRows(X: Matrix, mask: DenseMatrix | Vector | undefined, call: string): Pick<Batch, 'x' | 'mask'>;
}

const internals: WeakMap<object, Internals> = /* @__PURE__ */ new WeakMap();

/** Undefined for what is no model. */
export const internalsOf = (model: unknown): Internals | undefined => internals.get(model as object);

/** A class of models, as what makes one of a file sees it. */
export interface EstimatorClass {
  readonly prototype: LearnedModel;
  new (options: AnyOptions): LearnedModel;
}

/** Base of a model: options, state, and what can be read off it. */
export abstract class LearnedModel extends DisposingBase {
  protected readonly options: Resolved;
  protected readonly programs: Programs;
  protected readonly family: HeadFamily;
  protected state: ModelState | null;
  private last: Promise<unknown> = Promise.resolve();
  private training = 0;
  /** Calls that read, while they run. */
  private readonly calls = new Set<Promise<unknown>>();
  private disposal: Promise<void> | undefined;
  protected readonly ownership: Ownership = new Ownership();
  private readonly search: IndexKeeper | undefined;

  /** What the estimator is: a method, which `load` finds on the prototype before there is a model. */
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

  /** One line: the class, the prototypes and columns, and whether it has learned, or was disposed of. */
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

  /** Training calls run one after the other, in the order of the calls: none loses what another has learned. */
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

  /** A call that holds the model until it has ended. Errors: StateError once disposed. */
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
   * Frees what the model holds: its arrays, its index, and the compiled graphs that no other model on the backend has. Refuses later
   * calls with a StateError; waits for those that were made before, also for a `fitStream` without end, which its signal stops. The
   * backend is the caller's to dispose of. `await using` does the same, `using` without waiting; a second call waits for the first.
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

  /** Lets go of what was learned. */
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

  /** A state that has learned. Errors: StateError. */
  protected fitted(call: string): ModelState {
    if (!this.state) this.expectAlive(call);
    if (!this.state || !this.complete(this.state)) {
      throw new StateError(
        `${call}: this model has not been fitted; call fit(X, y) or fitBatch(X, y) first.`,
      );
    }
    // A call that reads may still be reading when the next batch comes.
    this.ownership.share();
    return this.state;
  }

  /** What an error says the columns of rows were fixed by: a grid that was given, where one was. */
  protected fittedOn(part: 'prototypes' | 'targets'): Pick<Place, 'against'> {
    const { initMode } = this.options;
    return typeof initMode === 'object' && initMode[part] ? { against: `initMode.${part} has` } : {};
  }

  protected checkRows(
    X: Matrix,
    mask: DenseMatrix | Vector | undefined,
    call: string,
  ): { x: Features; mask: Rows | undefined } {
    const place = { call, argument: 'X', ...this.fittedOn('prototypes') };
    const x = toFeatures(X, place, this.state?.rawColumns);
    const checked = toMask(mask, x, call);
    checkFeatures(x, place, checked, X);
    // The original learns from a mask of ones as from another.
    return { x, mask: this.options.arithmetic === 'original' ? checked : hiding(checked) };
  }

  /** A grid that was given without targets waits for the first rows. */
  protected complete(state: ModelState): boolean {
    return !this.family.numeric || state.arrays.targets !== undefined;
  }

  /** Similarities s(x, p) of rows [N, D] to all prototypes [N, K]. Errors: ShapeError, DataError, StateError. */
  transform(X: Matrix, options: PredictOptions = {}): Promise<ResultArray<Float32Array, number[][]>> {
    const call = 'transform';
    return this.inUse(call, async () => {
      const { state, rows } = this.asked(call, X, options);
      const similarities = await overRows(this.context(call), state, rows, call, transformGraph);
      return new ResultArray(similarities as NdArray<Float32Array>);
    });
  }

  /** What the head reads off raw rows under a name; `k` where the name takes one. */
  protected async read(
    call: string,
    X: Matrix,
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

  /** The state that a call reads, and its rows. */
  private asked(call: string, X: Matrix, options: PredictOptions) {
    checkCall(call, options);
    const state = this.fitted(call);
    const rows = this.checkRows(asTheyAre(X), asTheyAre(options.featureMask), call);
    if (state.scaling === 'none') checkReach(state.arrays, this.options.distance, rows.x, rows.mask, call);
    return { state, rows };
  }

  /** What of a call's options concerns the rows that are read. */
  protected readonly maskOf = ({ featureMask }: RowOptions): PredictOptions =>
    featureMask === undefined ? {} : { featureMask };

  /** What the model has learned, as arrays in the caller's units where targets are concerned. Errors: StateError. */
  get grid(): Grid {
    this.expectAlive('grid');
    if (!this.state)
      throw new StateError('grid: this model has not been fitted; call fit(X, y) or fitBatch(X, y) first.');
    return gridOf(this.state);
  }

  /**
   * How the source that the model was fitted to made X of its columns: the option `encoding` of the next source, and what
   * `encodeRows` of @fkm/data takes. Saved, loaded and exported with the model; undefined where rows came as arrays.
   */
  get encoding(): Encoding | undefined {
    this.expectAlive('encoding');
    return this.state?.encoding;
  }

  /** Holds prototypes in place: those whose entry in `mask` [K] is true, or all. Errors: StateError, ShapeError. */
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
   * The model as bytes (safetensors): training goes on from them to the bit. `optimiser: false` leaves out Adam's moments,
   * two thirds of a trained model, which prediction and `finetune` do without; and the float32 masters of a model stored in
   * halves, which then trains on from what is stored. Errors: OptionError.
   */
  async save(options: SaveOptions = {}): Promise<Uint8Array> {
    this.expectAlive('save');
    checkCall('save', options);
    const whole = options.optimiser ?? true;
    const state = this.state && (whole ? this.state : withoutMasters(withoutMoments(this.state)));
    return encodeModel({ family: this.family, options: this.options, state });
  }

  /**
   * `save()` into a file, which is replaced whole or not at all: whenever the process dies, the old one or the new one can be
   * loaded. Node from 20.16, Deno, Bun. Errors: BackendError where there are no files; OptionError.
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

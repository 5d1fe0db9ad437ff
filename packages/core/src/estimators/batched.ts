// Many small calls as one run: a server that answers each row by itself spends most of its time around the run.

import { type Csr, type Matrix, type Rows, repeatMask } from '../data/matrix.js';
import { type Features, isSparse, type SparseRows } from '../data/sparse.js';
import { type Disposing, disposing } from '../disposal.js';
import type { TypedArray } from '../dtype.js';
import { OptionError, StateError, shown } from '../errors.js';
import { ResultArray, ResultLabels } from '../result.js';
import type { RunControl } from '../training/progress.js';
import { unlessAborted } from '../waiting.js';
import { checkCall, type PredictOptions } from './calls.js';
import { type Internals, internalsOf, type LearnedModel } from './learned.js';

export interface BatchedOptions {
  /** Rows of a run at most; a call with more of them is a run by itself. Default 256. */
  readonly maxRows?: number | undefined;
  /** Milliseconds that a call waits for others at most; 0 is until the event loop has come round. Default 0. */
  readonly maxWaitMs?: number | undefined;
}

const names = ['predict', 'predictProba', 'transform'] as const;
type Name = (typeof names)[number];

/** A call of a model over rows [N, D], which a signal can end. */
type Batchable<F> = F extends (X: Matrix, options?: infer O) => Promise<infer R>
  ? (X: Matrix, options?: NonNullable<O> & Pick<RunControl, 'signal'>) => Promise<R>
  : never;

/** The calls of a model that answer row by row, each of which may be one of a batch. */
export type Batched<M> = { readonly [N in Extract<keyof M, Name>]: Batchable<M[N]> } & Disposing;

/** What all answers are: an entry or a line of entries a row. */
type Answer = ResultArray<TypedArray, unknown> | ResultLabels<string | number>;

type Options = PredictOptions & Pick<RunControl, 'signal'> & Readonly<Record<string, unknown>>;
type Call = (X: Matrix, options: object) => Promise<Answer>;

/** A call that waits for its answer; its rows are its own. */
interface Waiting {
  readonly x: Features;
  readonly mask: Rows | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  /** Stops listening to its signal. */
  readonly leave: () => void;
}

/** Calls that can share a run: the same call, with the same options, of rows of one kind. */
interface Group {
  readonly name: Name;
  readonly options: object;
  readonly calls: Set<Waiting>;
  rows: number;
  cancel: () => void;
}

/**
 * The calls `predict`, `predictProba` and `transform` of a model, of which those that come together are answered by one run: of the
 * same call, with equal options, of up to `maxRows` rows. Each call has the answer that it would have alone (a product of more rows
 * may round otherwise in its last bit), its own errors, with its own rows, and its own `signal`. Arrays may be used again as soon as
 * a call was made. `dispose()` answers what waits, and refuses later calls with a StateError; the model is the caller's.
 * Errors: OptionError; of calls as the model's, the signal's reason.
 */
export function batched<M extends LearnedModel>(model: M, options: BatchedOptions = {}): Batched<M> {
  const queue = new Queue(model, options);
  const own = names.filter((name) => name in model);
  const calls = own.map((name) => [name, (X: Matrix, given?: Options) => queue.ask(name, X, given)] as const);
  return disposing<Disposing>({
    ...Object.fromEntries(calls),
    dispose: () => queue.dispose(),
  }) as Batched<M>;
}

class Queue {
  private readonly model: LearnedModel;
  private readonly internals: Internals;
  private readonly maxRows: number;
  private readonly maxWaitMs: number;
  private readonly groups = new Map<string, Group>();
  private readonly running = new Set<Promise<void>>();
  private disposed = false;

  constructor(model: LearnedModel, options: BatchedOptions) {
    this.model = model;
    this.internals = checkedModel(model);
    checkCall('batched', options);
    const { maxRows = 256, maxWaitMs = 0 } = options;
    this.maxRows = maxRows;
    this.maxWaitMs = maxWaitMs;
  }

  async ask(name: Name, X: Matrix, options: Options = {}): Promise<Answer> {
    if (this.disposed) {
      throw new StateError(`${name}: this batched model was disposed; call batched(model) again.`);
    }
    const { signal, featureMask, ...rest } = options ?? {};
    checkCall('readSource', signal === undefined ? {} : { signal }, name);
    signal?.throwIfAborted();
    const { x, mask } = this.internals.checkRows(X, featureMask, name);
    const key = keyOf(name, x, mask, rest);
    if (key === null || options === null || x.rows === 0 || x.rows > this.maxRows) {
      return unlessAborted(this.call(name)(X, options && withoutSignal(options)), signal);
    }
    return new Promise<Answer>((resolve, reject) => {
      const group = this.groupFor(key, name, rest, x.rows);
      const onAbort = (): void => {
        group.calls.delete(call);
        group.rows -= x.rows;
        if (group.calls.size === 0) this.close(key, group);
        reject(signal?.reason);
      };
      const leave = (): void => signal?.removeEventListener('abort', onAbort);
      const call: Waiting = {
        x: ownRows(x),
        mask: mask && ownRows(repeatMask(mask, x.rows)),
        resolve,
        reject,
        leave,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      group.calls.add(call);
      group.rows += x.rows;
      if (group.rows >= this.maxRows) this.send(key, group);
    });
  }

  /** Answers what waits; waits for what runs. */
  async dispose(): Promise<void> {
    this.disposed = true;
    for (const [key, group] of [...this.groups]) this.send(key, group);
    await Promise.all(this.running);
  }

  private call(name: Name): Call {
    return (X, options) => (this.model as unknown as Readonly<Record<Name, Call>>)[name](X, options);
  }

  /** The group that waits for such calls, with room for so many rows. */
  private groupFor(key: string, name: Name, options: object, rows: number): Group {
    const known = this.groups.get(key);
    if (known && known.rows + rows <= this.maxRows) return known;
    if (known) this.send(key, known);
    const group: Group = { name, options, calls: new Set(), rows: 0, cancel: () => undefined };
    group.cancel = later(this.maxWaitMs, () => this.send(key, group));
    this.groups.set(key, group);
    return group;
  }

  private close(key: string, group: Group): void {
    group.cancel();
    if (this.groups.get(key) === group) this.groups.delete(key);
  }

  private send(key: string, group: Group): void {
    this.close(key, group);
    const run = this.run(group).finally(() => this.running.delete(run));
    this.running.add(run);
  }

  /** One run for all; where that fails, one for each, so that every call fails by what is its own. */
  private async run({ name, options, calls: waiting }: Group): Promise<void> {
    const calls = [...waiting];
    const call = this.call(name);
    const read = (some: readonly Waiting[]): Promise<Answer> => call(...stacked(some, options));
    try {
      const answer = await read(calls);
      let begin = 0;
      for (const { x, resolve } of calls) {
        resolve(linesOf(answer, begin, begin + x.rows));
        begin += x.rows;
      }
    } catch (error) {
      if (calls.length === 1) calls[0]?.reject(error);
      else await Promise.all(calls.map((one) => read([one]).then(one.resolve, one.reject)));
    } finally {
      for (const { leave } of calls) leave();
    }
  }
}

/** Errors: OptionError. */
function checkedModel(model: unknown): Internals {
  const inside = internalsOf(model);
  if (inside) return inside;
  throw new OptionError(`batched: model is ${shown(model)}; pass an estimator of @fkm/core.`, {
    option: 'model',
  });
}

/** Equal for calls that can share a run; null where options say what no run shares, which the model refuses. */
function keyOf(name: Name, x: Features, mask: Rows | undefined, options: object): string | null {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  if (entries.some(([, value]) => typeof value === 'object' || typeof value === 'function')) return null;
  const given = entries.map(([option, value]) => `${option} ${typeof value} ${String(value)}`).sort();
  return [name, isSparse(x) ? 'sparse' : 'dense', x.columns, mask ? 'masked' : '', ...given].join('\n');
}

const withoutSignal = ({ signal: _, ...rest }: Options): object => rest;

/** A copy, which the caller's next use of the arrays does not change. */
const ownRows = <F extends Features>(x: F): F =>
  (isSparse(x)
    ? { ...x, indptr: x.indptr.slice(), indices: x.indices.slice(), values: x.values.slice() }
    : { ...x, data: x.data.slice() }) as F;

/** The rows of all calls in their order, and the options with their masks. */
function stacked(calls: readonly Waiting[], options: object): [Matrix, object] {
  const masks = calls.flatMap(({ mask }) => mask ?? []);
  const rows = calls.map(({ x }) => x);
  return [
    isSparse(rows[0] as Features) ? csrOf(rows as SparseRows[]) : flat(rows as Rows[]),
    masks.length > 0 ? { ...options, featureMask: flat(masks) } : options,
  ];
}

function flat(parts: readonly Rows[]): { data: Float32Array; shape: [number, number] } {
  const { columns } = parts[0] as Rows;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const data = new Float32Array(rows * columns);
  let begin = 0;
  for (const part of parts) {
    data.set(part.data.subarray(0, part.rows * columns), begin);
    begin += part.rows * columns;
  }
  return { data, shape: [rows, columns] };
}

function csrOf(parts: readonly SparseRows[]): Csr {
  const indptr = [0];
  let stored = 0;
  for (const part of parts) {
    for (let row = 1; row <= part.rows; row++) indptr.push(stored + (part.indptr[row] as number));
    stored += part.values.length;
  }
  const [indices, values] = [new Int32Array(stored), new Float32Array(stored)];
  let begin = 0;
  for (const part of parts) {
    indices.set(part.indices, begin);
    values.set(part.values, begin);
    begin += part.values.length;
  }
  return { indptr, indices, values, shape: [indptr.length - 1, (parts[0] as SparseRows).columns] };
}

/** What the answer says of rows begin … end − 1. */
function linesOf(answer: Answer, begin: number, end: number): Answer {
  if (answer instanceof ResultLabels) {
    return new ResultLabels((answer.data as readonly (string | number)[]).slice(begin, end));
  }
  const { data, shape, dtype } = answer as ResultArray<TypedArray, unknown>;
  const width = data.length / (shape[0] as number);
  const lines = data.slice(begin * width, end * width);
  return new ResultArray({ data: lines, shape: [end - begin, ...shape.slice(1)], dtype });
}

/** Calls back after so many milliseconds, unless the function that it gives is called; 0: once the event loop has come round. */
function later(milliseconds: number, back: () => void): () => void {
  if (milliseconds === 0 && typeof setImmediate === 'function') {
    const turn = setImmediate(back);
    return () => clearImmediate(turn);
  }
  const timer = setTimeout(back, milliseconds);
  return () => clearTimeout(timer);
}

// Combines many small calls into one run: a server that answers each row by its own call spends most of its time on overhead.

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
  /** Most rows in a run; a call with more is a run by itself. Default 256. */
  readonly maxRows?: number | undefined;
  /** Most milliseconds that a call waits for others; 0: one turn of the event loop. Default 0. */
  readonly maxWaitMs?: number | undefined;
}

const names = ['predict', 'predictProba', 'transform'] as const;
type Name = (typeof names)[number];

/** A model's call on rows [N, D], with a signal. */
type Batchable<F> = F extends (X: Matrix, options?: infer O) => Promise<infer R>
  ? (X: Matrix, options?: NonNullable<O> & Pick<RunControl, 'signal'>) => Promise<R>
  : never;

/** The model's calls that answer row by row and can be batched. */
export type Batched<M> = { readonly [N in Extract<keyof M, Name>]: Batchable<M[N]> } & Disposing;

/** The common type of answers: an entry, or a line of entries, for each row. */
type Answer = ResultArray<TypedArray, unknown> | ResultLabels<string | number>;

type Options = PredictOptions & Pick<RunControl, 'signal'> & Readonly<Record<string, unknown>>;
type Call = (X: Matrix, options: object) => Promise<Answer>;

/** A waiting call, with its own copy of its rows. */
interface Waiting {
  readonly x: Features;
  readonly mask: Rows | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  /** Removes the listener of its signal. */
  readonly leave: () => void;
}

/** Waiting calls that can share a run: the same method, equal options, rows of one kind. */
interface Group {
  readonly name: Name;
  readonly options: object;
  readonly calls: Set<Waiting>;
  rows: number;
  cancel: () => void;
}

/**
 * `predict`, `predictProba` and `transform` of a model, with concurrent calls combined into one run: calls of the same method with
 * equal options, up to `maxRows` rows. Each call gets the answer that it would get alone (a product of more rows may round the last
 * bit differently), errors that name its own rows, and its own `signal`. Arrays may be reused as soon as a call was made.
 * `dispose()` answers waiting calls and refuses later ones with a StateError; it does not dispose of the model. Errors:
 * OptionError; in calls, those of the model and the signal's reason.
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

  /** Answers the waiting calls; resolves when all runs have ended. */
  async dispose(): Promise<void> {
    this.disposed = true;
    for (const [key, group] of [...this.groups]) this.send(key, group);
    await Promise.all(this.running);
  }

  private call(name: Name): Call {
    return (X, options) => (this.model as unknown as Readonly<Record<Name, Call>>)[name](X, options);
  }

  /** The waiting group for these calls that has room for so many rows. */
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

  /** One run for all calls. If it fails, each call runs alone, so that it fails only by its own error. */
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

/** Equal keys mean that calls can share a run. Null for options that no run can share, which the model then refuses. */
function keyOf(name: Name, x: Features, mask: Rows | undefined, options: object): string | null {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  if (entries.some(([, value]) => typeof value === 'object' || typeof value === 'function')) return null;
  const given = entries.map(([option, value]) => `${option} ${typeof value} ${String(value)}`).sort();
  return [name, isSparse(x) ? 'sparse' : 'dense', x.columns, mask ? 'masked' : '', ...given].join('\n');
}

const withoutSignal = ({ signal: _, ...rest }: Options): object => rest;

/** A copy, so that the caller may reuse the arrays. */
const ownRows = <F extends Features>(x: F): F =>
  (isSparse(x)
    ? { ...x, indptr: x.indptr.slice(), indices: x.indices.slice(), values: x.values.slice() }
    : { ...x, data: x.data.slice() }) as F;

/** The rows of all calls in order, and the options with the joined masks. */
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

/** The answer for rows begin … end − 1. */
function linesOf(answer: Answer, begin: number, end: number): Answer {
  if (answer instanceof ResultLabels) {
    return new ResultLabels((answer.data as readonly (string | number)[]).slice(begin, end));
  }
  const { data, shape, dtype } = answer as ResultArray<TypedArray, unknown>;
  const width = data.length / (shape[0] as number);
  const lines = data.slice(begin * width, end * width);
  return new ResultArray({ data: lines, shape: [end - begin, ...shape.slice(1)], dtype });
}

/** Calls back after this many milliseconds, or after one turn of the event loop for 0; the returned function cancels that. */
function later(milliseconds: number, back: () => void): () => void {
  if (milliseconds === 0 && typeof setImmediate === 'function') {
    const turn = setImmediate(back);
    return () => clearImmediate(turn);
  }
  const timer = setTimeout(back, milliseconds);
  return () => clearTimeout(timer);
}

// The iterations of a source. Each ends with the signal of the source, with its consumer, and with the source, even while it waits
// for rows.

import { type SourceBatch, type StateError, unlessAborted } from '@fkm/core';
import { stateError } from './errors.js';

export type BatchStream = AsyncGenerator<SourceBatch, void, void>;

/** Milliseconds that closing waits for a reader that does not answer, such as one of a pipe without a writer. */
const patience = 1000;

const over = { done: true, value: undefined } as const;

export class Iterations {
  private readonly call: string;
  private readonly signal: AbortSignal | undefined;
  private readonly running: Set<Iteration> = new Set();
  private closed: StateError | undefined;

  /** The signal ends all iterations with its reason. */
  constructor(call: string, signal: AbortSignal | undefined) {
    this.call = call;
    this.signal = signal;
  }

  /** Errors: StateError once closed. */
  check(): void {
    if (this.closed) throw this.closed;
  }

  /** An iteration that starts when its first batch is requested; `make` gets the signal that ends it. */
  start(make: (signal: AbortSignal) => BatchStream): BatchStream {
    return new Iteration(
      (stop) => {
        this.check();
        this.signal?.throwIfAborted();
        return make(stop);
      },
      this.signal,
      this.running,
    );
  }

  /** Ends running iterations with a StateError and refuses new ones. Resolves once they have closed what they opened. */
  async close(): Promise<void> {
    this.closed ??= stateError(`${this.call}: this source has been closed; open it anew.`);
    await Promise.all([...this.running].map((iteration) => iteration.end(this.closed)));
  }
}

class Iteration implements BatchStream {
  private readonly begin: (signal: AbortSignal) => BatchStream;
  private readonly signal: AbortSignal | undefined;
  private readonly running: Set<Iteration>;
  private readonly stop: AbortController = new AbortController();
  private readonly forward: () => void;
  private batches: BatchStream | undefined;
  /** Set when the consumer has left: later results are dropped. */
  private left = false;

  constructor(
    begin: (signal: AbortSignal) => BatchStream,
    signal: AbortSignal | undefined,
    running: Set<Iteration>,
  ) {
    this.begin = begin;
    this.signal = signal;
    this.running = running;
    this.forward = () => void this.end(signal?.reason);
  }

  async next(): Promise<IteratorResult<SourceBatch, void>> {
    if (this.left) return over;
    try {
      if (!this.batches) {
        this.batches = this.begin(this.stop.signal);
        this.running.add(this);
        this.signal?.addEventListener('abort', this.forward);
      }
      const next = await unlessAborted(this.batches.next(), this.stop.signal);
      if (next.done) this.release();
      return next;
    } catch (error) {
      if (this.left) return over;
      this.left = true;
      this.stop.abort(error);
      void this.closing();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<SourceBatch, void>> {
    this.left = true;
    await this.end(undefined);
    return over;
  }

  async throw(error: unknown): Promise<IteratorResult<SourceBatch, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): BatchStream {
    return this;
  }

  /** Ends a wait for the next batch, with an error if there is a reason, and closes what was opened. */
  async end(reason: unknown): Promise<void> {
    this.stop.abort(reason);
    await this.closing();
  }

  private async closing(): Promise<void> {
    if (this.batches && this.running.has(this)) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      });
      await Promise.race([this.batches.return().then(nothing, nothing), enough]);
      clearTimeout(timer);
    }
    this.release();
  }

  private release(): void {
    this.running.delete(this);
    this.signal?.removeEventListener('abort', this.forward);
  }
}

/** Makes the signal end an iteration that started earlier. */
export function endWith(
  iteration: AsyncGenerator<unknown, void, void>,
  signal: AbortSignal | undefined,
): void {
  signal?.addEventListener('abort', () => void iteration.return(), { once: true });
}

const nothing = (): void => undefined;

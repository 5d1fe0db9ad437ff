// Waiting for promises and iterations until an AbortSignal ends the wait.

/**
 * Promises to wait for, until the signal rejects every wait with its reason. One listener serves all waits: racing each promise against one
 * long-lived promise would leave a reaction on it for every wait.
 */
class Waiting {
  private readonly signal: AbortSignal | undefined;
  private readonly abort: () => void;
  private readonly stops: Set<(reason: unknown) => void> = new Set();

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
    this.abort = () => this.stop(signal?.reason);
    signal?.addEventListener('abort', this.abort);
  }

  /** Settles as the promise does, or rejects with the signal's reason on abort; the promise's later result is dropped. */
  for<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.stops.add(reject);
      promise.then(
        (value) => {
          this.stops.delete(reject);
          resolve(value);
        },
        (error: unknown) => {
          this.stops.delete(reject);
          reject(error);
        },
      );
      if (this.signal?.aborted) this.abort();
    });
  }

  /** Ends all waits. */
  stop(reason: unknown): void {
    for (const stop of this.stops) stop(reason);
    this.stops.clear();
  }

  /** Lets go of the signal. */
  end(): void {
    this.signal?.removeEventListener('abort', this.abort);
  }
}

/** Settles as the promise does, or rejects with the signal's reason on abort; the promise's later result is dropped. */
export async function unlessAborted<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  const waiting = new Waiting(signal);
  try {
    return await waiting.for(promise);
  } finally {
    waiting.end();
  }
}

const over = { done: true, value: undefined } as const;

/**
 * The items of an iteration until the signal is aborted, which throws its reason at once, or until `return()`, which also ends a pending
 * wait. Closing does not wait for an iteration that has an item pending; otherwise it waits for `return()` of the iteration.
 */
export const interruptible = <T>(
  items: AsyncIterable<T>,
  signal?: AbortSignal | undefined,
): AsyncGenerator<T, void, void> => new Interruptible(items, signal);

class Interruptible<T> implements AsyncGenerator<T, void, void> {
  private readonly iterator: AsyncIterator<T>;
  private readonly signal: AbortSignal | undefined;
  private waiting: Waiting | undefined;
  /** Items requested and still pending. */
  private asked = 0;
  /** The iteration threw, which closed it. */
  private failed = false;
  private over = false;
  private closing: Promise<unknown> = Promise.resolve();

  constructor(items: AsyncIterable<T>, signal: AbortSignal | undefined) {
    this.iterator = items[Symbol.asyncIterator]();
    this.signal = signal;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.over) return over;
    try {
      this.signal?.throwIfAborted();
      this.waiting ??= new Waiting(this.signal);
      this.asked++;
      const item = this.iterator.next();
      item.then(
        () => this.asked--,
        () => {
          this.asked--;
          this.failed = true;
        },
      );
      const { done, value } = await this.waiting.for(item);
      if (!done) return { done: false, value };
      this.end();
      return over;
    } catch (error) {
      if (error === over) return over;
      await this.close();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.waiting?.stop(over);
    await this.close();
    return over;
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private end(): void {
    this.over = true;
    this.waiting?.end();
  }

  private close(): Promise<unknown> {
    if (this.over) return this.closing;
    this.end();
    if (this.failed) return this.closing;
    const closing = Promise.resolve(this.iterator.return?.());
    if (this.asked === 0) this.closing = closing;
    else closing.catch(() => undefined);
    return this.closing;
  }
}

// Waits that end with a signal, for whoever reads what may be slow to come or never come.

/**
 * Waits for promises, all of which the signal ends with its reason. One listener serves all waits: a race with one long promise
 * would keep a reaction for every wait that ever was.
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

  /** What the promise gives, or the signal's reason as soon as it is aborted: nobody hears the promise then. */
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

/** What the promise gives, or the signal's reason as soon as it is aborted: nobody hears the promise then. */
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
 * The items of an iteration until the signal is aborted, whose reason then comes at once, or until `return()`, which ends a wait
 * too. An iteration that is silent by then is told to close and not waited for; one that is not closes first.
 */
export const interruptible = <T>(
  items: AsyncIterable<T>,
  signal?: AbortSignal | undefined,
): AsyncGenerator<T, void, void> => new Interruptible(items, signal);

class Interruptible<T> implements AsyncGenerator<T, void, void> {
  private readonly iterator: AsyncIterator<T>;
  private readonly signal: AbortSignal | undefined;
  private waiting: Waiting | undefined;
  /** Items that were asked for and have not come. */
  private asked = 0;
  /** The iteration has failed, which closes it. */
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

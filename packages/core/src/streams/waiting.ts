// Waits that end with a signal, for whoever reads batches that may be slow to come or never come.

/**
 * Waits for promises one at a time, each of which the signal ends with its reason. One listener serves all waits: a race with
 * one long promise would keep a reaction for every wait that ever was.
 */
export class Waiting {
  private readonly signal: AbortSignal | undefined;
  private readonly abort: () => void;
  private stop: ((reason: unknown) => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
    this.abort = () => this.stop?.(signal?.reason);
    signal?.addEventListener('abort', this.abort);
  }

  /** What the promise gives; the signal's reason at once where it is aborted, before or meanwhile. */
  for<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      promise.then(resolve, reject);
      this.stop = reject;
      if (this.signal?.aborted) this.abort();
    });
  }

  /** Lets go of the signal. */
  end(): void {
    this.signal?.removeEventListener('abort', this.abort);
  }
}

/** What one promise gives, or the signal's reason as soon as it is aborted; nobody hears the promise then. */
export async function unlessAborted<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  const waiting = new Waiting(signal);
  try {
    return await waiting.for(promise);
  } finally {
    waiting.end();
  }
}

/**
 * The items of an iteration until the signal is aborted, whose reason then comes at once, also where the iteration is silent:
 * that one is told to close and not waited for. Whoever stops between two items waits until it has closed.
 */
export async function* interruptible<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  signal?.throwIfAborted();
  const iterator = items[Symbol.asyncIterator]();
  const waiting = new Waiting(signal);
  let [silent, over] = [false, false];
  try {
    for (;;) {
      silent = true;
      const next = await waiting.for(
        iterator.next().then(
          (next) => {
            silent = false;
            return next;
          },
          (error: unknown) => {
            // An iteration that failed has closed itself.
            [silent, over] = [false, true];
            throw error;
          },
        ),
      );
      if (next.done) {
        over = true;
        return;
      }
      yield next.value;
    }
  } finally {
    waiting.end();
    if (!over) {
      const closing = Promise.resolve(iterator.return?.()).catch((error: unknown) => {
        if (!silent) throw error;
      });
      if (!silent) await closing;
    }
  }
}

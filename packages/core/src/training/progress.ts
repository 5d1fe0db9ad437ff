// Progress reports of long calls, and how they stop.

/** One pass or epoch. */
export interface Progress {
  readonly phase: 'fit' | 'finetune' | 'findLearningRate';
  /** Number of passes or epochs done, and the largest number that can be reached. */
  readonly done: number;
  readonly of: number;
  /** Mean training loss of a finetune epoch. */
  readonly loss?: number;
  /** Loss on the evaluation rows; with waiting rows, their loss for the average of the states. */
  readonly evalLoss?: number;
  /** Whether `evalLoss` is the lowest so far. That state is kept, unless waiting rows join. */
  readonly best?: boolean;
  /** Largest movement of a prototype in a fit pass, in the units in which rows are compared. */
  readonly shift?: number;
  /** Learning rate of the last step. */
  readonly learningRate?: number;
  /** Peak learning rate of a finetune; with 'auto', the rate that was found. */
  readonly peakLearningRate?: number;
}

export interface RunControl {
  /** Called after every pass or epoch. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops before the next batch with the signal's reason; the model stays as it was before the call. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Milliseconds of work between turns of the event loop. Backends on the CPU compute synchronously, so timers, a server's requests
 * and an abort button wait for such a turn.
 */
const breath = 8;
let last = 0;

/** setImmediate takes one turn of the loop; a timer, the fallback, takes a millisecond or more. */
const turn: (resume: (value?: unknown) => void) => unknown =
  typeof setImmediate === 'function' ? setImmediate : setTimeout;

/** Lets the event loop run now and then; throws the signal's reason once it is aborted. */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const now = performance.now();
  if (now - last < breath) return;
  await new Promise<unknown>((resolve) => turn(resolve));
  last = performance.now();
  signal?.throwIfAborted();
}

/** The result of work that yields between its parts. */
export async function inTurns<T>(
  work: Generator<undefined, T, undefined>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await breathe(signal);
  }
}

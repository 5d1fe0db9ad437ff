// What long calls tell while they run, and how they stop.

/** One pass or epoch. */
export interface Progress {
  readonly phase: 'fit' | 'finetune' | 'findLearningRate';
  /** Passes or epochs done, and how many there will be at most. */
  readonly done: number;
  readonly of: number;
  /** Mean training loss of a finetune epoch. */
  readonly loss?: number;
  /** Loss on the rows that evaluate; on rows that wait to join, that of the average of the states. */
  readonly evalLoss?: number;
  /** The evaluation loss is the lowest so far: the state that is kept, unless rows that waited join. */
  readonly best?: boolean;
  /** Largest movement of a prototype in a fit pass, in the units of the rows as they are compared. */
  readonly shift?: number;
  /** Of the last step. */
  readonly learningRate?: number;
  /** The peak of a finetune's schedule: `lr`, or what 'auto' found. */
  readonly peakLearningRate?: number;
}

export interface RunControl {
  /** Called after every pass or epoch. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops before the next batch with the signal's reason; the model stays as it was before the call. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Milliseconds of work between two turns of the event loop: backends on the CPU compute synchronously, and a timer, a server's
 * request or a button's abort wait for them.
 */
const breath = 8;
let last = 0;

/** A timer waits for a millisecond and more; where there is setImmediate, the loop goes round at once. */
const turn: (resume: (value?: unknown) => void) => unknown =
  typeof setImmediate === 'function' ? setImmediate : setTimeout;

/** Lets the event loop run now and then, and throws the signal's reason where it is aborted. */
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

// Measures how long a caller's event loop waits while something else runs, as the lateness of a timer.

/** Milliseconds between two ticks. */
const every = 5;

/** In milliseconds; one in a hundred ticks is later than p99. */
export interface Lateness {
  readonly p99: number;
  readonly max: number;
}

/**
 * Lateness of all ticks that were due between two turns of the loop. A timer that was blocked for a second was due two hundred
 * times, and each of these counts; otherwise a few long waits would hide behind many short ones.
 */
export function ticksDue(gap: number): number[] {
  const late = [Math.max(0, gap - every)];
  for (let rest = gap - 2 * every; rest >= 0; rest -= every) late.push(rest);
  return late;
}

export function latenessOf(late: readonly number[]): Lateness {
  const sorted = [...late].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p99: at(0.99), max: at(1) };
}

/** A timer that records the lateness of its ticks until it is read. */
export class LateTimer {
  private readonly late: number[] = [];
  private readonly timer: NodeJS.Timeout;
  private last: number = performance.now();

  constructor() {
    this.timer = setInterval(() => this.tick(), every);
  }

  private tick(): void {
    const now = performance.now();
    this.late.push(...ticksDue(now - this.last));
    this.last = now;
  }

  stop(): Lateness {
    this.tick();
    clearInterval(this.timer);
    return latenessOf(this.late);
  }
}

// How long a caller's event loop waits while something else runs: the lateness of a timer.

/** Milliseconds between two ticks. */
const every = 5;

/** In milliseconds; a hundredth of all ticks is later than p99. */
export interface Lateness {
  readonly p99: number;
  readonly max: number;
}

/**
 * Lateness of the ticks that were due between two moments at which the loop came round: one that was held up for a second was due
 * two hundred times, and each of these counts, or few long waits would hide behind many short ones.
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

/** A timer that runs until it is asked how late its ticks were. */
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

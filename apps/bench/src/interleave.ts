// Times several sides in turn, round by round, so that other load on the machine affects all alike.

/** Milliseconds. */
export interface Times {
  readonly min: number;
  readonly median: number;
}

/** One side: runs a round of work and returns its milliseconds. */
export type Side = () => Promise<number>;

/** Threads of a runtime spin for a moment after their work, which must not slow down the next side. */
const pause = 30;

export function timesOf(milliseconds: readonly number[]): Times {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  return { min: sorted[0] as number, median };
}

/** A warm-up round of each side, then `rounds` timed ones; every other round runs in reverse order. */
export async function interleave<N extends string>(
  sides: Readonly<Record<N, Side>>,
  rounds: number,
): Promise<Record<N, Times>> {
  const names = Object.keys(sides) as N[];
  const taken = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<N, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const milliseconds = await sides[name]();
      if (round >= 0) taken[name].push(milliseconds);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return Object.fromEntries(names.map((name) => [name, timesOf(taken[name])])) as Record<N, Times>;
}

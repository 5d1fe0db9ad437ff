// Times one computation on our side and on all available opponents: interleaved rounds, a row for each side, a ratio for each
// opponent.

import { interleave, type Side, type Times } from './interleave.ts';
import { type Result, rounded } from './report.ts';

export interface Opponent {
  readonly name: string;
  readonly side: Side;
}

export interface Versus {
  readonly ours: Times;
  readonly theirs: readonly { readonly name: string; readonly times: Times }[];
}

/** Interleaved rounds of our side and all opponents. */
export async function measure(ours: Side, opponents: readonly Opponent[], rounds: number): Promise<Versus> {
  const sides = Object.fromEntries([['ours', ours], ...opponents.map(({ side }, i) => [i, side] as const)]);
  const times = await interleave(sides, rounds);
  return {
    ours: times.ours as Times,
    theirs: opponents.map(({ name }, i) => ({ name, times: times[i] as Times })),
  };
}

/** One result for each opponent, or our own time if there is none. `per`: units of work in a round. */
export function compare(
  { ours, theirs }: Versus,
  labels: Readonly<Record<string, string | number>>,
  per = 1,
): Result[] {
  const milliseconds = rounded(ours.median / per);
  const minimum = rounded(ours.min / per);
  if (theirs.length === 0) return [{ ...labels, metric: 'milliseconds', value: milliseconds, min: minimum }];
  return theirs.map(({ name, times }) => ({
    ...labels,
    against: name,
    ratio: rounded(times.median / ours.median),
    ratioOfMinima: rounded(times.min / ours.min),
    milliseconds,
    minMilliseconds: minimum,
    theirMilliseconds: rounded(times.median / per),
    theirMinMilliseconds: rounded(times.min / per),
  }));
}

// Compares searches at equal recall: the least work with which each finds enough of the nearest rows. Also bundled for a browser
// page.

import type { Points } from '@fkm/core';
import type { Times } from './interleave.ts';

/** Number of rows that a search finds. */
export const neighbours = 5;
/** The recall at which two indices are compared. */
const equalRecall = 0.99;

export interface Contender {
  readonly name: string;
  readonly note: string;
  /** Seconds of the build. */
  readonly build: number | undefined;
  /** Indices [n, 5] of the nearest for the first n rows. */
  readonly find: (rows: Points, ef?: number) => Promise<ArrayLike<number>>;
  readonly rows: number;
}

/** The result of a side. */
export interface Outcome extends Omit<Contender, 'find'> {
  readonly times: Times;
  readonly recall: number;
}

export function recall(found: ArrayLike<number>, truth: ArrayLike<number>): number {
  let hits = 0;
  for (let begin = 0; begin < truth.length; begin += neighbours) {
    const own = new Set(Array.from({ length: neighbours }, (_, i) => found[begin + i]));
    for (let i = begin; i < begin + neighbours; i++) if (own.has(truth[i] as number)) hits++;
  }
  return hits / truth.length;
}

const efs = [8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 192, 256, 384, 512];

/** The result with the least ef that reaches `equalRecall`. */
export async function leastEf(
  contender: Contender,
  queries: Points,
  truth: ArrayLike<number>,
): Promise<Contender> {
  for (const ef of efs) {
    if (ef < 512 && recall(await contender.find(queries, ef), truth) < equalRecall) continue;
    return { ...contender, note: `ef ${ef}`, build: undefined, find: (X) => contender.find(X, ef) };
  }
  return contender;
}

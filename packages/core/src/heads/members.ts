// The member table: the prototypes of each label, so that a graph can gather them.

import { type NdArray, ndarray } from '../dtype.js';
import { OptionError } from '../errors.js';
import type { Head } from './head.js';

/** Whether the member table is needed: for answers and losses without targets, and for starts label by label. */
export const readsMembers = ({ candidates, code }: Head, joint: boolean): boolean =>
  candidates === 'labels' && !(joint && code !== null);

/**
 * Most cells in the table; every row gathers all of them, so more is too slow to use. The largest label may have 64 times the
 * average number of prototypes; in a small model, any number.
 */
const mostCells = (prototypes: number, labels: number): number =>
  Math.max(2 ** 22, 64 * (prototypes + labels));

/** Number of prototypes of each label in each head [H, C]. */
function countsOf(owners: ArrayLike<number>, labels: number, heads: number): Int32Array {
  const perHead = owners.length / heads;
  const counts = new Int32Array(heads * labels);
  for (let k = 0; k < owners.length; k++) {
    const cell = Math.floor(k / perHead) * labels + (owners[k] as number);
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

/** M, the largest number of prototypes of a label in a head, at least 1; or a text if the member table would be too large. */
function measured(owners: ArrayLike<number>, labels: number, heads: number): number | string {
  const limit = mostCells(owners.length, labels);
  const most =
    heads * labels > limit ? 1 : countsOf(owners, labels, heads).reduce((a, b) => Math.max(a, b), 1);
  const cells = heads * labels * most;
  if (cells <= limit) return most;
  return `${most} prototypes of one label, beside ${labels} labels in ${heads} heads, make a table of ${cells} cells, ${limit} are the most`;
}

/** Why the member table of these owners is too large; null if it is not. */
export function excessOf(owners: ArrayLike<number>, labels: number, heads: number): string | null {
  const found = measured(owners, labels, heads);
  return typeof found === 'string' ? found : null;
}

/**
 * M, the largest number of prototypes of a label in a head, at least 1. Errors: OptionError if the member table would be too large.
 */
export function mostMembers(owners: ArrayLike<number>, labels: number, heads: number): number {
  const found = measured(owners, labels, heads);
  if (typeof found === 'number') return found;
  throw new OptionError(
    `owners: ${found}; set kInit or nPrototypes lower, or give labels more even numbers of prototypes in initMode.`,
    { option: 'kInit', labels, heads },
  );
}

/**
 * `members` [H, C, M]: for each head and label the indices of its prototypes within the head, filled up with K/H, one past the
 * last. `positions` [K]: the position of each prototype in its list. Errors: those of `mostMembers`.
 */
export function membersOf(
  owners: ArrayLike<number>,
  outputs: number,
  heads: number,
): { members: NdArray; positions: NdArray } {
  const perHead = owners.length / heads;
  const most = mostMembers(owners, outputs, heads);
  const positions = new Int32Array(owners.length);
  const filled = new Int32Array(heads * outputs);
  const members = new Int32Array(heads * outputs * most).fill(perHead);
  for (let k = 0; k < owners.length; k++) {
    const head = Math.floor(k / perHead);
    const cell = head * outputs + (owners[k] as number);
    const position = filled[cell] as number;
    positions[k] = position;
    filled[cell] = position + 1;
    members[cell * most + position] = k - head * perHead;
  }
  return {
    members: ndarray(members, [heads, outputs, most], 'int32'),
    positions: ndarray(positions, [owners.length], 'int32'),
  };
}

// The prototypes of each label as a table, so that a graph can look at a label's own ones alone.

import { type NdArray, ndarray } from '../dtype.js';

/**
 * `members` [H, C, M]: of each head the prototypes of each label, counted from the head's first one, filled up with K/H,
 * which is behind its last one; `positions` [K]: where in its row each prototype stands.
 */
export function membersOf(
  owners: ArrayLike<number>,
  outputs: number,
  heads: number,
): { members: NdArray; positions: NdArray } {
  const perHead = owners.length / heads;
  const positions = new Int32Array(owners.length);
  const counts = new Int32Array(heads * outputs);
  for (let k = 0; k < owners.length; k++) {
    const cell = Math.floor(k / perHead) * outputs + (owners[k] as number);
    positions[k] = counts[cell] as number;
    counts[cell] = (counts[cell] as number) + 1;
  }
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const members = new Int32Array(heads * outputs * most).fill(perHead);
  for (let k = 0; k < owners.length; k++) {
    const head = Math.floor(k / perHead);
    members[(head * outputs + (owners[k] as number)) * most + (positions[k] as number)] = k - head * perHead;
  }
  return {
    members: ndarray(members, [heads, outputs, most], 'int32'),
    positions: ndarray(positions, [owners.length], 'int32'),
  };
}

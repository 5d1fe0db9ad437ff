import { BATCH } from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { broadcastLayout, permutationLayout, perRows } from './layout.js';
import { reduceLayout } from './reduce.js';

describe('broadcastLayout', () => {
  it.each([
    ['equal shapes', [2, 3, 4], [2, 3, 4], [24], [24], [24]],
    ['a number', [2, 3], [], [6], [], [6]],
    ['a number on the left', [1, 1], [2, 3], [], [6], [6]],
    ['a row', [5, 3], [3], [5, 3], [3], [5, 3]],
    ['a column', [5, 3], [5, 1], [5, 3], [5, 1], [5, 3]],
    ['column by row', [5, 1], [1, 4], [5, 1], [4], [5, 4]],
    ['neighbours of one kind', [2, 3, 1, 1], [1, 1, 4, 5], [6, 1], [20], [6, 20]],
    ['axes of size 1', [2, 1, 3], [2, 1, 1], [2, 3], [2, 1], [2, 3]],
  ])('%s', (_, x, y, a, b, out) => {
    expect(broadcastLayout(x, y)).toMatchObject({ a, b, out });
  });

  it('keeps the shape of the result', () => {
    expect(broadcastLayout([2, 1, 1], [1, 1, 1, 4]).shape).toEqual([1, 2, 1, 4]);
  });
});

describe('permutationLayout', () => {
  it.each([
    ['a matrix', [2, 3], [1, 0], [2, 3], [1, 0]],
    ['axes that stay neighbours', [2, 3, 4, 5], [2, 3, 0, 1], [6, 20], [1, 0]],
    ['axes of size 1', [2, 1, 3, 1], [3, 2, 1, 0], [2, 3], [1, 0]],
    ['nothing that moves', [3, 1, 4], [1, 0, 2], [12], [0]],
    ['a rotation', [2, 3, 4], [2, 0, 1], [6, 4], [1, 0]],
    ['a reversal', [2, 3, 4], [2, 1, 0], [2, 3, 4], [2, 1, 0]],
  ])('%s', (_, x, permutation, from, merged) => {
    expect(permutationLayout(x, permutation)).toEqual({
      from,
      permutation: merged,
      shape: permutation.map((axis) => x[axis]),
    });
  });
});

describe('reduceLayout', () => {
  it('leaves trailing axes where they are', () => {
    expect(reduceLayout([2, 3, 4], [1, 2], [2])).toMatchObject({
      move: null,
      kept: 2,
      reduced: [3, 4],
      block: [2, 12, 1],
    });
  });

  it('moves leading axes to the end, and knows them as one block', () => {
    expect(reduceLayout([5, 4], [0], [4])).toMatchObject({
      move: { from: [5, 4], permutation: [1, 0] },
      kept: 4,
      reduced: [5],
      block: [1, 5, 4],
    });
  });

  it('sees no block where a kept axis lies between', () => {
    expect(reduceLayout([2, 3, 4], [0, 2], [3]).block).toBeNull();
    expect(reduceLayout([2, 1, 4, 5], [0, 2], [1, 5]).block).toEqual([1, 8, 5]);
  });
});

describe('perRows', () => {
  it('makes once a number of rows, and once at all without a batch axis', () => {
    const made: number[] = [];
    const make = (rows: number): number => made.push(rows);
    const batched = perRows([[3], [BATCH, 3]], make);
    for (const rows of [2, 2, 5, 2]) batched(rows);
    expect(made).toEqual([2, 5, 2]);
    const fixed = perRows([[3]], make);
    for (const rows of [2, 5]) expect(fixed(rows)).toBe(4);
  });
});

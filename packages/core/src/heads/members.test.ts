// The table of each label's prototypes.

import { describe, expect, it } from 'vitest';
import { membersOf } from './members.js';

describe('membersOf', () => {
  it('lists each label in the order of the prototypes, filled up behind the last', () => {
    const { members, positions } = membersOf([2, 0, 2, 2, 0], 3, 1);
    expect(members.shape).toEqual([1, 3, 3]);
    expect([...members.data]).toEqual([1, 4, 5, 5, 5, 5, 0, 2, 3]);
    expect([...positions.data]).toEqual([0, 0, 1, 2, 1]);
    expect([members.dtype, positions.dtype]).toEqual(['int32', 'int32']);
  });

  it('counts from the first prototype of each head', () => {
    const { members, positions } = membersOf([0, 1, 1, 1], 2, 2);
    expect(members.shape).toEqual([2, 2, 2]);
    expect([...members.data]).toEqual([0, 2, 1, 2, 2, 2, 0, 1]);
    expect([...positions.data]).toEqual([0, 0, 0, 1]);
  });

  it('has a place for labels without any', () => {
    const { members } = membersOf([], 2, 1);
    expect([members.shape, [...members.data]]).toEqual([
      [1, 2, 1],
      [0, 0],
    ]);
  });
});

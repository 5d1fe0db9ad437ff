// The table of each label's prototypes.

import { describe, expect, it } from 'vitest';
import { isFkmError } from '../errors.js';
import { excessOf, membersOf } from './members.js';

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

describe('the size of the table', () => {
  const owned = (...counts: readonly number[]): Int32Array =>
    Int32Array.from(counts.flatMap((count, label) => new Array<number>(count).fill(label)));

  it('is small for few labels or few prototypes, and for many of both that are spread', () => {
    expect(excessOf(owned(10_000), 400, 1)).toBeNull();
    expect(excessOf(owned(400), 10_000, 1)).toBeNull();
    expect(excessOf(owned(100, ...new Array<number>(99_999).fill(1)), 100_000, 1)).toBeNull();
  });

  it('is too large where one label has many times what others have', () => {
    const owners = owned(5000, 1);
    expect(excessOf(owners, 1000, 1)).toContain('5000 prototypes of one label, beside 1000 labels');
    let error: unknown;
    try {
      membersOf(owners, 1000, 1);
    } catch (thrown) {
      error = thrown;
    }
    expect(isFkmError(error) && error.kind === 'option' && error.message).toContain('set kInit');
  });

  it('is not counted where the labels of the heads alone are too many', () => {
    expect(excessOf(owned(2), 2 ** 20, 128)).toContain(`${2 ** 27} cells`);
  });
});

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { Random } from '../random.js';
import { bucketOf, indexClasses, Rivals, sampleClasses } from './sampling.js';

describe('classes of a step', () => {
  it('are the own ones and n distinct others, ascending', () => {
    const random = new Random(3);
    for (let turn = 0; turn < 200; turn++) {
      const own = new Set([0, 4, 5, 19].slice(0, 1 + (turn % 4)));
      const { classes, standsFor } = sampleClasses(own, 20, 7, random);
      expect(classes.length).toBe(own.size + 7);
      expect(new Set(classes).size).toBe(classes.length);
      expect([...classes]).toEqual([...classes].sort((a, b) => a - b));
      for (const c of own) expect(classes).toContain(c);
      expect(Math.min(...classes)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...classes)).toBeLessThan(20);
      expect(standsFor).toBe((20 - own.size) / 7);
    }
  });

  it('draw every absent class equally often', () => {
    const random = new Random(1);
    const counts = new Float64Array(12);
    const draws = 20_000;
    for (let turn = 0; turn < draws; turn++) {
      for (const c of sampleClasses(new Set([2, 3, 11]), 12, 4, random).classes)
        counts[c] = (counts[c] as number) + 1;
    }
    for (const [c, count] of counts.entries()) {
      const share = [2, 3, 11].includes(c) ? 1 : 4 / 9;
      // Four deviations of a binomial.
      expect(Math.abs(count / draws - share)).toBeLessThan(0.0141);
    }
  });

  it('are all where n suffices, without a draw', () => {
    const random = new Random(1);
    const before = random.save();
    const { classes, standsFor } = sampleClasses(new Set([1]), 5, 4, random);
    expect([...classes]).toEqual([0, 1, 2, 3, 4]);
    expect(standsFor).toBe(1);
    expect(random.save()).toEqual(before);
  });
});

describe('rivals', () => {
  it('are the classes that a class was last taken for, the latest of all classes first', () => {
    const rivals = new Rivals();
    for (const rival of [10, 11, 12, 13, 14, 11]) rivals.note(1, rival);
    rivals.note(2, 20);
    rivals.note(2, 1);
    const beside = (limit: number): number[] => [...rivals.beside(new Set([1, 2, 3]), limit)];
    expect(beside(0)).toEqual([1, 2, 3]);
    // 1 is there already, so that 20 comes second.
    expect(beside(3)).toEqual([1, 2, 3, 11, 14, 20]);
    expect(beside(9)).toEqual([1, 2, 3, 11, 14, 20, 13, 12]);
  });
});

describe('prototypes by class', () => {
  it('stand one behind the other', () => {
    const { starts, prototypes } = indexClasses(ndarray([2, 0, 2, 3, 0], [5], 'int32'), 5);
    expect([...starts]).toEqual([0, 2, 2, 4, 5, 5]);
    expect([...prototypes]).toEqual([1, 4, 0, 2, 3]);
  });

  it('are counted anew for more classes', () => {
    const owners = ndarray([0, 1], [2], 'int32');
    expect(indexClasses(owners, 2).starts.length).toBe(3);
    expect([...indexClasses(owners, 4).starts]).toEqual([0, 1, 2, 2, 2]);
    expect(indexClasses(owners, 4)).toBe(indexClasses(owners, 4));
  });
});

it('buckets waste an eighth at most, and end at the limit', () => {
  for (let count = 1; count < 5000; count++) {
    const bucket = bucketOf(count, 4900);
    expect(bucket).toBeGreaterThanOrEqual(Math.min(count, 4900));
    expect(bucket).toBeLessThanOrEqual(count + Math.max(0, count / 8));
  }
  expect(new Set(Array.from({ length: 1025 }, (_, i) => bucketOf(i + 1024, 1e6))).size).toBe(9);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import { drawRows, drawShare } from './split.js';

const weighted = (weights: readonly number[]): Batch => {
  const rows = weights.length;
  const column = { data: Float32Array.from(weights.keys()), rows, columns: 1 };
  return { x: column, y: column, sampleWeight: Float32Array.from(weights), mask: undefined };
};

const weights = fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 2, maxLength: 20 });

describe('rows that are drawn', () => {
  it('and the others are all rows, once, and both weigh something', () => {
    fc.assert(
      fc.property(weights, fc.nat(), fc.nat(), (weights, part, seed) => {
        const count = 1 + (part % (weights.length - 1));
        const drawn = drawRows(weighted(weights), count, new Random(seed));
        if (!drawn) return;
        const { indices, others } = drawn;
        expect(indices).toHaveLength(count);
        expect([...indices, ...others].sort((a, b) => a - b)).toEqual([...weights.keys()]);
        for (const side of [indices, others]) expect(side.some((i) => (weights[i] as number) > 0)).toBe(true);
      }),
    );
  });

  it.each([
    ['one row has all the weight', [0, 0, 3, 0, 0, 0, 0, 0], 4],
    ['there is no weight', [0, 0, 0, 0], 2],
    ['none is drawn', [1, 1, 1, 1], 0],
    ['all are drawn', [1, 1, 1, 1], 4],
  ])('are none where %s', (_, weights, count) => {
    for (let seed = 0; seed < 20; seed++)
      expect(drawRows(weighted(weights), count, new Random(seed))).toBeUndefined();
  });

  it('are a share, the least at least, and never all', () => {
    const evaluation = (n: number, fraction: number, least: number) =>
      drawShare(weighted(Array(n).fill(1)), fraction, least, new Random(0))?.indices.length;
    expect(evaluation(10, 0.3, 1)).toBe(3);
    expect(evaluation(10, 0.01, 1)).toBe(1);
    expect(evaluation(10, 1, 1)).toBe(9);
    expect(evaluation(10, 0.01, 0)).toBeUndefined();
    expect(evaluation(1, 0.5, 1)).toBeUndefined();
  });

  it('take their numbers along', () => {
    const { training, evaluation, indices, others } =
      drawShare(weighted([1, 2, 3, 4, 5]), 0.4, 1, new Random(3)) ?? expect.fail();
    for (const [side, from] of [
      [evaluation, indices],
      [training, others],
    ] as const) {
      expect([...(side.x as { data: Float32Array }).data]).toEqual([...from]);
      expect([...side.sampleWeight]).toEqual([...from].map((i) => i + 1));
    }
  });
});

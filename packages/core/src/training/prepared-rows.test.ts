import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { canPrepare, PreparedRows } from './prepared-rows.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const place = { call: 'test', argument: 'X' };
const programs = new Programs(jsBackend());

describe('PreparedRows', () => {
  it('finds the nearest prototypes and δ, far from 0 as near to it', async () => {
    const random = new Random(1);
    for (const offset of [0, 1000]) {
      const numbers = (rows: number): number[][] =>
        Array.from({ length: rows }, () => [
          offset + random.uniform(),
          offset - random.uniform(),
          random.uniform(),
        ]);
      const [X, P] = [numbers(60), numbers(7)];
      const prototypes = ndarray(P.flat(), [7, 3]);
      const rows = toRows(X, place);
      const center = [offset + 0.5, offset - 0.5, 0.5];
      const { index, cost } = await new PreparedRows(programs, rows.data, center).search(prototypes);
      for (let i = 0; i < 60; i++) {
        const distances = Array.from({ length: 7 }, (_, k) =>
          [0, 1, 2].reduce(
            (sum, j) =>
              sum + ((rows.data[3 * i + j] as number) - (prototypes.data[3 * k + j] as number)) ** 2,
            0,
          ),
        );
        expect(distances[index[i] as number]).toBeCloseTo(Math.min(...distances), 6);
        expect(cost[i]).toBeCloseTo(Math.min(...distances), 5);
      }
    }
  });

  it('takes the first of equals, and no distance below 0', async () => {
    const rows = toRows(
      [
        [1, 1],
        [3, 3],
      ],
      place,
    );
    const { index, cost } = await new PreparedRows(programs, rows.data, [2, 2]).search(
      ndarray([3, 3, 1, 1, 1, 1], [3, 2]),
    );
    expect([...index]).toEqual([1, 0]);
    expect([...cost]).toEqual([0, 0]);
  });
});

describe('canPrepare', () => {
  const spec = { distance: 'euclidean', heads: 1, masked: false } as GridSpec;
  const y = { data: new Float32Array(0), rows: 2, columns: 0 };
  const batch = { x: toRows([[1], [2]], place), y, sampleWeight: Float32Array.of(1, 1) };

  it('is true where every column counts alike, by squares', () => {
    expect(canPrepare(spec, {}, batch)).toBe(true);
    expect(canPrepare({ ...spec, distance: 'cosine' }, {}, batch)).toBe(false);
    expect(canPrepare({ ...spec, masked: true }, {}, batch)).toBe(false);
    expect(canPrepare(spec, { featureWeights: ndarray([0.5], [1, 1]) }, batch)).toBe(false);
    const wide = { data: new Float32Array(0), rows: 2 ** 20, columns: 2 ** 10 };
    expect(canPrepare(spec, {}, { ...batch, x: wide })).toBe(false);
  });
});

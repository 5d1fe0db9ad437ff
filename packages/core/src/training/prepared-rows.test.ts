import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { addRows } from './host-sums.js';
import { inertiaOf } from './inertia.js';
import { canPrepare, PreparedRows } from './prepared-rows.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const place = { call: 'test', argument: 'X' };
const programs = new Programs(jsBackend());

describe('PreparedRows', () => {
  it('finds the nearest prototypes and what all rows cost, far from 0 as near to it', async () => {
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
      const batch = {
        x: toRows(X, place),
        y: { data: new Float32Array(0), rows: 60, columns: 0 },
        sampleWeight: Float32Array.from(X, () => random.below(3)),
      };
      const center = [offset + 0.5, offset - 0.5, 0.5];
      const prepared = new PreparedRows(programs, batch.x.data, batch.sampleWeight, center);
      const index = await prepared.search(prototypes);
      for (let i = 0; i < 60; i++) {
        const distances = Array.from({ length: 7 }, (_, k) =>
          [0, 1, 2].reduce(
            (sum, j) =>
              sum + ((batch.x.data[3 * i + j] as number) - (prototypes.data[3 * k + j] as number)) ** 2,
            0,
          ),
        );
        expect(distances[index[i] as number]).toBeCloseTo(Math.min(...distances), 6);
      }
      const sums = addRows({ heads: 1, prototypes: 7, columns: 3 }, batch, index);
      const direct = inertiaOf('euclidean', { prototypes }, batch, index);
      expect(prepared.cost(prototypes, sums) / direct).toBeCloseTo(1, 9);
    }
  });

  it('takes the first of equals, and costs nothing where rows lie on prototypes', async () => {
    const x = toRows(
      [
        [1, 1],
        [3, 3],
      ],
      place,
    );
    const sampleWeight = Float32Array.of(1, 1);
    const prepared = new PreparedRows(programs, x.data, sampleWeight, [2, 2]);
    const prototypes = ndarray([3, 3, 1, 1, 1, 1], [3, 2]);
    const index = await prepared.search(prototypes);
    expect([...index]).toEqual([1, 0]);
    const y = { data: new Float32Array(0), rows: 2, columns: 0 };
    const sums = addRows({ heads: 1, prototypes: 3, columns: 2 }, { x, y, sampleWeight }, index);
    expect(prepared.cost(prototypes, sums)).toBe(0);
  });

  it('costs Infinity where distances overflow float32', () => {
    const sums = { weights: Float64Array.of(2), sums: Float64Array.of(0) };
    const costOf = (value: number): number =>
      new PreparedRows(programs, Float32Array.of(value, -value), [1, 1], [0]).cost(
        ndarray([0], [1, 1]),
        sums,
      );
    expect(costOf(1e18) / 2e36).toBeCloseTo(1, 5);
    expect(costOf(1e19)).toBe(Number.POSITIVE_INFINITY);
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

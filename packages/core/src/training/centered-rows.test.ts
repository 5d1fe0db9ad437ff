import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { CenteredRows, canCenter } from './centered-rows.js';
import { addRows } from './host-sums.js';
import { inertiaOf } from './inertia.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const place = { call: 'test', argument: 'X' };
const js = jsBackend();
const programs = new Programs(js);
/** On a backend that takes one number a row by a kernel of its own. */
const asking = new Programs({ ...js, flags: { ...js.flags, fused: ['takeAlong'] } });

describe('CenteredRows', () => {
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
      const centered = new CenteredRows(programs, batch.x, batch.sampleWeight, center);
      const { index } = await centered.assign(prototypes);
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
      expect(centered.cost(prototypes, sums) / direct).toBeCloseTo(1, 9);
      expect((centered.inertia(prototypes, sums) as number) / direct).toBeCloseTo(1, 9);
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
    const centered = new CenteredRows(programs, x, sampleWeight, [2, 2]);
    const prototypes = ndarray([3, 3, 1, 1, 1, 1], [3, 2]);
    const { index } = await centered.assign(prototypes);
    expect([...index]).toEqual([1, 0]);
    const y = { data: new Float32Array(0), rows: 2, columns: 0 };
    const sums = addRows({ heads: 1, prototypes: 3, columns: 2 }, { x, y, sampleWeight }, index);
    expect(centered.cost(prototypes, sums)).toBe(0);
    expect(centered.inertia(prototypes, sums)).toBeUndefined();
  });

  it.each([
    ['few', 0.01],
    ['many', 2],
  ])(
    'of rows that were found before, of which %s move, finds what a search of all does',
    async (_, drift) => {
      const random = new Random(2);
      const numbers = (rows: number): number[][] =>
        Array.from({ length: rows }, () => [random.uniform(), random.uniform()]);
      // Several blocks, the last of which is not full.
      const x = toRows(numbers(20_000), place);
      const before = ndarray(numbers(30).flat(), [30, 2]);
      const after = ndarray(
        before.data.map((value) => value + drift * (random.uniform() - 0.5)),
        [30, 2],
      );
      const batch = {
        x,
        y: { data: new Float32Array(0), rows: 20_000, columns: 0 },
        sampleWeight: Float32Array.from({ length: 20_000 }, (_, i) => i % 3),
      };
      const centered = new CenteredRows(asking, x, batch.sampleWeight, [0.5, 0.5]);
      const whole = new CenteredRows(programs, x, batch.sampleWeight, [0.5, 0.5]);
      const first = (await centered.assign(before)).index;
      // Twice, for the blocks of a pass are searched as those before it moved.
      for (const prototypes of [after, before, after]) {
        const { index, sums } = await centered.assign(prototypes);
        expect(index).toEqual((await whole.assign(prototypes)).index);
        const anew = addRows({ heads: 1, prototypes: 30, columns: 2 }, batch, index);
        sums.sums.forEach((sum, i) => {
          expect(sum).toBeCloseTo(anew.sums[i] as number, 9);
        });
        expect([...sums.weights]).toEqual([...anew.weights]);
      }
      const { index } = await centered.assign(after);
      const moved = index.filter((k, i) => k !== first[i]).length / 20_000;
      expect(moved > 0.2).toBe(drift > 1);
      expect(moved).toBeGreaterThan(0);
    },
  );

  it('leaves a row where another prototype is only as near, and starts anew among others', async () => {
    const x = toRows([[0], [1], [0], [5]], place);
    const centered = new CenteredRows(asking, x, Float32Array.of(1, 1, 1, 1), [0]);
    const indices = async (...prototypes: number[]): Promise<number[]> => [
      ...(await centered.assign(ndarray(prototypes, [prototypes.length, 1]))).index,
    ];
    // Once known, and once more so that few are expected to move.
    for (let pass = 0; pass < 2; pass++) expect(await indices(5, 0, 1)).toEqual([1, 2, 1, 0]);
    expect(await indices(0, 0, 1)).toEqual([1, 2, 1, 2]);
    expect(await indices(0, 0)).toEqual([0, 0, 0, 0]);
  });

  it('costs Infinity where distances overflow float32', () => {
    const sums = { weights: Float64Array.of(2), sums: Float64Array.of(0) };
    const costOf = (value: number): number =>
      new CenteredRows(programs, toRows([[value], [-value]], place), Float32Array.of(1, 1), [0]).cost(
        ndarray([0], [1, 1]),
        sums,
      );
    expect(costOf(1e18) / 2e36).toBeCloseTo(1, 5);
    expect(costOf(1e19)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('canCenter', () => {
  const spec = { distance: 'euclidean', heads: 1, masked: false } as GridSpec;
  const y = { data: new Float32Array(0), rows: 2, columns: 0 };
  const batch = { x: toRows([[1], [2]], place), y, sampleWeight: Float32Array.of(1, 1) };

  it('is true where every column counts alike, by squares', () => {
    expect(canCenter(js, spec, {}, batch)).toBe(true);
    expect(canCenter(js, { ...spec, distance: 'cosine' }, {}, batch)).toBe(false);
    expect(canCenter(js, { ...spec, masked: true }, {}, batch)).toBe(false);
    expect(canCenter(js, spec, { featureWeights: ndarray([0.5], [1, 1]) }, batch)).toBe(false);
    const searches = { flags: { ...js.flags, fused: ['nearest.euclidean'] } };
    expect(canCenter(searches, spec, {}, batch)).toBe(false);
  });
});

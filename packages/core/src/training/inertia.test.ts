import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { ndarray } from '../dtype.js';
import { type Distance, distanceNames } from '../formulas/distances.js';
import { clustererHead } from '../heads/clusterer.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { inertiaOf, squaredDistances } from './inertia.js';
import { assignRows } from './phase1.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const place = { call: 'test', argument: 'X' };
const programs = new Programs(jsBackend());

describe('inertiaOf', () => {
  it.each(distanceNames)(
    '%s: adds up what the graph finds, masked and weighted',
    async (distance: Distance) => {
      const random = new Random(5);
      const [n, columns, prototypes] = [40, 5, 4];
      const numbers = (rows: number): number[][] =>
        Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.uniform() - 0.3));
      const x = toRows(numbers(n), place);
      const masks = {
        none: undefined,
        single: toRows([[1, 0, 0.5, 1, 2]], place),
        each: toRows(
          numbers(n).map((row) => row.map((v, j) => (j === 0 ? 1 : v))),
          place,
        ),
      };
      for (const [name, mask] of Object.entries(masks)) {
        for (const weighted of [false, true]) {
          const batch = {
            x:
              name === 'each' && mask
                ? { ...x, data: x.data.map((v, i) => ((mask.data[i] as number) > 0 ? v : Number.NaN)) }
                : x,
            y: { data: new Float32Array(0), rows: n, columns: 0 },
            sampleWeight: Float32Array.from({ length: n }, (_, i) => i % 3),
            mask,
          };
          const arrays = {
            prototypes: ndarray(numbers(prototypes).flat(), [prototypes, columns]),
            ...(weighted ? { featureWeights: ndarray([1, 0.2, 0, 0.7, 0.4], [1, columns]) } : {}),
          };
          const spec = {
            head: clustererHead,
            distance,
            heads: 1,
            columns,
            prototypes,
            outputs: 0,
            yColumns: 0,
            masked: mask !== undefined,
            candidates: 'all',
            joint: false,
            repels: false,
          } as unknown as GridSpec;
          const { index, spread } = await assignRows(programs, spec, arrays, batch, 'mean');
          const inertia = inertiaOf(distance, arrays, batch, index);
          expect(Math.abs(inertia / (spread[0] as number) - 1), `${name} ${weighted}`).toBeLessThan(1e-5);
        }
      }
    },
  );

  it('keeps the digits that an expansion in float32 loses', () => {
    const x = toRows([[10000.5], [10001.5]], place);
    const batch = {
      x,
      y: { data: new Float32Array(0), rows: 2, columns: 0 },
      sampleWeight: Float32Array.of(1, 1),
    };
    expect(inertiaOf('euclidean', { prototypes: ndarray([10001], [1, 1]) }, batch, [0, 0])).toBe(0.5);
  });
});

describe('squaredDistances', () => {
  it('is of every row to its own prototype, for any number of columns', () => {
    const prototypes = ndarray([0, 1, 2, 5, 5, 5], [2, 3]);
    expect([...squaredDistances(Float32Array.of(1, 1, 1, 4, 5, 7), prototypes, [0, 1])]).toEqual([2, 5]);
  });
});

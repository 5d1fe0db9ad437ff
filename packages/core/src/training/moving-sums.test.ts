import { describe, expect, it } from 'vitest';
import { toRows } from '../data/matrix.js';
import { Random } from '../random.js';
import { addRows } from './host-sums.js';
import { MovingSums } from './moving-sums.js';

const place = { call: 'test', argument: 'X' };

describe('MovingSums', () => {
  it.each([1, 4, 7])(
    'of %i columns are what adding all rows anew gives, and exactly nothing where all left',
    (columns) => {
      const random = new Random(3);
      const rows = toRows(
        Array.from({ length: 50 }, () => Array.from({ length: columns }, () => random.uniform())),
        place,
      );
      // A row without weight counts nowhere.
      const weights = Float32Array.from({ length: 50 }, (_, i) => (i === 7 ? 0 : 0.1 + random.uniform()));
      const batch = {
        x: rows,
        y: { data: new Float32Array(0), rows: 50, columns: 0 },
        sampleWeight: weights,
      };
      const spec = { heads: 1, prototypes: 4, columns };
      const moving = new MovingSums(4, columns);
      let own = new Int32Array(50).fill(-1);
      for (let pass = 0; pass < 20; pass++) {
        // The last one is left by all in the end, but for the row that does not count.
        const next = own.map((k, i) =>
          i === 7
            ? 3
            : random.uniform() < 0.3 || k < 0 || (pass === 19 && k === 3)
              ? random.below(3 + (pass === 0 ? 1 : 0))
              : k,
        );
        const changed = next.filter((k, i) => k !== own[i]).length;
        expect(moving.move({ rows, weights, own }, next)).toBe(changed);
        own = next;
        const anew = addRows(spec, batch, own);
        const { sums, weights: totals } = moving.read();
        sums.forEach((sum, i) => {
          expect(sum).toBeCloseTo(anew.sums[i] as number, 12);
        });
        totals.forEach((total, k) => {
          expect(total).toBeCloseTo(anew.weights[k] as number, 12);
        });
      }
      const { sums, weights: totals } = moving.read();
      expect(totals[3]).toBe(0);
      expect([...sums.subarray(3 * columns)]).toEqual(new Array(columns).fill(0));
    },
  );
});

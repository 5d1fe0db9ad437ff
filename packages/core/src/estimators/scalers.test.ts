// The public scalers: weights are rows, options that are none are refused, results turn into arrays, and a scaler prints as a line.

import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResultArray } from '../result.js';
import { QuantileScaler, StandardScaler } from './scalers.js';

const scalers = { StandardScaler, QuantileScaler } as const;
const rows = fc.array(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 2 }), {
  minLength: 4,
  maxLength: 12,
});
const counts = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 12, maxLength: 12 });

describe.each(Object.entries(scalers))('%s', (name, Scaler) => {
  it('takes a row of weight w for w rows, and a weight of 0 for none', () => {
    fc.assert(
      fc.property(rows, counts, (X, times) => {
        const sampleWeight = X.map((_, i) => times[i] as number);
        const repeated = X.flatMap((row, i) => Array.from({ length: sampleWeight[i] as number }, () => row));
        fc.pre(repeated.length > 0);
        const [weighted, plain] = [new Scaler().fit(X, { sampleWeight }), new Scaler().fit(repeated)];
        expect(weighted.keptColumns).toEqual(plain.keptColumns);
        const [got, want] = [weighted.transform(X).data, plain.transform(X).data];
        // Sums of the same numbers in another order.
        got.forEach((value, i) => {
          expect(Math.abs(value - (want[i] as number))).toBeLessThan(1e-4);
        });
      }),
    );
  });

  it('refuses options that it does not have', () => {
    const unknown = { sampleWeights: [1, 1] } as object;
    expect(() => new Scaler().fit([[0], [1]], unknown)).toThrow(`${name}.fit`);
    const scaler = new Scaler().fit([[0], [1]]);
    expect(() => scaler.transform([[0]], { sampleWeight: [1] } as object)).toThrow(`${name}.transform`);
  });

  it('gives rows that turn into arrays and JSON', () => {
    const scaled = new Scaler().fitTransform([
      [0, 1],
      [1, 3],
    ]);
    expect(scaled).toBeInstanceOf(ResultArray);
    const [a, b, c, d] = scaled.data;
    expect(scaled.toArray()).toEqual([
      [a, b],
      [c, d],
    ]);
    expect(JSON.parse(JSON.stringify(scaled))).toEqual(scaled.toArray());
  });

  it('prints as one line', () => {
    const scaler = new Scaler();
    expect(inspect(scaler)).toBe(`${name}(not fitted)`);
    scaler.fit([
      [0, 1, 5],
      [1, 3, 5],
    ]);
    expect(inspect(scaler)).toBe(`${name}(2 of 3 columns vary)`);
  });
});

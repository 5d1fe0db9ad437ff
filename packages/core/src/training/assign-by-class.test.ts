import { expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { classifierHeads } from '../heads/classifier.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { DenseBatch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { assignByClass, assignsByClass } from './assign-by-class.js';
import { assignRows } from './phase1.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const [rows, columns, classes, prototypes] = [600, 3, 400, 1200];
const random = new Random(2);
const uniform = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.uniform());

const arrays: Record<string, NdArray> = {
  prototypes: ndarray(uniform(prototypes * columns), [prototypes, columns]),
  // Drawn: one class in twenty owns nothing.
  owners: ndarray(
    Array.from({ length: prototypes }, () => random.below(classes)),
    [prototypes],
    'int32',
  ),
  featureWeights: ndarray([1, 0.5, 2], [1, columns]),
};
const spec = {
  head: classifierHeads.head({} as Resolved, false),
  distance: 'euclidean',
  routing: { softType: 'gaussian', temperature: 1, topK: -1 },
  heads: 1,
  columns,
  prototypes,
  outputs: classes,
  yColumns: 1,
  masked: false,
  candidates: 'class',
  joint: false,
  repels: false,
} as unknown as GridSpec;
const batch: DenseBatch = {
  x: { data: uniform(rows * columns), rows, columns },
  y: { data: Float32Array.from({ length: rows }, () => random.below(classes)), rows, columns: 1 },
  sampleWeight: Float32Array.from({ length: rows }, (_, i) => i % 3),
};
const mask = { data: uniform(rows * columns).map((v) => (v < 0.2 ? 0 : 1)), rows, columns };

const expectClose = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  // float32 sums in another order
  for (let i = 0; i < a.length; i++) {
    const [got, expected] = [a[i] as number, b[i] as number];
    expect(Math.abs(got - expected)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected)));
  }
};

it.each([
  [false, undefined],
  [true, mask],
])('chooses and adds up as beside the whole grid, masked %s', async (masked, feature) => {
  const programs = new Programs(jsBackend());
  const both = { ...spec, masked };
  const given = feature ? { ...batch, mask: feature } : batch;
  const [all, own] = await Promise.all(
    [assignRows, assignByClass].map((assign) => assign(programs, both, arrays, given, 'mean')),
  );
  if (!all || !own) throw new Error('two assignments');
  const owned = new Set(arrays.owners?.data);
  const counts = (i: number): boolean => owned.has(batch.y.data[i] as number);
  expect(own.index.filter((_, i) => counts(i))).toEqual(all.index.filter((_, i) => counts(i)));
  expectClose(own.sums.weights, all.sums.weights);
  expectClose(own.sums.sums, all.sums.sums);
  expectClose(own.spread, all.spread);
  expectClose(
    own.cost.filter((_, i) => counts(i)),
    all.cost.filter((_, i) => counts(i)),
  );
  expect(own.sums.coordinateWeights === undefined).toBe(!masked);
  if (masked) {
    expectClose(own.sums.coordinateWeights as Float64Array, all.sums.coordinateWeights as Float64Array);
  }
});

it('serves where nothing is asked of other classes', () => {
  expect(assignsByClass(spec)).toBe(true);
  const vectors = classifierHeads.head({} as Resolved, true);
  for (const other of [
    { prototypes: 400 },
    { repels: true },
    { heads: 2 },
    { head: vectors },
    { joint: true },
  ]) {
    expect(assignsByClass({ ...spec, ...other })).toBe(false);
  }
});

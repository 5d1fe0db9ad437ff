// A batch with few of many classes, searched in the columns that occur in it and in all columns.

import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { type Distance, distanceNames } from '../formulas/distances.js';
import { classifierHeads } from '../heads/classifier.js';
import type { Head } from '../heads/head.js';
import { multiLabelHeads } from '../heads/multi-label.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { batchColumns } from './batch-columns.js';
import { assignRows } from './phase1.js';
import { Programs } from './program.js';
import type { GridSpec } from './spec.js';

const [rows, columns, heads, perHead, outputs] = [30, 4, 2, 20, 40];
const prototypes = heads * perHead;
const options = { softType: 'gaussian', aslGammaNeg: 2, aslGammaPos: 0, aslClip: 0.05 } as Resolved;
const kinds: Readonly<Record<'class' | 'labels', Head>> = {
  class: classifierHeads.head(options, true),
  labels: multiLabelHeads.head(options, true),
};
const random = new Random(5);
const uniform = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.uniform());

/** A joint grid with shares of all columns, and rows with the columns 3, 7 and 21 alone. */
function problem(candidates: 'class' | 'labels', distance: Distance, masked: boolean, repels: boolean) {
  const spec = {
    head: kinds[candidates],
    distance,
    routing: { softType: 'gaussian', temperature: 1, topK: -1 },
    ...{ heads, columns, prototypes, outputs, yColumns: candidates === 'class' ? 1 : outputs },
    ...{ candidates, masked, repels, joint: true, linear: false, frozen: false },
  } as unknown as GridSpec;
  const means = Array.from({ length: prototypes }, () => {
    const shares = uniform(outputs).map((v) => v ** 8);
    const total = shares.reduce((a, b) => a + b, 0);
    return candidates === 'class' ? shares.map((share) => share / total) : shares;
  });
  const arrays: Record<string, NdArray> = {
    prototypes: ndarray(uniform(prototypes * columns), [prototypes, columns]),
    featureWeights: ndarray(uniform(heads * columns), [heads, columns]),
    owners: ndarray(
      means.map((own) => own.indexOf(Math.max(...own))),
      [prototypes],
      'int32',
    ),
  };
  const drawn = Array.from({ length: rows }, () => [3, 7, 21][random.below(3)] as number);
  const labels = new Float32Array(rows * outputs);
  drawn.forEach((c, row) => {
    labels[row * outputs + c] = 1;
    if (row % 4 === 0) labels[row * outputs + 7] = 1;
  });
  const batch: Batch = {
    x: { data: Float32Array.from(uniform(rows * columns)), rows, columns },
    y:
      candidates === 'class'
        ? { data: Float32Array.from(drawn), rows, columns: 1 }
        : { data: labels, rows, columns: outputs },
    sampleWeight: Float32Array.from({ length: rows }, (_, i) => i % 3),
    ...(masked
      ? { mask: { data: Float32Array.from(uniform(rows * columns), Math.round), rows, columns } }
      : {}),
  };
  return { spec, means, arrays, batch };
}

const meansOf = (means: readonly Float64Array[]): NdArray =>
  ndarray(
    means.flatMap((own) => [...own]),
    [means.length, means[0]?.length as number],
  );

const cases = (['class', 'labels'] as const).flatMap((candidates) =>
  distanceNames.flatMap((distance) =>
    [false, true].flatMap((masked) =>
      [false, true].map((repels) => [candidates, distance, masked, repels] as const),
    ),
  ),
);

describe('the columns of a batch', () => {
  it.each(cases)(
    'give the choices, costs and means of all columns: %s, %s, masked %s, repels %s',
    async (...of) => {
      const { spec, means, arrays, batch } = problem(...of);
      const programs = new Programs(jsBackend({ precision: 'float64' }));
      const some = batchColumns(spec, arrays, batch.y, 0);
      if (!some) throw new Error('three of forty columns');
      expect(some.spec.outputs).toBe(4);
      const all = await assignRows(programs, spec, { ...arrays, means: meansOf(means) }, batch, 'mean');
      const few = await assignRows(
        programs,
        some.spec,
        {
          ...arrays,
          owners: some.owners as NdArray,
          means: meansOf(means.map((own) => some.narrow(own).slice())),
        },
        { ...batch, y: some.y },
        'mean',
      );
      // Means are rounded to float32 at the door of the graph.
      const expectClose = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined): void => {
        expect(a?.length).toBe(b?.length);
        for (let i = 0; i < (b?.length ?? 0); i++) {
          if (Number.isNaN(b?.[i])) expect(a?.[i]).toBeNaN();
          else expect(a?.[i]).toBeCloseTo(b?.[i] as number, 5);
        }
      };
      expect(few.index).toEqual(all.index);
      expectClose(few.spread, all.spread);
      expectClose(
        few.cost.map((cost) => cost * some.costScale),
        all.cost,
      );
      expectClose(few.sums.weights, all.sums.weights);
      expectClose(few.sums.sums, all.sums.sums);
      expectClose(few.sums.push?.weights, all.sums.push?.weights);
      expectClose(few.sums.push?.sums, all.sums.push?.sums);
      for (let k = 0; k < prototypes; k++)
        expectClose(some.widen(few.targetMean?.(k) as Float64Array), all.targetMean?.(k));
    },
  );

  it('are all of them beside few cells, where a batch has half of them, and where there is no class', () => {
    const { spec, arrays, batch } = problem('class', 'euclidean', false, false);
    expect(batchColumns(spec, arrays, batch.y)).toBeNull();
    const half = { data: Float32Array.from({ length: 20 }, (_, i) => i), rows: 20, columns: 1 };
    expect(batchColumns(spec, arrays, half, 0)).toBeNull();
    expect(batchColumns({ ...spec, candidates: 'all' }, arrays, batch.y, 0)).toBeNull();
    expect(batchColumns({ ...spec, joint: false }, arrays, batch.y, 0)).toBeNull();
  });

  it('have few widths, so that other classes run the same graph', () => {
    const { spec, arrays } = problem('class', 'euclidean', false, false);
    const wide = { ...spec, outputs: 1000 };
    const widths = Array.from({ length: 400 }, (_, n) => {
      const y = { data: Float32Array.from({ length: n + 1 }, (_, i) => i), rows: n + 1, columns: 1 };
      return batchColumns(wide, arrays, y, 0)?.spec.outputs;
    });
    expect(new Set(widths).size).toBeLessThan(64);
  });
});

// What a clusterer tells of its rows is in their units: inside, rows far from 1 are brought to a common power of two.

import { describe, expect, it } from 'vitest';
import { sourceOf } from '../streams/testing.js';
import type { Progress } from '../training/progress.js';
import { FastKMeansClusterer } from './clusterer.js';
import { backend } from './testing.js';

/** Four groups, and prototypes that are off their means. */
const rows = Array.from({ length: 80 }, (_, i) => [
  5 * (i % 2) + Math.sin(i) + 0.3,
  5 * (Math.floor(i / 2) % 2) + Math.cos(3 * i),
]);
const start = [
  [0, 1],
  [6, 0],
  [1, 4],
  [4, 6],
];

const times = (matrix: readonly (readonly number[])[], factor: number): number[][] =>
  matrix.map((row) => row.map((x) => factor * x));

/** Lengths, which a factor multiplies, and δ, of which euclidean's are squares. */
interface Told {
  readonly lengths: readonly number[];
  readonly deltas: readonly number[];
}

const ofHistory = (history: readonly Progress[]): Told => {
  const present = (...values: (number | undefined)[]): number[] => values.filter((v) => v !== undefined);
  return {
    lengths: history.flatMap(({ shift }) => present(shift)),
    deltas: history.flatMap(({ loss, evalLoss }) => present(loss, evalLoss)),
  };
};

type Call = (model: FastKMeansClusterer, X: number[][]) => Promise<Told>;

/** `fit` of arrays or of a source, as its progress tells; the inertia is told before, in the units of the rows. */
const fitted =
  (source: boolean): Call =>
  async (model, X) => {
    const history: Progress[] = [];
    const run = {
      tol: 0,
      maxIters: 2,
      evalSet: { X, y: undefined },
      onProgress: (p: Progress) => void history.push(p),
    };
    if (source) await model.fit(sourceOf(X, undefined, 20), run);
    else await model.fit(X, run);
    return ofHistory(history);
  };

// Rates that move nothing: how far a step goes is a matter of the space of the prototypes.
const still = 1e-9;
const calls: Readonly<Record<string, Call>> = {
  fit: fitted(false),
  'fit of a source': fitted(true),
  fitBatch: async (model, X) => ({ lengths: [await model.fitBatch(X)], deltas: [] }),
  'fitBatch with gradientStep': async (model, X) => ({
    lengths: [],
    deltas: [await model.fitBatch(X, { gradientStep: true })],
  }),
  finetune: async (model, X) =>
    ofHistory(await model.finetune(X, { epochs: 2, lr: still, evalSet: { X, y: undefined } })),
  findLearningRate: async (model, X) => {
    const { curve } = await model.findLearningRate(X);
    return { lengths: [], deltas: curve.slice(0, 1).map(({ loss }) => loss) };
  },
  'inertia and score': async (model, X) => {
    await model.fit(X, { tol: 0, maxIters: 2 });
    return { lengths: [], deltas: [model.inertia, await model.score(X)] };
  },
};

describe.each([
  ['euclidean', 'ema', 2],
  ['euclidean', 'lloyd', 2],
  ['l1', 'ema', 1],
] as const)('%s by %s', (distance, algorithm, degree) => {
  const modelOf = (factor: number): FastKMeansClusterer =>
    new FastKMeansClusterer({
      backend,
      distance,
      algorithm,
      initMode: { prototypes: times(start, factor) },
    });

  it.each(Object.keys(calls))('%s tells shifts and losses in the units of the rows', async (name) => {
    const call = calls[name] as Call;
    const told = (factor: number): Promise<Told> => call(modelOf(factor), times(rows, factor));
    const want = await told(1);
    expect(want.lengths.length + want.deltas.length).toBeGreaterThan(0);
    for (const factor of [1e-20, 1e15]) {
      const got = await told(factor);
      for (const [part, scale] of [
        ['lengths', factor],
        ['deltas', factor ** degree],
      ] as const) {
        expect(got[part].length).toBe(want[part].length);
        // Coordinates near 5 are rounded by 5e-7 in float32, another way for every factor; δ by as much of their size.
        got[part].forEach((value, i) => {
          const own = want[part][i] as number;
          expect(Math.abs(value / scale - own)).toBeLessThan(1e-5 * Math.max(1, Math.abs(own)));
        });
      }
    }
  });

  it(`tol is ${algorithm === 'ema' ? 'a length in the units of the rows' : 'a part of their variance'}`, async () => {
    const passes = async (factor: number, tol: number): Promise<number> => {
      const unit = algorithm === 'ema' ? factor : 1;
      return (await modelOf(factor).fit(times(rows, factor), { tol: unit * tol, maxIters: 3 })).nIter;
    };
    const atDefault = async (factor: number): Promise<number> =>
      (await modelOf(factor).fit(times(rows, factor), { maxIters: 3 })).nIter;
    // The first pass moves some prototype by about 1, none by 10.
    for (const factor of [1, 1e-20, 1e15]) {
      expect(await passes(factor, 10)).toBe(1);
      expect(await passes(factor, 0.01)).toBeGreaterThan(1);
      expect(await atDefault(factor)).toBeGreaterThan(1);
    }
  });
});

// Hard negatives that an index finds: who is near to the rows of a batch, where they are by then.

import { describe, expect, it, vi } from 'vitest';
import { ndarray } from '../dtype.js';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { backend } from '../estimators/testing.js';
import { classifierHeads } from '../heads/classifier.js';
import { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import type { ClassifierOptions, Resolved } from '../state/options.js';
import type { Context } from '../training/context.js';
import { Rivals } from '../training/sampling.js';
import type { GridSpec } from '../training/spec.js';
import { exactIndex } from './exact-index.js';
import { HardNegatives } from './hard-negatives.js';
import { IndexKeeper } from './keeper.js';

// 200 classes on a ring, two prototypes each: neighbours are taken for each other.
const classes = 200;
const at = (c: number): number[] => [
  Math.cos((2 * Math.PI * c) / classes),
  Math.sin((2 * Math.PI * c) / classes),
];
const prototypes = Array.from({ length: 2 * classes }, (_, k) => at((k >> 1) + 0.2 * (k & 1)));
const owners = prototypes.map((_, k) => k >> 1);
const random = new Random(4);
const y = Array.from({ length: 800 }, () => random.below(classes));
const X = y.map((c) => at(c).map((v) => v + 0.03 * (random.uniform() - 0.5)));

const classifier = (options: Partial<ClassifierOptions>): FastKMeansClassifier =>
  new FastKMeansClassifier({
    backend,
    initMode: { prototypes, owners },
    negativeSampling: 8,
    batchSize: 32,
    ...options,
  });

describe('finetune with an index', () => {
  it('looks at the neighbours of rows from the first step on', async () => {
    const apart = (a: number, b: number): number =>
      Math.min((a - b + classes) % classes, (b - a + classes) % classes);
    const { index, calls } = exactIndex();
    const noted: number[] = [];
    const note = vi.spyOn(Rivals.prototype, 'note').mockImplementation((of, rival) => {
      noted.push(apart(of, rival));
    });
    await classifier({ index, useIndex: true }).finetune(X.slice(0, 32), y.slice(0, 32), {
      epochs: 1,
      evalFraction: 0,
    });
    note.mockRestore();
    // Four neighbours a row, and whom the step itself took each row for.
    expect(noted.length).toBe(5 * 32);
    expect(Math.max(...noted.slice(0, 4 * 32))).toBeLessThanOrEqual(3);
    expect(calls[0]).toBe('build 400');
    expect(calls).toContain('search 32');
    expect(calls.filter((call) => call.startsWith('update')).length).toBe(1);
    expect(calls.at(-1)).toBe('dispose');
  });

  it('ends lower than with those that it remembers alone', async () => {
    const lossAfter = async (options: Partial<ClassifierOptions>): Promise<number> => {
      const model = classifier(options);
      const history = await model.finetune(X, y, { epochs: 2, evalFraction: 0.2 });
      return history.at(-1)?.evalLoss as number;
    };
    const { index } = exactIndex();
    expect(await lossAfter({ index, useIndex: true })).toBeLessThan(await lossAfter({}));
  });

  it('builds none for a grid below the crossover, one step, or a search for a rate', async () => {
    const { index, calls } = exactIndex();
    await classifier({ index }).finetune(X, y, { epochs: 1 });
    const sure = classifier({ index, useIndex: true });
    await sure.fitBatch(X.slice(0, 64), y.slice(0, 64), { gradientStep: true });
    await sure.findLearningRate(X.slice(0, 64), y.slice(0, 64));
    expect(calls).toEqual([]);
  });
});

describe('HardNegatives', () => {
  const head = classifierHeads.head({} as Resolved, false);
  const spec = { head, distance: 'euclidean', heads: 1, prototypes: 40, columns: 2 } as GridSpec;
  const line = Array.from({ length: 40 }, (_, k) => [k, 0]);
  const arrays = {
    prototypes: ndarray(line.flat(), [40, 2]),
    owners: ndarray(
      line.map((_, k) => k),
      [40],
      'int32',
    ),
    featureWeights: ndarray([0.25, 1], [1, 2]),
  };
  const { index } = exactIndex();
  const context = {
    options: { index, useIndex: true },
    search: new IndexKeeper(index, 'euclidean'),
  } as unknown as Context;
  const batch = (x: number, c: number): Batch => ({
    x: { data: Float32Array.of(x, 0), rows: 1, columns: 2 },
    y: { data: Float32Array.of(c), rows: 1, columns: 1 },
    sampleWeight: Float32Array.of(1),
  });
  const rivalsOf = async (near: HardNegatives, x: number, c: number): Promise<number[]> => {
    const rivals = new Rivals();
    await near.note(batch(x, c), rivals);
    return [...rivals.beside(new Set([c]), 4)].slice(1);
  };

  it('follows the prototypes that steps move', async () => {
    const near = (await HardNegatives.create(context, spec, arrays)) as HardNegatives;
    // The nearest first, and never the own class.
    expect(await rivalsOf(near, 10.1, 10)).toEqual([11, 9, 12, 8]);
    await near.follow(Int32Array.of(30, 11), Float32Array.of(10.2, 0, 60, 0, 99, 99));
    expect(await rivalsOf(near, 10.1, 10)).toEqual([30, 9, 12, 8]);
  });
});

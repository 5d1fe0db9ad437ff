// What every estimator has to survive and to keep: checkpoints, damaged bytes, long calls that report and stop, calls at once.

import { describe, expect, it } from 'vitest';
import { isFkmError } from '../errors.js';
import { Random } from '../random.js';
import type { Progress } from '../training/progress.js';
import {
  answers,
  estimators,
  expectError,
  givenOf,
  type Model,
  rows,
  smallOf,
  tasks,
  withoutDigests,
} from './testing.js';

const { X } = rows(120);
const flat = X.map((x) => x.slice(0, 2));

const long: Readonly<Record<string, (m: Model, y: unknown, options: object) => Promise<unknown>>> = {
  fit: (m, y, options) => m.fit(X, y, { maxIters: 4, tol: 0, ...options }),
  finetune: (m, y, options) => m.finetune(X, y, { epochs: 4, ...options }),
  findLearningRate: (m, y, options) => m.findLearningRate(X, y, options),
};

describe.each(tasks)('%s', (task) => {
  const { load, targets } = estimators[task];
  const y = targets(X);
  const half = (begin: number): [unknown, unknown] => [
    X.slice(begin, begin + 60),
    y && (y as unknown[]).slice(begin, begin + 60),
  ];
  /** One with every array that there is: moments, coordinate ages, variances, scaler where there is one. */
  const full = async (): Promise<Model> => {
    const model = smallOf(task, { autoFeatureWeights: true });
    await model.fitBatch(X, y, { featureMask: [1, 1, 1] });
    await model.fitBatch(X, y, { gradientStep: true });
    return model;
  };

  describe('a checkpoint', () => {
    it('gives equal bytes again, of a model new, given, fitted and trained', async () => {
      const fitted = smallOf(task);
      await fitted.fit(X, y, { maxIters: 1 });
      for (const model of [smallOf(task), givenOf(task), fitted, await full()]) {
        const bytes = await model.save();
        expect(await model.save()).toEqual(bytes);
        expect(await (await load(bytes)).save()).toEqual(bytes);
      }
    });

    it.each<[string, (m: Model) => Promise<unknown>]>([
      ['fitBatch', (m) => m.fitBatch(X, y)],
      ['a gradient step', (m) => m.fitBatch(X, y, { gradientStep: true })],
      ['fit', (m) => m.fit(X, y, { maxIters: 2 })],
      ['finetune', (m) => m.finetune(X, y, { epochs: 2 })],
      ['findLearningRate', (m) => m.findLearningRate(X, y)],
    ])('goes on with %s to the bit', async (_name, train) => {
      const model = await full();
      const again = await load(await model.save());
      expect(await answers(again, X)).toEqual(await answers(model, X));
      expect(await train(again)).toEqual(await train(model));
      expect(await again.save()).toEqual(await model.save());
      expect(again.grid).toEqual(model.grid);
    });

    it('remembers the grid that it was given, and who owns it', async () => {
      const model = givenOf(task);
      const again = await load(await model.save());
      const own = targets(flat);
      for (const each of [model, again]) await each.fit(flat, own, { maxIters: 2 });
      expect(await again.save()).toEqual(await model.save());
    });

    it('without the optimiser finetunes to the same', async () => {
      const model = await full();
      const again = await load(await model.save({ optimiser: false }));
      for (const each of [model, again]) await each.finetune(X, y, { epochs: 1 });
      expect(await again.save()).toEqual(await model.save());
    });

    it('of another estimator is refused', async () => {
      for (const other of tasks) {
        if (other === task) continue;
        await expectError(async () => load(await smallOf(other).save()), {
          kind: 'format',
          says: [`holds a ${other}, not a ${task}`],
        });
      }
    });

    it('cut off at any byte is refused, and damaged without digests gives a FormatError or a model that answers', async () => {
      const bytes = withoutDigests(await (await full()).save());
      for (let length = 0; length < bytes.length; length += 13) {
        await expectError(() => load(bytes.slice(0, length)), { kind: 'format', says: ['load:'] });
      }
      const header = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      const random = new Random(7);
      let models = 0;
      for (let i = 0; i < 1000; i++) {
        const damaged = bytes.slice();
        const at = random.below(4) > 0 ? random.below(8 + header) : random.below(bytes.length);
        damaged[at] = i % 2 === 0 ? (damaged[at] as number) ^ (1 << random.below(8)) : random.below(256);
        const model = await load(damaged).catch((error: unknown) => {
          if (!isFkmError(error) || error.kind !== 'format') throw error;
          return null;
        });
        if (!model || models++ % 10 > 0) continue;
        expect((await answers(model, X)).length % X.length).toBe(0);
        await model.fitBatch(X, y).catch((error: unknown) => {
          if (!isFkmError(error)) throw error;
        });
      }
      expect(models).toBeGreaterThan(20);
    });
  });

  describe.each(Object.entries(long))('%s', (name, call) => {
    it('reports every pass, counting up', async () => {
      const seen: Progress[] = [];
      await call(smallOf(task), y, { onProgress: (progress: Progress) => seen.push(progress) });
      const of = name === 'findLearningRate' ? 100 : 4;
      expect(seen.map(({ done }) => done)).toEqual(Array.from(seen, (_, i) => i + 1));
      expect(seen.every((progress) => progress.phase === name && progress.of === of)).toBe(true);
      expect(seen.length).toBeGreaterThan(name === 'findLearningRate' ? 4 : 3);
    });

    it('rejects with the reason of a signal, before and in the middle, the model as it was', async () => {
      const model = smallOf(task);
      const reason = new Error('not today');
      const untouched = await model.save();
      await expect(call(model, y, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect(await model.save()).toEqual(untouched);
      await model.fitBatch(X, y);
      const before = await model.save();
      const controller = new AbortController();
      let calls = 0;
      const onProgress = (): void => {
        if (++calls === 2) controller.abort(reason);
      };
      await expect(call(model, y, { onProgress, signal: controller.signal })).rejects.toBe(reason);
      expect(calls).toBe(2);
      expect(await model.save()).toEqual(before);
    });

    it('passes on what onProgress throws, the model as it was', async () => {
      const model = smallOf(task);
      const before = await model.save();
      const onProgress = (): never => {
        throw new RangeError('mine');
      };
      await expect(call(model, y, { onProgress })).rejects.toThrow(RangeError);
      expect(await model.save()).toEqual(before);
    });
  });

  it('findLearningRate moves nothing', async () => {
    const model = await full();
    const before = await model.save();
    const { learningRate } = await model.findLearningRate(X, y);
    expect(learningRate).toBeGreaterThan(0);
    expect(await model.save()).toEqual(before);
  });

  it('fit starts anew, unless prototypes are frozen', async () => {
    const [once, twice] = [smallOf(task), smallOf(task)];
    await once.fit(...half(0));
    await twice.fit(...half(60));
    await twice.fit(...half(0));
    expect(await twice.save()).toEqual(await once.save());
    twice.freezePrototypes();
    const { prototypes } = twice.grid;
    await twice.fit(...half(60));
    expect(Array.from(twice.grid.prototypes.data).slice(0, prototypes.data.length)).toEqual(
      Array.from(prototypes.data),
    );
  });

  it('fit without shuffling is fitBatch over the same batches', async () => {
    const [whole, parts] = [smallOf(task, { batchSize: 60 }), smallOf(task, { batchSize: 60 })];
    await whole.fit(X, y, { maxIters: 1, shuffle: false });
    for (const begin of [0, 60]) await parts.fitBatch(...half(begin));
    expect(await parts.save()).toEqual(await whole.save());
  });

  it('finetune lowers the loss and keeps the best evaluated state', async () => {
    const model = smallOf(task);
    // On a half of the rows, for what passes over all of them settle gradients cannot lower either.
    await model.fit(...half(0));
    const before = await model.lossAndGradients(X, y);
    const history = await model.finetune(X, y, { epochs: 12, evalFraction: 0 });
    expect(history).toHaveLength(12);
    expect((await model.lossAndGradients(X, y)).loss).toBeLessThan(before.loss);
    const { grid } = model;
    const worse = await model.finetune(X, y, { evalSet: { X, y }, epochs: 2, lr: 1e4 });
    expect(worse.map(({ best }) => best)).toEqual([false, false]);
    // Thresholds of labels are chosen on the evaluation rows even so.
    expect({ ...model.grid, thresholds: undefined }).toEqual({ ...grid, thresholds: undefined });
  });

  it('fit stops at tol, and keeps the pass of the lowest loss', async () => {
    const { nIter, converged } = await smallOf(task).fit(X, y, { tol: 1e6, maxIters: 9 });
    expect([nIter, converged]).toEqual([1, true]);
    const model = smallOf(task, { halfLife: 1, batchSize: 7 });
    const { history } = await model.fit(X, y, { evalSet: { X, y }, maxIters: 5, tol: 0 });
    const best = Math.min(...history.map(({ evalLoss }) => evalLoss as number));
    // Without regularisation and dropout the loss of the rows is what was evaluated.
    expect((await model.lossAndGradients(X, y)).loss).toBeCloseTo(best, 5);
  });

  it('calls at once run in turn, also behind one that failed', async () => {
    const [together, inOrder] = [smallOf(task), smallOf(task)];
    const failing = together.fitBatch([[Number.NaN, 0, 0]], y && (y as unknown[]).slice(0, 1));
    const all = [0, 60].map((begin) => together.fitBatch(...half(begin)));
    await expect(failing).rejects.toThrow('X has NaN in row 0');
    expect(() => together.freezePrototypes()).toThrow(/is running; await it first|no prototypes yet/);
    await Promise.all(all);
    for (const begin of [0, 60]) await inOrder.fitBatch(...half(begin));
    expect(await together.save()).toEqual(await inOrder.save());
  });

  it('learns the same from weights of any size', async () => {
    const grids = [];
    for (const w of [1, 2 ** -40]) {
      const model = smallOf(task);
      await model.fit(X, y);
      await model.finetune(X, y, { epochs: 2, sampleWeight: new Float32Array(120).fill(w) });
      grids.push(model.grid.prototypes);
    }
    expect(grids[0]).toEqual(grids[1]);
  });

  it('looks at rows that count, wherever they are', async () => {
    const sampleWeight = X.map((_, i) => Number(i % 10 === 7));
    for (const shuffle of [true, false]) {
      const model = smallOf(task, { batchSize: 5 });
      await model.fit(X, y, { sampleWeight, shuffle, maxIters: 3 });
      expect((await answers(model, X)).every(Number.isFinite)).toBe(true);
    }
  });

  it('leaves what it is given as it was', async () => {
    const data = Float32Array.from(X.flat());
    const [before, text] = [data.slice(), JSON.stringify(y)];
    const model = smallOf(task);
    await model.fit({ data, shape: [120, 3] }, y);
    await model.finetune({ data, shape: [120, 3] }, y, { epochs: 1 });
    await model.predict({ data, shape: [120, 3] });
    expect(data).toEqual(before);
    expect(JSON.stringify(y)).toBe(text);
  });
});

describe("'hard' and 'mean'", () => {
  it.each(['hard', 'mean'] as const)(
    "'%s' refuses the gradients of answers that it routes",
    async (softType) => {
      const model = givenOf('classifier', { softType });
      const own = estimators.classifier.targets(flat);
      for (const call of [
        () => model.finetune(flat, own),
        () => model.findLearningRate(flat, own),
        () => model.lossAndGradients(flat, own),
        () => model.fitBatch(flat, own, { gradientStep: true }),
      ]) {
        await expectError(call, {
          kind: 'option',
          says: [`'${softType}'`, "use softType 'gaussian', 'scaled'"],
        });
      }
      // Labels and clusters are read off similarities, which no routing touches.
      for (const task of ['multiLabel', 'clusterer'] as const) {
        await givenOf(task, { softType }).finetune(flat, estimators[task].targets(flat), { epochs: 1 });
      }
    },
  );
});

// fitStream: the steps of fitBatch, resumed from files to the bit, and what it does when things go wrong.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { FastMultiLabelKMeansClassifier } from '../estimators/multi-label.js';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { backend, expectError as expectCall } from '../estimators/testing.js';
import type { Source } from '../state/source.js';
import type { StreamOptions, StreamProgress } from './fit-stream.js';
import { labelled, sourceOf } from './testing.js';

const expectError = (
  call: Promise<unknown>,
  kind: 'data' | 'format' | 'option' | 'shape',
  says: string,
): Promise<void> => expectCall(() => call, { kind, says: [says] });

const folder = mkdtempSync(join(tmpdir(), 'fkm-stream-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const freshPath = (): string => join(folder, `${files++}.fkm`);

const { X, y, classes } = labelled(200);
const options = { backend, nPrototypes: 8, heads: 1, metric: 'none' } as const;
const lists = classes.map((name, i) => (i % 2 === 0 ? [name, 'even'] : [name]));

/** A model of each kind with a source of ten batches. */
const estimators = {
  clusterer: () => ({
    model: new FastKMeansClusterer({ backend, kInit: 5, softType: 'gaussian' }),
    source: sourceOf(X, undefined, 20),
  }),
  regressor: () => ({ model: new FastKMeansRegressor(options), source: sourceOf(X, y, 20) }),
  'regressor of lines': () => ({
    model: new FastKMeansRegressor({ ...options, prototypeModel: 'linear' }),
    source: sourceOf(X, y, 20),
  }),
  'regressor in halves': () => ({
    model: new FastKMeansRegressor({ ...options, dtype: 'bfloat16' }),
    source: sourceOf(X, y, 20),
  }),
  classifier: () => ({ model: new FastKMeansClassifier(options), source: sourceOf(X, classes, 20) }),
  'multi-label': () => ({
    model: new FastMultiLabelKMeansClassifier(options),
    source: sourceOf(X, lists, 20),
  }),
};

interface Streamed {
  fitStream(source: Source, options?: StreamOptions): Promise<unknown>;
  save(): Promise<Uint8Array>;
}

/** A source that fails after so many batches of all its iterations. */
function failing(source: Source, after: number): Source {
  let left = after;
  return {
    ...source,
    async *[Symbol.asyncIterator]() {
      for await (const batch of source) {
        if (left-- === 0) throw new Error('gone');
        yield batch;
      }
    },
  };
}

describe.each(Object.entries(estimators))('%s', (_name, build) => {
  it.each([
    ['phase 1', { maxIters: 2 }],
    ['gradients', { maxIters: 2, gradientStep: true }],
  ])('goes on after a failure to the bits of a run that never stopped, %s', async (_, how) => {
    const given: StreamOptions = { startRows: 50, ...how };
    const { model: whole, source } = build();
    await whole.fitStream(source, given);
    const expected = await whole.save();
    // Between the checkpoints of every third batch, within the start, and across the end of a pass.
    for (const after of [1, 6, 10, 17]) {
      const path = freshPath();
      const checkpoint = { path, everyBatches: 3 };
      const broken = build() as { model: Streamed; source: Source };
      await expect(
        broken.model.fitStream(failing(broken.source, after), { ...given, checkpoint }),
      ).rejects.toThrow('gone');
      const resumed = build() as { model: Streamed; source: Source };
      await resumed.model.fitStream(resumed.source, { ...given, checkpoint });
      expect(await resumed.model.save(), `after ${after}`).toEqual(expected);
    }
  });
});

describe('fitStream', () => {
  it('does what fitBatch does with every batch, where the first one is the start', async () => {
    const streamed = new FastKMeansClassifier(options);
    const byHand = new FastKMeansClassifier(options);
    await streamed.fitStream(sourceOf(X, classes, 50), { startRows: 50 });
    for (let begin = 0; begin < 200; begin += 50)
      await byHand.fitBatch(X.slice(begin, begin + 50), classes.slice(begin, begin + 50));
    expect((await streamed.save()).length).toBe((await byHand.save()).length);
    expect(streamed.grid.ages).toEqual(byHand.grid.ages);
    expect(streamed.grid.prototypes).toEqual(byHand.grid.prototypes);
  });

  it('starts from the rows of several batches, and learns each row once', async () => {
    const one = new FastKMeansRegressor(options);
    const many = new FastKMeansRegressor(options);
    const steps: StreamProgress[] = [];
    await one.fitStream(sourceOf(X.slice(0, 60), y.slice(0, 60), 60), {});
    await many.fitStream(sourceOf(X.slice(0, 60), y.slice(0, 60), 7), {
      onProgress: (step) => steps.push(step),
    });
    // The same 8 prototypes of the same 60 rows; then one step, or nine.
    expect(one.grid.prototypes.shape).toEqual(many.grid.prototypes.shape);
    const sum = (ages: ArrayLike<number>): number => Array.from(ages).reduce((a, b) => a + b, 0);
    expect(sum(many.grid.ages.data)).toBeCloseTo(sum(one.grid.ages.data), 6);
    expect(steps.map(({ rows }) => rows)).toEqual([7, 14, 21, 28, 35, 42, 49, 56, 60]);
    expect(steps.every(({ shift, pass, saved }) => shift !== undefined && pass === 0 && !saved)).toBe(true);
  });

  it('lets clusters of earlier passes count a tenth', async () => {
    const sum = async (passes: number): Promise<number> => {
      const model = new FastKMeansClusterer({ backend, kInit: 5 });
      await model.fitStream(sourceOf(X, undefined, 20), { passes });
      return Array.from(model.grid.ages.data).reduce((a, b) => a + b, 0);
    };
    const one = await sum(1);
    expect(await sum(2)).toBeCloseTo(0.1 * one + 200, 3);
  });

  it('gives classes of later batches prototypes', async () => {
    const sorted = X.map((row, i) => ({ row, name: classes[i] as string })).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    const model = new FastKMeansClassifier(options);
    const source = sourceOf(
      sorted.map(({ row }) => row),
      sorted.map(({ name }) => name),
      20,
    );
    await model.fitStream(source, { startRows: 20 });
    expect(model.classes).toEqual(['high', 'low', 'middle']);
  });

  it('ends at once if the file holds a finished run, and can add passes to it', async () => {
    const path = freshPath();
    const source = sourceOf(X, y, 20);
    const first = new FastKMeansRegressor(options);
    expect(await first.fitStream(source, { checkpoint: { path } })).toEqual({
      nIter: 1,
      passes: 1,
      batches: 10,
      rows: 200,
    });
    const again = new FastKMeansRegressor(options);
    const read = source.given;
    expect(await again.fitStream(source, { checkpoint: { path } })).toEqual({
      nIter: 1,
      passes: 1,
      batches: 10,
      rows: 200,
    });
    expect(source.given).toBe(read);
    expect(await again.save()).toEqual(await first.save());
    const longer = new FastKMeansRegressor(options);
    await longer.fitStream(source, { checkpoint: { path }, maxIters: 2 });
    const whole = new FastKMeansRegressor(options);
    await whole.fitStream(source, { maxIters: 2 });
    expect(await longer.save()).toEqual(await whole.save());
    // A plain model as well: whoever only wants to predict loads the file.
    const loaded = await FastKMeansRegressor.loadFile(path, { backend });
    expect(await loaded.save()).toEqual(await longer.save());
  });

  it('reads the batches before its place again, or seeks the last of them where it is told to and the source can', async () => {
    for (const [seeks, verify, given] of [
      [true, false, 2],
      [true, true, 10],
      [false, false, 10],
      [false, true, 10],
    ] as const) {
      const checkpoint = { path: freshPath(), everyBatches: 4, verify };
      const source = sourceOf(X, y, 20, { seeks });
      await expect(
        new FastKMeansRegressor(options).fitStream(failing(source, 9), { startRows: 40, checkpoint }),
      ).rejects.toThrow('gone');
      source.given = 0;
      await new FastKMeansRegressor(options).fitStream(source, { startRows: 40, checkpoint });
      expect(source.given).toBe(given);
    }
  });

  it('keeps what whole batches taught when it is aborted, closes the source, and goes on', async () => {
    const controller = new AbortController();
    const checkpoint = { path: freshPath() };
    const source = sourceOf(X, y, 20);
    const model = new FastKMeansRegressor(options);
    const seen: number[] = [];
    const onProgress = ({ batches }: StreamProgress): void => {
      seen.push(batches);
      if (batches === 14) controller.abort(new Error('enough'));
    };
    const given = { startRows: 40, maxIters: Number.POSITIVE_INFINITY, checkpoint };
    await expect(
      model.fitStream(source, { ...given, onProgress, signal: controller.signal }),
    ).rejects.toThrow('enough');
    expect([source.opened, source.closed]).toEqual([2, 2]);
    expect(seen).toHaveLength(14);
    const resumed = new FastKMeansRegressor(options);
    await resumed.fitStream(source, { startRows: 40, maxIters: 2, checkpoint });
    await model.fitStream(sourceOf(X.slice(80), y.slice(80), 20));
    expect(resumed.grid.prototypes).toEqual(model.grid.prototypes);
  });

  it('leaves a model as its last whole batch left it when a row is bad, and says which', async () => {
    const bad = X.map((row) => [...row]);
    (bad[123] as number[])[2] = Number.NaN;
    const model = new FastKMeansRegressor(options);
    const source = sourceOf(bad, y, 20);
    await expectError(
      model.fitStream(source, { startRows: 40 }),
      'data',
      'fitStream, batch 6: X has NaN in row 3, column 2.',
    );
    const short = new FastKMeansRegressor(options);
    await short.fitStream(sourceOf(X.slice(0, 120), y.slice(0, 120), 20), { startRows: 40 });
    expect(await model.save()).toEqual(await short.save());
    expect([source.opened, source.closed]).toEqual([1, 1]);
  });

  it('refuses a file of another run', async () => {
    const path = freshPath();
    const source = sourceOf(X, y, 20);
    const model = new FastKMeansRegressor(options);
    await model.fitStream(source, { checkpoint: { path } });
    const run = (other: object, given: StreamOptions = {}, from: Source = source): Promise<unknown> =>
      new FastKMeansRegressor({ ...options, ...other }).fitStream(from, { checkpoint: { path }, ...given });
    await expectError(run({ nPrototypes: 9, halfLife: 5 }), 'option', 'other options: nPrototypes, halfLife');
    await expectError(run({}, { gradientStep: true }), 'option', 'a run with gradientStep false');
    await expectError(run({}, {}, { ...source, columns: ['a', 'b', 'c'] }), 'option', 'columns f0,f1,f2');
    await expectError(
      new FastKMeansClassifier(options).fitStream(source, { checkpoint: { path } }),
      'format',
      'holds a regressor',
    );
    await model.saveFile(path);
    await expectError(run({}), 'option', 'without a place in a stream');
    writeFileSync(path, 'x');
    await expectError(run({}), 'format', path);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.each<[string, unknown, object, string]>([
    ['no source', [[1, 2]], {}, 'source should be an async iterable'],
    ['an unknown option', undefined, { epochs: 3 }, 'there is no option epochs'],
    ['half a pass', undefined, { maxIters: 1.5 }, 'maxIters is 1.5'],
    ['no path', undefined, { checkpoint: { everyBatches: 3 } }, 'checkpoint is an object'],
    ['no batch between', undefined, { checkpoint: { path: 'x', everyBatches: 0 } }, 'everyBatches is 0'],
    ['no rows', sourceOf([], [], 3), {}, 'the source gave no rows'],
    ['endless passes over no rows', sourceOf([], [], 3), { maxIters: Number.POSITIVE_INFINITY }, 'no rows'],
  ])('refuses %s', async (_, source, given, message) => {
    const model = new FastKMeansRegressor(options);
    await expectError(model.fitStream((source ?? sourceOf(X, y, 20)) as Source, given), 'option', message);
  });

  it('refuses invalid batches, and batches of another width', async () => {
    const source = sourceOf(X, y, 20);
    const giving = (batch: unknown): Source => ({
      ...source,
      async *[Symbol.asyncIterator]() {
        yield batch as never;
      },
    });
    const run = (batch: unknown): Promise<unknown> =>
      new FastKMeansRegressor(options).fitStream(giving(batch));
    await expectError(run({ X, y }), 'shape', 'batch 0: X should be { data: Float32Array');
    await expectError(
      run({ X: { data: new Float32Array(4), shape: [2, 2] }, y: [1, 2] }),
      'shape',
      'X has 2 columns, the source names 3',
    );
  });
});

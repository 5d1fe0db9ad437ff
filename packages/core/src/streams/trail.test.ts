// A run that goes on has to find the rows that it has learned: what differs is an error that says where.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastKMeansClassifier } from '../estimators/classifier.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { FastMultiLabelKMeansClassifier } from '../estimators/multi-label.js';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { backend, expectError } from '../estimators/testing.js';
import type { Source, SourceBatch } from '../state/source.js';
import type { StreamCheckpoint, StreamOptions } from './fit-stream.js';
import { labelled, sourceOf } from './testing.js';
import { Trail } from './trail.js';

const folder = mkdtempSync(join(tmpdir(), 'fkm-trail-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const { X, y, classes } = labelled(200);
const options = { backend, nPrototypes: 8, heads: 1, metric: 'none' } as const;
const size = 20;

interface Rows {
  X: number[][];
  y: unknown[] | undefined;
  w: number[];
  m: number[][];
}

interface Model {
  fitStream(source: Source, options?: StreamOptions): Promise<unknown>;
  save(): Promise<Uint8Array>;
}

const estimators: Record<string, { model: () => Model; y: unknown[] | undefined; other: unknown }> = {
  clusterer: { model: () => new FastKMeansClusterer({ backend, kInit: 5 }), y: undefined, other: 0 },
  regressor: { model: () => new FastKMeansRegressor(options) as Model, y, other: 0.25 },
  classifier: { model: () => new FastKMeansClassifier(options) as Model, y: classes, other: 'low' },
  'multi-label': {
    model: () => new FastMultiLabelKMeansClassifier(options) as Model,
    y: classes.map((name) => [name]),
    other: ['low', 'high'],
  },
};

const opened = ({ X, y, w, m }: Rows, seeks: boolean): Source & { given: number } =>
  sourceOf(X, y, size, {
    seeks,
    with: (begin, end) => ({
      sampleWeight: Float32Array.from(w.slice(begin, end)),
      featureMask: { data: Float32Array.from(m.slice(begin, end).flat()), shape: [end - begin, 3] },
    }),
  });

const swapped = <T>(list: readonly T[], i: number, j: number): T[] =>
  list.map((_, at) => list[at === i ? j : at === j ? i : at] as T);

/** Row 47 is in batch 2; the run has learned 6 batches. */
const changes: Record<string, readonly [change: (rows: Rows, other: unknown) => Rows, says: string]> = {
  'a value of X in its last bit': [
    (rows) => {
      const X = rows.X.map((row) => [...row]);
      const row = X[47] as number[];
      const bits = new Int32Array(Float32Array.of(row[1] as number).buffer);
      bits[0] = (bits[0] as number) ^ 1;
      row[1] = new Float32Array(bits.buffer)[0] as number;
      return { ...rows, X };
    },
    'in batch 2',
  ],
  'a target': [
    (rows, other) => ({ ...rows, y: rows.y?.map((value, i) => (i === 47 ? other : value)) }),
    'in batch 2',
  ],
  'a weight': [(rows) => ({ ...rows, w: rows.w.map((w, i) => (i === 47 ? 2 : w)) }), 'in batch 2'],
  'a mask': [(rows) => ({ ...rows, m: rows.m.map((m, i) => (i === 47 ? [1, 0, 1] : m)) }), 'in batch 2'],
  'two rows of a batch': [
    (rows) => ({ ...rows, X: swapped(rows.X, 47, 48), y: rows.y && swapped(rows.y, 47, 48) }),
    'in batch 2',
  ],
  'rows of two batches': [
    (rows) => ({ ...rows, X: swapped(rows.X, 47, 67), y: rows.y && swapped(rows.y, 47, 67) }),
    'in batch 2',
  ],
  'the order': [
    (rows) => ({ ...rows, X: [...rows.X].reverse(), y: rows.y && [...rows.y].reverse() }),
    'in batch 0',
  ],
  'a row fewer': [
    (rows) => ({
      X: rows.X.filter((_, i) => i !== 47),
      y: rows.y?.filter((_, i) => i !== 47),
      w: rows.w.slice(1),
      m: rows.m.slice(1),
    }),
    'in batch 2',
  ],
  'a row more': [
    (rows) => ({
      X: [...rows.X.slice(0, 47), [0, 0, 0], ...rows.X.slice(47)],
      y: rows.y && [...rows.y.slice(0, 47), rows.y[0], ...rows.y.slice(47)],
      w: [1, ...rows.w],
      m: [[1, 1, 1], ...rows.m],
    }),
    'in batch 2',
  ],
  'an end before the place': [
    (rows) => ({ ...rows, X: rows.X.slice(0, 80), y: rows.y?.slice(0, 80) }),
    'ends after 4 batches of the 6',
  ],
};

const plain = (y: unknown[] | undefined): Rows => ({
  X,
  y,
  w: X.map(() => 1),
  m: X.map(() => [1, 1, 1]),
});

/** A file of a run that was stopped after so many batches. */
async function stopped(model: Model, source: Source, batches: number, passes = 1): Promise<StreamCheckpoint> {
  const checkpoint = { path: join(folder, `${files++}.fkm`), everyBatches: 1 };
  const controller = new AbortController();
  await expect(
    model.fitStream(source, {
      startRows: 40,
      passes,
      checkpoint,
      signal: controller.signal,
      onProgress: (step) => step.batches === batches && controller.abort(new Error('stopped')),
    }),
  ).rejects.toThrow('stopped');
  return checkpoint;
}

describe.each(Object.entries(estimators))('%s', (name, { model, y, other }) => {
  it.each(Object.entries(changes))(
    'refuses to go on over a source that changed %s',
    async (what, [change, says]) => {
      if (what === 'a target' && name === 'clusterer') return;
      const checkpoint = await stopped(model(), opened(plain(y), false), 6);
      const before = readFileSync(checkpoint.path);
      for (const seeks of [true, false]) {
        const again = model();
        const unlearned = await again.save();
        await expectError(
          () => again.fitStream(opened(change(plain(y), other), seeks), { startRows: 40, checkpoint }),
          { kind: 'data', says: [says, checkpoint.path, 'go on with the same source'] },
        );
        // Neither the model nor the file has changed.
        expect(await again.save()).toEqual(unlearned);
        expect(readFileSync(checkpoint.path).equals(before)).toBe(true);
      }
      const same = model();
      await same.fitStream(opened(plain(y), true), { startRows: 40, checkpoint });
      const whole = model();
      await whole.fitStream(opened(plain(y), true), { startRows: 40 });
      expect(await same.save()).toEqual(await whole.save());
    },
  );
});

describe('a run of passes', () => {
  const { model, y } = estimators.regressor as (typeof estimators)[string];

  it.each([
    ['in the middle of the second', () => stopped(model(), opened(plain(y), false), 16, 3)],
    [
      'between two',
      async () => {
        const checkpoint = { path: join(folder, `${files++}.fkm`) };
        await model().fitStream(opened(plain(y), false), { startRows: 40, checkpoint });
        return checkpoint;
      },
    ],
  ])('is refused other rows where it was stopped %s', async (_, stop) => {
    const checkpoint: StreamCheckpoint = await stop();
    for (const [change, says] of [
      [(changes['a value of X in its last bit'] as never)[0] as (rows: Rows) => Rows, 'in batch 2'],
      [
        (rows: Rows) => ({ ...rows, X: rows.X.slice(0, 180), y: rows.y?.slice(0, 180) }),
        'ends after 9 batches of the 10',
      ],
      [
        (rows: Rows) => ({
          X: [...rows.X, ...rows.X],
          y: [...(rows.y ?? []), ...(rows.y ?? [])],
          w: [...rows.w, ...rows.w],
          m: [...rows.m, ...rows.m],
        }),
        'gives more than the 10 batches',
      ],
    ] as const)
      await expectError(
        () =>
          model().fitStream(opened(change(plain(y)), false), {
            startRows: 40,
            maxIters: 3,
            checkpoint: { ...checkpoint, everyBatches: 1000, path: copied(checkpoint.path) },
          }),
        { kind: 'data', says: [says] },
      );
  });

  it('with verify: false compares the last batch alone', async () => {
    const checkpoint = { ...(await stopped(model(), opened(plain(y), true), 6)), verify: false };
    const run = (change: keyof typeof changes): Promise<unknown> =>
      model().fitStream(opened((changes[change] as never as [(rows: Rows) => Rows])[0](plain(y)), true), {
        startRows: 40,
        checkpoint: { ...checkpoint, path: copied(checkpoint.path) },
      });
    for (const change of ['the order', 'a row fewer', 'a row more'])
      await expectError(() => run(change), { kind: 'data', says: ['in batch 5'] });
    await expectError(() => run('an end before the place'), { kind: 'data', says: ['no batch 5'] });
    await run('a weight');
  });
});

const copied = (path: string): string => {
  const copy = join(folder, `${files++}.fkm`);
  writeFileSync(copy, readFileSync(path));
  return copy;
};

describe('Trail', () => {
  const batch = (i: number): SourceBatch => ({
    X: { data: Float32Array.of(i, i + 0.5), shape: [1, 2] },
    y: Float64Array.of(i),
  });
  const learned = (count: number): Trail => {
    const trail = new Trail('run');
    for (let i = 0; i < count; i++) trail.commit(trail.step(i, batch(i)));
    return trail;
  };

  it('stays small however many batches there are, and names the few among which one differs', () => {
    const count = 5000;
    const saved = learned(count).saved();
    expect(JSON.stringify(saved).length).toBeLessThan(9000);
    const again = Trail.of(JSON.parse(JSON.stringify(saved)), 'run');
    const place = again.again();
    expect(() => {
      for (let i = 0; i < count; i++) again.commit(again.step(i, batch(i === 3001 ? 1 : i)));
    }).toThrow('in one of the batches 3000 to 3007 than those');
    const same = Trail.of(saved, 'run');
    same.again();
    for (let i = 0; i < count; i++) same.commit(same.step(i, batch(i)));
    same.reached(place);
    expect(same.saved()).toEqual(saved);
  });

  it('takes y as what it is, whatever holds it', () => {
    const words = (y: SourceBatch['y']): string => {
      const trail = new Trail('run');
      trail.commit(trail.step(0, { ...batch(0), y }));
      return trail.saved().here;
    };
    expect(words([1, 2])).toBe(words(Float64Array.of(1, 2)));
    const different = [
      undefined,
      [1, 2],
      [2, 1],
      ['1', '2'],
      ['12'],
      [['1'], ['2']],
      [['1', '2'], []],
      { data: Float32Array.of(1, 2), shape: [1, 2] as const },
      { data: Float32Array.of(1, 2), shape: [2, 1] as const },
    ].map((y) => words(y as SourceBatch['y']));
    expect(new Set(different).size).toBe(different.length);
  });

  it.each([
    [null],
    [{}],
    [{ ...learned(3).saved(), words: 'xyz' }],
    [{ ...learned(3).saved(), here: '3' }],
    [{ ...learned(3).saved(), stride: 0 }],
    [{ ...learned(3).saved(), last: '' }],
    [{ ...learned(3).saved(), whole: 3 }],
  ])('refuses %j in a file', async (saved) => {
    await expectError(() => Trail.of(saved, 'run'), { kind: 'format', says: ['damaged'] });
  });
});

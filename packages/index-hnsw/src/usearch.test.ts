import { readdirSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import * as usearch from 'usearch';
import { describe, expect, it, vi } from 'vitest';
import { describeEngine } from './conformance.js';
import { hnswIndex } from './index.js';
import { rowsNear, somePoints } from './testing.js';

describeEngine('usearch', { engine: 'usearch' }, ['euclidean', 'cosine']);

describe('usearch', () => {
  const all = somePoints('clustered', 300, 6, 1);

  it('runs on what was handed in, with any number of threads', async () => {
    const one = hnswIndex({ engine: 'usearch', usearch });
    const four = hnswIndex({ engine: 'usearch', usearch, threads: 4 });
    const rows = rowsNear(all, 9, 0.1);
    await one.build(all);
    await four.build(all);
    expect((await four.search(rows, 3)).indices).toEqual((await one.search(rows, 3)).indices);
    expect([one.engine, one.kernel]).toEqual(['usearch', 'native']);
  });

  it('loads with more threads than the machine has', async () => {
    const threads = 4 * availableParallelism();
    const many = somePoints('clustered', 3000, 6, 1);
    const built = hnswIndex({ engine: 'usearch', threads });
    await built.build(many);
    const loaded = hnswIndex({ engine: 'usearch', threads });
    await loaded.load(await built.save());
    expect(await loaded.search(many, 3)).toEqual(await built.search(many, 3));
    const places = Array.from({ length: 1000 }, (_, place) => place);
    await loaded.update(places, { data: many.data.slice(-6000), shape: [1000, 6] });
    await loaded.refresh();
    expect((await loaded.search(many, 1)).distances.subarray(1000)).toEqual(new Float32Array(2000));
  });

  it.each(['euclidean', 'cosine'] as const)(
    'of %s finds every point that threads added side by side',
    async (distance) => {
      for (let build = 0; build < 20; build++) {
        const index = hnswIndex({ engine: 'usearch', distance, threads: 4 });
        await index.build(all);
        const { indices } = await index.search(all, 1);
        expect(Array.from(indices)).toEqual(Array.from({ length: 300 }, (_, i) => i));
        await index.dispose();
      }
    },
  );

  it('takes no other ef than that it was made with', async () => {
    const index = hnswIndex({ engine: 'usearch', ef: 40 });
    await index.build(all);
    expect((await index.search(all, 1, { ef: 40 })).shape).toEqual([300, 1]);
    await expect(index.search(all, 1, { ef: 41 })).rejects.toMatchObject({
      kind: 'option',
      message: expect.stringContaining('usearch fixes it when an index is made, here at 40'),
    });
  });

  it('says how to install what is missing, and is as empty as before', async () => {
    vi.doMock('usearch', () => {
      throw new Error('there is none');
    });
    try {
      const index = hnswIndex({ engine: 'usearch' });
      await expect(index.build(all)).rejects.toMatchObject({
        kind: 'backend',
        message: expect.stringMatching(/needs the package usearch, .*npm install usearch@2\.25\.3/),
      });
      await expect(index.save()).rejects.toMatchObject({ kind: 'state' });
    } finally {
      vi.doUnmock('usearch');
    }
  });

  it('leaves no files behind', async () => {
    const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('fkm-index-'));
    const before = left();
    const index = hnswIndex({ engine: 'usearch' });
    await index.build(all);
    await index.load(await index.save());
    expect(left()).toEqual(before);
  });
});

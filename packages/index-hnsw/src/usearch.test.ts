import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
    const again = hnswIndex({ engine: 'usearch', usearch, threads: 4 });
    await again.load(await four.save());
    expect(await again.search(rows, 3)).toEqual(await four.search(rows, 3));
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

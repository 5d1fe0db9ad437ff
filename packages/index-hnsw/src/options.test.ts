import { describe, expect, it } from 'vitest';
import { type HnswOptions, hnswIndex } from './index.js';
import { defaultEf } from './options.js';
import { rowsNear, sameBytes, somePoints } from './testing.js';

describe('options', () => {
  it.each<[object | null, string]>([
    [{ links: 3 }, 'there is no option links; there are distance, m, '],
    [{ distance: 'manhattan' }, "distance is 'manhattan'; allowed is 'euclidean', 'cosine', 'l1'"],
    [{ engine: 'faiss' }, "engine is 'faiss'; allowed is 'portable', 'usearch'"],
    [{ m: 1 }, 'm is 1; allowed is an integer from 2 to 128'],
    [{ m: 129 }, 'm is 129'],
    [{ m: '16' }, "m is '16'"],
    [{ efConstruction: 0 }, 'efConstruction is 0'],
    [{ ef: 1.5 }, 'ef is 1.5'],
    [{ ef: Number.NaN }, 'ef is NaN'],
    [{ randomState: -1 }, 'randomState is -1'],
    [{ seed: -1 }, 'seed is -1'],
    [{ seed: 1, randomState: 1 }, 'seed is the old name of randomState, which is here too'],
    [{ effConstruction: 8 }, 'Did you mean efConstruction?'],
    [{ engine: 'usearch', usearch: {} }, 'usearch is an object; allowed is a namespace'],
    [null, 'the options should be an object with distance'],
    [{ simd: 1 }, 'simd is 1; allowed is true or false'],
    [{ threads: 2 }, "threads is an option of engine 'usearch'; leave it out, or say engine: 'usearch'"],
    [{ engine: 'usearch', threads: 0 }, 'threads is 0'],
    [{ engine: 'usearch', seed: 1 }, "randomState is an option of engine 'portable'"],
    [{ engine: 'usearch', simd: true }, "simd is an option of engine 'portable'"],
    [{ engine: 'usearch', distance: 'l1' }, "usearch has no distance 'l1'. Take engine: 'portable'"],
  ])('%o', (options, message) => {
    const make = (): unknown => hnswIndex(options as HnswOptions);
    expect(make).toThrow(
      expect.objectContaining({ kind: 'option', message: expect.stringContaining(message) }),
    );
    expect(make).toThrow('[fkm/index-hnsw] hnswIndex: ');
  });

  it('takes more candidates in larger indices', () => {
    expect([0, 1e3, 1e4, 1e6].map(defaultEf)).toEqual([24, 36, 48, 60]);
  });

  it('searches with the ef of the call, of the index, or its own', async () => {
    const all = somePoints('uniform', 3000, 32, 1);
    const rows = rowsNear(all, 40, 0.3);
    const nearest = async (options: HnswOptions, ef?: number): Promise<number> => {
      const index = hnswIndex(options);
      await index.build(all);
      const { distances } = await index.search(rows, 1, ef === undefined ? {} : { ef });
      return distances.reduce((a, b) => a + b);
    };
    const [few, many] = [await nearest({}, 1), await nearest({}, 64)];
    expect(many).toBeLessThan(few);
    expect(await nearest({ ef: 1 })).toBe(few);
    expect(await nearest({ ef: 1 }, 64)).toBe(many);
    expect(await nearest({})).toBe(await nearest({}, defaultEf(3000)));
  });

  it('another seed is another graph with as good answers', async () => {
    const all = somePoints('clustered', 2000, 4, 2);
    const [a, b] = [hnswIndex({ randomState: 1 }), hnswIndex({ randomState: 2 ** 40 })];
    await a.build(all);
    await b.build(all);
    expect(sameBytes(await a.save(), await b.save())).toBe(false);
    const old = hnswIndex({ seed: 1 });
    await old.build(all);
    expect(sameBytes(await a.save(), await old.save())).toBe(true);
    const rows = rowsNear(all, 50, 0.1);
    expect((await a.search(rows, 3)).indices).toEqual((await b.search(rows, 3)).indices);
  });
});

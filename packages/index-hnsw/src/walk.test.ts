import { describe, expect, it } from 'vitest';
import { hnswIndex } from './index.js';
import { exact, rowOf, rowsNear, somePoints } from './testing.js';

describe('searches', () => {
  it('of a few points are scans, exact with any ef', async () => {
    const all = somePoints('uniform', 20, 6, 1);
    const index = hnswIndex({ m: 2, efConstruction: 1, ef: 1 });
    await index.build(all);
    const { indices } = await index.search(all, 3);
    expect([...indices]).toEqual(exact('euclidean', all, all, 3).flat());
  });

  it('forget what searches before them visited, however many', async () => {
    const all = somePoints('clustered', 3000, 2, 2);
    const index = hnswIndex();
    await index.build(all);
    const [here, there] = [0, 1].map((i) => ({ data: rowOf(all, i), shape: [1, 2] as const }));
    const answers = new Set<number>();
    for (let between = 0; between < 270; between++) {
      for (let n = 0; n < between; n++) await index.search(there as NonNullable<typeof there>, 1);
      answers.add((await index.search(here as NonNullable<typeof here>, 1)).indices[0] as number);
    }
    expect([...answers]).toEqual([0]);
  });

  it('allocate room for results as asked for: more than there are points', async () => {
    const all = somePoints('uniform', 2500, 3, 3);
    const index = hnswIndex();
    await index.build(all);
    const { indices } = await index.search(rowsNear(all, 1, 0.1), 2600);
    expect(new Set(indices.subarray(0, 2500)).size).toBe(2500);
    expect(indices.subarray(2500).every((place) => place === -1)).toBe(true);
  });
});

// The portable engine in Chromium: the contract, by the kernel that a page gets when it asks for nothing.

import { FastKMeansClusterer, jsBackend } from '@fkm/core';
import { expect, it } from 'vitest';
import { describeEngine } from './conformance.js';
import { hnswIndex } from './index.js';
import { exact, recall, rowsNear, somePoints } from './testing.js';

describeEngine('portable in a browser', {}, ['euclidean', 'cosine', 'l1'], 'pairs');

it('measures by WebAssembly SIMD, finds what a search of all points does, and goes on from its bytes', async () => {
  const points = somePoints('clustered', 3000, 16, 5);
  const rows = rowsNear(points, 50, 0.1);
  const index = hnswIndex({ ef: 200 });
  await index.build(points);
  expect(index.kernel).toBe('wasm-simd');
  const found = await index.search(rows, 5);
  expect(recall(found, exact('euclidean', points, rows, 5))).toBe(1);
  const again = hnswIndex({ ef: 200 });
  await again.load(await index.save());
  expect(again.kernel).toBe('wasm-simd');
  expect(await again.search(rows, 5)).toEqual(found);
});

it('answers for a model as all prototypes do', async () => {
  const prototypes = somePoints('clustered', 3000, 8, 6);
  const options = { backend: jsBackend(), initMode: { prototypes } };
  const rows = rowsNear(prototypes, 50, 0.1);
  const index: typeof hnswIndex = (own) => hnswIndex({ ...own, ef: 200 });
  const indexed = new FastKMeansClusterer({ ...options, index, useIndex: true });
  const whole = new FastKMeansClusterer(options);
  expect(await indexed.predict(rows)).toEqual(await whole.predict(rows));
});

// A stream on onnxruntime: a run that stopped goes on, with another session, to the bits of one that never did.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastKMeansRegressor, type Source } from '@fkm/core';
import { afterAll, expect, it } from 'vitest';
import { onnxBackend } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'fkm-onnx-stream-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [batches, rows, columns] = [12, 600, 4];

const source: Source = {
  columns: ['a', 'b', 'c', 'd'],
  async *[Symbol.asyncIterator]() {
    for (let batch = 0; batch < batches; batch++) {
      const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin((batch + 1) * i * i));
      const y = Float32Array.from(
        { length: rows },
        (_, i) => (data[i * columns] as number) + (data[i * columns + 1] as number) ** 2,
      );
      yield { X: { data, shape: [rows, columns] }, y };
    }
  },
};

/** The bytes of a model that has streamed; stopped after so many batches, and taken up again by another one. */
async function streamed(how: object, stops: readonly number[] = []): Promise<Uint8Array> {
  const checkpoint = { path: join(folder, `${JSON.stringify(how)} ${stops}.fkm`), everyBatches: 2 };
  const run = async (stop?: number): Promise<Uint8Array> => {
    const backend = await onnxBackend();
    const model = new FastKMeansRegressor({ backend, nPrototypes: 16 });
    const stopping = new AbortController();
    let seen = 0;
    try {
      await model.fitStream(source, {
        ...how,
        passes: 2,
        startRows: rows,
        signal: stopping.signal,
        ...(stops.length > 0 ? { checkpoint } : {}),
        onProgress: () => {
          if (++seen === stop) stopping.abort();
        },
      });
      return await model.save();
    } finally {
      await backend.dispose();
    }
  };
  for (const stop of stops) await expect(run(stop)).rejects.toThrow('abort');
  return run();
}

it.each([
  ['phase 1', {}],
  ['gradients', { gradientStep: true }],
])('%s', async (_, how) => {
  const whole = await streamed(how);
  // At a checkpoint, behind one, and in the second pass.
  for (const stops of [[4], [5], [13], [3, 6]]) expect(await streamed(how, stops)).toEqual(whole);
});

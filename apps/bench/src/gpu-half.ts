// float16 on a GPU: what the fused searches find among halves, held to float64 on the same halves.

import { decodeHalf, encodeHalf } from '@fkm/core/graph';
import { openDevice, type SearchSpec, search } from '@fkm/webgpu';
import { bufferOf, readBack } from '@fkm/webgpu/testing';
import { seeded, uniformArray } from './random.ts';
import type { Result } from './report.ts';

/** Dawn leaves the feature out on NVIDIA otherwise. */
const dawn = ['enable-dawn-features=vulkan_enable_f16_on_nvidia'];

const [rows, prototypes] = [256, 1024] as const;

/** δ in float64: 2(1 − cos), Σ (x − p)² or Σ |x − p|. */
const deltas: Readonly<Record<SearchSpec['distance'], (x: Float32Array, p: Float32Array) => number>> = {
  euclidean: (x, p) => x.reduce((sum, value, d) => sum + (value - (p[d] as number)) ** 2, 0),
  l1: (x, p) => x.reduce((sum, value, d) => sum + Math.abs(value - (p[d] as number)), 0),
  cosine: (x, p) => {
    const dot = (a: Float32Array, b: Float32Array): number =>
      a.reduce((sum, value, d) => sum + value * (b[d] as number), 0);
    return 2 * (1 - dot(x, p) / Math.sqrt(dot(x, x) * dot(p, p)));
  },
};

/** The largest relative error of δ to the prototype that was found, and how much nearer the nearest one is, of all rows. */
export async function halfSearches(report: (result: Result) => void): Promise<void> {
  const { device } = await openDevice({ dawn });
  if (!device.features.has('shader-f16')) {
    report({ what: 'float16: the adapter has no shader-f16', value: Number.NaN });
    device.destroy();
    return;
  }
  const uniform = seeded(7);
  for (const columns of [32, 512]) {
    const halves = (count: number): [Uint16Array, Float32Array] => {
      const half = encodeHalf(uniformArray(count, uniform), 'float16');
      return [half, decodeHalf(half, 'float16')];
    };
    const [[x, X], [p, P]] = [halves(rows * columns), halves(prototypes * columns)];
    const buffers = {
      x: bufferOf(device, x),
      prototypes: bufferOf(device, p),
      index: bufferOf(device, 4 * rows),
      value: bufferOf(device, 4 * rows),
    };
    for (const distance of ['euclidean', 'cosine', 'l1'] as const) {
      const searching = search(device, {
        distance,
        columns,
        prototypes,
        masked: false,
        weighted: false,
        rowType: 'float16',
        prototypeType: 'float16',
        k: 0,
      });
      const encoder = device.createCommandEncoder();
      searching.encode(encoder, rows, buffers);
      device.queue.submit([encoder.finish()]);
      const index = new Int32Array(await readBack(device, buffers.index, 4 * rows));
      const value = new Float32Array(await readBack(device, buffers.value, 4 * rows));
      let [error, missed] = [0, 0];
      for (let row = 0; row < rows; row++) {
        const own = X.subarray(row * columns, (row + 1) * columns);
        const to = (k: number): number => deltas[distance](own, P.subarray(k * columns, (k + 1) * columns));
        const found = to(index[row] as number);
        error = Math.max(error, Math.abs((value[row] as number) - found) / found);
        let best = found;
        for (let k = 0; k < prototypes; k++) best = Math.min(best, to(k));
        missed = Math.max(missed, (found - best) / best);
      }
      report({
        what: `float16 nearest ${distance} against float64`,
        rows,
        columns,
        prototypes,
        value: Number(error.toExponential(2)),
        unit: 'relative error of δ',
        missed: Number(missed.toExponential(2)),
      });
      searching.dispose();
    }
    for (const buffer of Object.values(buffers)) buffer.destroy();
  }
  device.destroy();
}

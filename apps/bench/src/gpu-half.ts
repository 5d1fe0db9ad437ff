// float16 on a GPU: compares fused searches on halves with float64 on the same halves.

import { decodeHalf, encodeHalf } from '@fkm/core/graph';
import { openDevice, type SearchSpec, search } from '@fkm/webgpu';
import { bufferOf, readBack } from '@fkm/webgpu/testing';
import { seeded, uniformArray } from './random.ts';
import type { Result } from './report.ts';

/** Dawn disables the feature on NVIDIA by default. */
const dawn = ['enable-dawn-features=vulkan_enable_f16_on_nvidia'];

const [rows, prototypes] = [256, 1024] as const;

type Distance = SearchSpec['distance'];

/** δ in float64 between a row and a prototype, with column weights that sum to D: Σ s(x − p)², Σ s|x − p| or 2(1 − cos). */
function deltaOf(distance: Distance, x: Float32Array, p: Float32Array, shares: Float64Array): number {
  let [sum, xx, pp] = [0, 0, 0];
  for (let d = 0; d < x.length; d++) {
    const [a, b, share] = [x[d] as number, p[d] as number, shares[d] as number];
    if (distance === 'cosine') {
      sum += share * a * b;
      xx += share * a * a;
      pp += share * b * b;
    } else sum += share * (distance === 'l1' ? Math.abs(a - b) : (a - b) ** 2);
  }
  return distance === 'cosine' ? 2 * (1 - sum / Math.sqrt(xx * pp)) : sum;
}

/** The value that a search returns besides the index: δ, or the similarity if it finds several. */
const figureOf = (distance: Distance, k: number, delta: number): number =>
  k === 0 ? delta : distance === 'cosine' ? 1 - delta / 2 : 1 / (1 + delta);

/** The weight of each column of a row, mask times weight, summing to D. */
function sharesOf(mask: Float32Array | undefined, weights: Float32Array | undefined, columns: number) {
  const shares = Float64Array.from({ length: columns }, (_, d) => (mask?.[d] ?? 1) * (weights?.[d] ?? 1));
  const scale = columns / shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share * scale);
}

/**
 * The largest relative error of δ (of the similarity, for several results) against float64, and how much nearer the true prototype
 * of that rank is, over all rows.
 */
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
    // A tenth of the numbers is missing.
    const mask = uniformArray(rows * columns, uniform).map((m) => (m < -0.8 ? 0 : Math.abs(m)));
    const weights = uniformArray(columns, uniform).map(Math.abs);
    const part = (all: Float32Array, row: number): Float32Array =>
      all.subarray(row * columns, (row + 1) * columns);
    const most = 4;
    const buffers = {
      x: bufferOf(device, x),
      prototypes: bufferOf(device, p),
      mask: bufferOf(device, mask),
      weights: bufferOf(device, weights),
      index: bufferOf(device, 4 * rows * most),
      value: bufferOf(device, 4 * rows * most),
    };
    const variants = (['euclidean', 'cosine', 'l1'] as const).flatMap((distance) =>
      [false, true].flatMap((masked) => [false, true].map((weighted) => ({ distance, masked, weighted }))),
    );
    for (const variant of variants) {
      const { distance, masked, weighted } = variant;
      const deltas = Array.from({ length: rows }, (_, row) => {
        const shares = sharesOf(
          masked ? part(mask, row) : undefined,
          weighted ? weights : undefined,
          columns,
        );
        return Float64Array.from({ length: prototypes }, (_, k) =>
          deltaOf(distance, part(X, row), part(P, k), shares),
        );
      });
      const sorted = deltas.map((of) => of.slice().sort());
      for (const k of [0, most]) {
        const types = { rowType: 'float16', prototypeType: 'float16' } as const;
        const searching = search(device, { ...variant, ...types, columns, prototypes, k });
        const encoder = device.createCommandEncoder();
        searching.encode(encoder, rows, buffers);
        device.queue.submit([encoder.finish()]);
        const width = Math.max(1, k);
        const index = new Int32Array(await readBack(device, buffers.index, 4 * rows * width));
        const value = new Float32Array(await readBack(device, buffers.value, 4 * rows * width));
        let [error, missed] = [0, 0];
        for (let i = 0; i < rows * width; i++) {
          const [row, rank] = [Math.floor(i / width), i % width];
          const found = deltas[row]?.[index[i] as number] as number;
          const best = sorted[row]?.[rank] as number;
          const wanted = figureOf(distance, k, found);
          error = Math.max(error, Math.abs(((value[i] as number) - wanted) / wanted));
          missed = Math.max(missed, (found - best) / best);
        }
        report({
          what: `float16 ${k === 0 ? 'nearest' : `${k} most similar`} ${distance}${masked ? ' masked' : ''}${weighted ? ' weighted' : ''} against float64`,
          rows,
          columns,
          prototypes,
          value: Number(error.toExponential(2)),
          unit: `relative error of ${k === 0 ? 'δ' : 'the similarity'}`,
          missed: Number(missed.toExponential(2)),
        });
        searching.dispose();
      }
    }
    for (const buffer of Object.values(buffers)) buffer.destroy();
  }
  device.destroy();
}

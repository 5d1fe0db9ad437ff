// Sizes of tiles: how much of rows × prototypes a workgroup holds at a time, chosen from the limits of the device.

import { BackendError } from '@fkm/core/graph';
import type { GpuDevice } from './gpu.js';

/** A workgroup searches `rows` rows, `prototypes` prototypes at a time, `depth` columns of both in workgroup memory. */
export interface Tile {
  readonly rows: number;
  readonly prototypes: number;
  readonly depth: number;
  /** What one thread holds in registers of rows × prototypes; both multiples of 4. */
  readonly own: readonly [rows: number, prototypes: number];
  /** Threads of a warp beside each other along the prototypes. */
  readonly across: number;
  /** Writes the products of a step out one by one: faster on GPUs, seconds to compile on processors. */
  readonly unrolled: boolean;
}

export const threadsOf = ({ rows, prototypes, own }: Tile): number => (rows / own[0]) * (prototypes / own[1]);

/** Bytes of workgroup memory with `operands` [depth, rows or prototypes] float32 arrays on each side. */
export const bytesOf = ({ rows, prototypes, depth }: Tile, operands: number): number =>
  4 * operands * depth * (rows + prototypes);

/** From the fastest where there is room for it, down to what every device has: 16 kB and 128 threads. */
const tiles: readonly Tile[] = [
  { rows: 128, prototypes: 128, depth: 16, own: [8, 8], across: 8, unrolled: true },
  { rows: 64, prototypes: 64, depth: 16, own: [4, 4], across: 8, unrolled: false },
  { rows: 32, prototypes: 32, depth: 16, own: [4, 4], across: 8, unrolled: false },
  { rows: 32, prototypes: 16, depth: 8, own: [4, 4], across: 4, unrolled: false },
];

/** Adapters that compile for a processor, where large kernels take seconds to compile. */
const software = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** Beside the tiles: a few numbers a row. */
const spare = 512;

/** The tile for a search. `operands`: arrays a side; `most`: the largest product of `own`. Errors: BackendError. */
export function chooseTile(
  { limits, adapterInfo }: GpuDevice,
  prototypes: number,
  operands: number,
  most: number,
): Tile {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = limits;
  const { architecture = '', description = '' } = adapterInfo ?? {};
  const fits = (tile: Tile): boolean =>
    tile.own[0] * tile.own[1] <= most &&
    threadsOf(tile) <= maxComputeInvocationsPerWorkgroup &&
    bytesOf(tile, operands) + (tile.rows < 128 ? spare : 0) <= maxComputeWorkgroupStorageSize;
  const fitting = tiles.filter(fits);
  const smallest = fitting[fitting.length - 1];
  const tile = software.test(`${architecture} ${description}`)
    ? smallest
    : (fitting.find((one) => one.prototypes < 2 * prototypes) ?? smallest);
  if (tile) return tile;
  throw new BackendError(
    `the device has ${maxComputeWorkgroupStorageSize} bytes of workgroup memory and ${maxComputeInvocationsPerWorkgroup} ` +
      'threads in a workgroup; 16384 and 128 are needed, which WebGPU guarantees.',
    { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup },
    'webgpu',
  );
}

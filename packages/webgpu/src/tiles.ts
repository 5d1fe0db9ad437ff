// Tile sizes: the part of rows × prototypes that a workgroup holds at a time, chosen by the limits of the device.

import { BackendError } from '@fkm/core/graph';
import type { GpuDevice } from './gpu.js';

/**
 * A workgroup searches `rows` rows with `prototypes` prototypes at a time, and holds `depth` columns of both in workgroup memory.
 */
export interface Tile {
  readonly rows: number;
  readonly prototypes: number;
  readonly depth: number;
  /** The block of rows × prototypes that a thread holds in registers; both are multiples of 4. */
  readonly own: readonly [rows: number, prototypes: number];
  /** Number of adjacent threads in a warp along the prototypes. */
  readonly across: number;
  /** Whether the products of a step are unrolled: faster on GPUs, but seconds to compile on CPUs. */
  readonly unrolled: boolean;
}

export const threadsOf = ({ rows, prototypes, own }: Tile): number => (rows / own[0]) * (prototypes / own[1]);

/** Bytes of workgroup memory with `operands` [depth, rows or prototypes] float32 arrays on each side. */
export const bytesOf = ({ rows, prototypes, depth }: Tile, operands: number): number =>
  4 * operands * depth * (rows + prototypes);

/** From the fastest tile down to one that fits every device: 16 kB and 128 threads. */
const tiles: readonly Tile[] = [
  { rows: 128, prototypes: 128, depth: 16, own: [8, 8], across: 8, unrolled: true },
  { rows: 64, prototypes: 64, depth: 16, own: [4, 4], across: 8, unrolled: false },
  { rows: 32, prototypes: 32, depth: 16, own: [4, 4], across: 8, unrolled: false },
  { rows: 32, prototypes: 16, depth: 8, own: [4, 4], across: 4, unrolled: false },
];

/** Adapters that run on a CPU, where large kernels take seconds to compile. */
const software = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** Bytes besides the tiles: a few numbers a row. */
const spare = 512;

/** The tile for a search. `operands`: arrays on each side; `most`: largest product of `own`; `perRow`: extra numbers per row. Errors: BackendError. */
export function chooseTile(
  { limits, adapterInfo }: GpuDevice,
  prototypes: number,
  operands: number,
  most: number,
  perRow = 0,
): Tile {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = limits;
  const { architecture = '', description = '' } = adapterInfo ?? {};
  const fits = (tile: Tile): boolean =>
    tile.own[0] * tile.own[1] <= most &&
    threadsOf(tile) <= maxComputeInvocationsPerWorkgroup &&
    bytesOf(tile, operands) + (tile.rows < 128 ? spare : 4 * perRow * tile.rows) <=
      maxComputeWorkgroupStorageSize;
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

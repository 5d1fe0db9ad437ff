// A search on a device: pipelines and scratch memory are created once; runs are encoded into the caller's command encoder.

import { BackendError } from '@fkm/core/graph';
import type { GpuBuffer, GpuCommandEncoder, GpuDevice } from './gpu.js';
import { usage } from './gpu.js';
import { looksAtLengths } from './length-shader.js';
import { type Pipeline, pipelineOf } from './pipelines.js';
import { preparePasses } from './prepare-shader.js';
import { searchShader } from './search-shader.js';
import { bindings, checkSearch, preparedLayout, type SearchSpec, scoringOf } from './spec.js';
import { chooseTile, type Tile } from './tiles.js';
import { Uniforms } from './uniforms.js';

/** The arrays of a search, row-major, each from the start of its buffer. */
export interface SearchBuffers {
  /** [B, D] */
  readonly x: GpuBuffer;
  /** [K, D] */
  readonly prototypes: GpuBuffer;
  /** [B, D], float32; only for a masked search. */
  readonly mask?: GpuBuffer;
  /** [1, D], float32; only for a weighted search. */
  readonly weights?: GpuBuffer;
  /** [B] or [B, k], int32. */
  readonly index: GpuBuffer;
  /** δ [B], or similarities [B, k]. */
  readonly value: GpuBuffer;
}

/** A compiled search. Its runs on a queue share scratch memory, which is safe, since they run in order. */
export interface Search {
  readonly tile: Tile;
  /** Appends the search over B rows. Errors: BackendError for buffers that are too small. */
  encode(encoder: GpuCommandEncoder, rows: number, buffers: SearchBuffers): void;
  dispose(): void;
}

/** Slices of rows start at multiples of this, since bindings must start at multiples of 256 bytes. */
const sliceStep = 128;
const bytesOfType = { float32: 4, float16: 2 } as const;

/**
 * Compiles a search for the nearest prototype of each row (ties: the lowest index) and δ to it (`k: 0`), or for the `k` most
 * similar ones. Errors: OptionError; BackendError if the device lacks float16, workgroup memory, or room for k.
 */
export function search(device: GpuDevice, spec: SearchSpec, given?: Tile): Search {
  checkSearch(spec);
  const halves = spec.rowType === 'float16' || spec.prototypeType === 'float16';
  if (halves && !device.features.has('shader-f16')) {
    throw new BackendError(
      'float16 rows need a device with the feature shader-f16; request it where the adapter has it, or use float32.',
      {},
      'webgpu',
    );
  }
  const { operands } = scoringOf(spec);
  const perRow = looksAtLengths(spec) ? 1 : 0;
  const tile = given ?? chooseTile(device, spec.prototypes, operands, spec.k > 0 ? 16 : 64, perRow);
  const layout = preparedLayout(spec, tile);
  const prepared = device.createBuffer({ size: 4 * layout.size, usage: usage.storage });
  const pipeline = (code: string): Pipeline => pipelineOf(device, code);
  const preparing = preparePasses(spec, tile).map((pass) => ({ ...pass, pipeline: pipeline(pass.code) }));
  const searching = pipeline(searchShader(spec, tile));
  const uniforms = new Uniforms(device);
  const { maxComputeWorkgroupsPerDimension: mostGroups, maxStorageBufferBindingSize: mostBytes } =
    device.limits;

  const group = (of: { getBindGroupLayout(index: number): object }, entries: readonly Entry[]): object =>
    device.createBindGroup({
      layout: of.getBindGroupLayout(0),
      entries: entries.map(({ buffer, offset = 0, size }, binding) => ({
        binding,
        resource: { buffer, offset, ...(size === undefined ? {} : { size }) },
      })),
    });

  const { columns, k } = spec;
  const rowBytes = columns * (spec.masked ? 4 : bytesOfType[spec.rowType]);
  const width = Math.max(1, k);
  const mostRows = Math.max(
    sliceStep,
    Math.floor(mostBytes / Math.max(rowBytes, 4 * width) / sliceStep) * sliceStep,
  );

  return {
    tile,
    encode(encoder, rows, buffers) {
      const bound = { ...buffers, prepared } as Readonly<Record<string, GpuBuffer>>;
      const needs: Readonly<Record<string, number>> = {
        x: rows * columns * bytesOfType[spec.rowType],
        prototypes: spec.prototypes * columns * bytesOfType[spec.prototypeType],
        mask: 4 * rows * columns,
        weights: 4 * columns,
        index: 4 * rows * width,
        value: 4 * rows * width,
      };
      for (const name of new Set([...bindings(spec), ...preparing.flatMap((pass) => pass.bindings)])) {
        const size = needs[name];
        if (size === undefined || (bound[name]?.size ?? 0) >= size) continue;
        throw new BackendError(
          `search: ${name} has ${bound[name]?.size ?? 0} bytes, ${rows} rows need ${size}.`,
          { name, rows, size },
          'webgpu',
        );
      }
      const pass = encoder.beginComputePass();
      for (const { pipeline: prepare, groups, bindings: names } of preparing) {
        pass.setPipeline(prepare);
        pass.setBindGroup(
          0,
          group(
            prepare,
            names.map((name) => ({ buffer: bound[name] as GpuBuffer })),
          ),
        );
        pass.dispatchWorkgroups(groups);
      }
      pass.setPipeline(searching);
      for (let begin = 0; begin < rows; begin += mostRows) {
        const count = Math.min(mostRows, rows - begin);
        const groups = Math.ceil(count / tile.rows);
        const across = Math.min(groups, mostGroups);
        const slice = (bytes: number, name: string): Entry => ({
          buffer: bound[name] as GpuBuffer,
          offset: begin * bytes,
          size: Math.ceil((count * bytes) / 4) * 4,
        });
        const entries: Readonly<Record<string, () => Entry>> = {
          prepared: () => ({ buffer: prepared }),
          x: () => slice(columns * bytesOfType[spec.rowType], 'x'),
          mask: () => slice(4 * columns, 'mask'),
          index: () => slice(4 * width, 'index'),
          value: () => slice(4 * width, 'value'),
          params: () => ({ buffer: uniforms.of(count, 0x7fc00000, across, 0) }),
        };
        pass.setBindGroup(
          0,
          group(
            searching,
            bindings(spec).map((name) => (entries[name] as () => Entry)()),
          ),
        );
        pass.dispatchWorkgroups(across, Math.ceil(groups / across));
      }
      pass.end();
    },
    dispose() {
      prepared.destroy();
      uniforms.dispose();
    },
  };
}

interface Entry {
  readonly buffer: GpuBuffer;
  readonly offset?: number;
  readonly size?: number;
}

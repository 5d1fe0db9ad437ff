// Sums by prototype on a device: pipelines are created once; memory grows to the most rows so far.

import { checkOptions, integer, type Rule } from '@fkm/core/internal';
import type { GpuBuffer, GpuCommandEncoder, GpuDevice } from './gpu.js';
import { usage } from './gpu.js';
import { type Pipeline, pipelineOf } from './pipelines.js';
import {
  addShader,
  blockRows,
  chunk,
  countShader,
  gatherShader,
  keys,
  lanesOf,
  orderShader,
  type SumsSpec,
  scanShader,
  totalsShader,
} from './sums-shader.js';

/** The arrays of the sums, row-major, each from the start of its buffer. */
export interface SumsBuffers {
  /** [B, D], float32 */
  readonly x: GpuBuffer;
  /** [B], float32 */
  readonly w: GpuBuffer;
  /** [B], int32: the prototype of each row, as returned by a search. */
  readonly index: GpuBuffer;
  /** Σ w·x [K, D] */
  readonly sums: GpuBuffer;
  /** Σ w [K] */
  readonly weights: GpuBuffer;
}

/** Compiled sums. The rows of a prototype are added in a fixed order, so the same rows give the same bits. */
export interface Sums {
  encode(encoder: GpuCommandEncoder, rows: number, buffers: SumsBuffers): void;
  dispose(): void;
}

interface Scratch {
  readonly rows: number;
  readonly counts: GpuBuffer;
  readonly totals: GpuBuffer;
  readonly order: GpuBuffer;
  readonly parts: GpuBuffer;
  readonly params: GpuBuffer;
}

/** Approximate number of rows that a workgroup sums; prototypes with more rows are divided into slices. */
const sliceRows = 128;
const mostSlices = 16;

const rules: { readonly [N in keyof SumsSpec]: Rule } = { columns: integer(1), prototypes: integer(1) };

/** Σ w·x and Σ w over the rows of each prototype. Errors: OptionError. */
export function sumsByIndex(device: GpuDevice, spec: SumsSpec): Sums {
  checkOptions(spec, rules, { call: 'sumsByIndex', scope: 'webgpu' });
  const { columns, prototypes } = spec;
  const pipeline = (code: string): Pipeline => pipelineOf(device, code);
  const count = pipeline(countShader(spec));
  const scan = pipeline(scanShader());
  const addTotals = pipeline(totalsShader());
  const sort = pipeline(orderShader(spec));
  const add = pipeline(addShader(spec));
  const gather = pipeline(gatherShader(spec));
  const mostGroups = device.limits.maxComputeWorkgroupsPerDimension;
  let scratch: Scratch | undefined;

  const slicesOf = (rows: number): number =>
    Math.max(1, Math.min(mostSlices, Math.ceil(rows / (prototypes * sliceRows))));

  const scratchFor = (rows: number): Scratch => {
    if (scratch?.rows === rows) return scratch;
    free(scratch);
    const blocks = Math.ceil(rows / blockRows);
    const size = prototypes * blocks;
    const slices = slicesOf(rows);
    const memory = (numbers: number): GpuBuffer =>
      device.createBuffer({ size: 4 * Math.max(4, numbers), usage: usage.storage });
    const params = device.createBuffer({ size: 32, usage: usage.uniform | usage.copyDestination });
    const across = Math.min(mostGroups, prototypes * slices);
    device.queue.writeBuffer(params, 0, Uint32Array.of(rows, blocks, slices, size, across, 0, 0, 0));
    scratch = {
      rows,
      counts: memory(size),
      totals: memory(Math.ceil(size / chunk)),
      order: memory(rows),
      parts: memory(prototypes * slices * (columns + 1)),
      params,
    };
    return scratch;
  };

  return {
    encode(encoder, rows, { x, w, index, sums, weights }) {
      const { counts, totals, order, parts, params } = scratchFor(rows);
      const pass = encoder.beginComputePass();
      const run = (
        of: typeof count,
        buffers: readonly GpuBuffer[],
        [across, down = 1, deep = 1]: readonly number[],
      ): void => {
        pass.setPipeline(of);
        const entries = [...buffers, params].map((buffer, binding) => ({ binding, resource: { buffer } }));
        pass.setBindGroup(0, device.createBindGroup({ layout: of.getBindGroupLayout(0), entries }));
        pass.dispatchWorkgroups(across as number, down, deep);
      };
      const blocks = Math.ceil(rows / blockRows);
      const ranges = Math.ceil(prototypes / keys);
      const groups = prototypes * slicesOf(rows);
      const across = Math.min(mostGroups, groups);
      run(count, [index, counts], [blocks, ranges]);
      run(scan, [counts, totals], [Math.ceil((prototypes * blocks) / chunk)]);
      run(addTotals, [totals], [1]);
      run(sort, [index, counts, totals, order], [blocks, ranges]);
      run(
        add,
        [x, w, order, counts, totals, parts],
        [across, Math.ceil(columns / lanesOf(columns)), Math.ceil(groups / across)],
      );
      run(gather, [parts, sums, weights], [Math.ceil((columns + 1) / 64), Math.min(prototypes, 32768)]);
      pass.end();
    },
    dispose() {
      free(scratch);
      scratch = undefined;
    },
  };
}

function free(scratch: Scratch | undefined): void {
  if (!scratch) return;
  for (const name of ['counts', 'totals', 'order', 'parts', 'params'] as const) scratch[name].destroy();
}

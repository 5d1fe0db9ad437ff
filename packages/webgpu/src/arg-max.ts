// ArgMax along rows, keeping the first of equal values: parallel reductions lose it unless they carry indices along.

import type { GpuBuffer, GpuCommandEncoder, GpuDevice } from './gpu.js';
import { pipelineOf } from './pipelines.js';
import { Uniforms } from './uniforms.js';

/** A compiled argMax along rows [rows, size]. */
export interface ArgMax {
  /** Appends the search: x [rows, size] to index [rows], int32. NaN is skipped, unless it is the first element. */
  encode(encoder: GpuCommandEncoder, rows: number, x: GpuBuffer, index: GpuBuffer): void;
  dispose(): void;
}

const threads = 64;

const code = (type: 'float32' | 'int32'): string => {
  const element = type === 'float32' ? 'f32' : 'i32';
  const lowest = type === 'float32' ? '-3.4028234e38f' : '-2147483647i - 1i';
  const unknown = (x: string): string =>
    type === 'float32' ? `((bitcast<u32>(${x}) & 0x7fffffffu) > 0x7f800000u)` : 'false';
  return `
struct Params { rows: u32, size: u32, groups: u32, unused: u32 }
@group(0) @binding(0) var<storage, read> x: array<${element}>;
@group(0) @binding(1) var<storage, read_write> index: array<i32>;
@group(0) @binding(2) var<uniform> params: Params;
var<workgroup> bests: array<${element}, ${threads}>;
var<workgroup> places: array<u32, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let row = group.y * params.groups + group.x;
  if (row >= params.rows) { return; }
  let first = row * params.size;
  var best = ${lowest};
  // Beyond the last place: what a lane has that found nothing above the lowest number.
  var place = params.size;
  for (var i = lid; i < params.size; i += ${threads}u) {
    let value = x[first + i];
    if (value > best && !${unknown('value')}) { best = value; place = i; }
  }
  bests[lid] = best;
  places[lid] = place;
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lid < half) {
      let other = bests[lid + half];
      if (other > bests[lid] || (other == bests[lid] && places[lid + half] < places[lid])) {
        bests[lid] = other;
        places[lid] = places[lid + half];
      }
    }
  }
  if (lid == 0u) {
    index[row] = select(i32(places[0]), 0, places[0] >= params.size || ${unknown('x[first]')});
  }
}`;
};

/** The first maximum along rows of `size` elements. */
export function argMax(device: GpuDevice, type: 'float32' | 'int32', size: number): ArgMax {
  const pipeline = pipelineOf(device, code(type));
  const uniforms = new Uniforms(device);
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  return {
    encode(encoder, rows, x, index) {
      const across = Math.min(rows, most);
      const uniform = uniforms.of(rows, size, across, 0);
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: [x, index, uniform].map((buffer, binding) => ({ binding, resource: { buffer } })),
        }),
      );
      pass.dispatchWorkgroups(across, Math.ceil(rows / across));
      pass.end();
    },
    dispose: () => uniforms.dispose(),
  };
}

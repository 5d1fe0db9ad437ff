// Checks what backends need in a page: a WebGPU adapter that computes, and shared memory.

/** The parts that are used: WebGPU's types are not part of TypeScript's DOM types. */
interface Gpu {
  requestAdapter(): Promise<{ requestDevice(): Promise<Device> } | null>;
}
// biome-ignore lint/suspicious/noExplicitAny: see above
type Device = any;

async function sum(device: Device, a: readonly number[], b: readonly number[]): Promise<number[]> {
  const size = 4 * a.length;
  // STORAGE | COPY_SRC | COPY_DST, MAP_READ | COPY_DST
  const [storage, readable] = [0x80 | 0x4 | 0x8, 0x1 | 0x8];
  const buffers = [a, b].map((data) => {
    const buffer = device.createBuffer({ size, usage: storage });
    device.queue.writeBuffer(buffer, 0, Float32Array.from(data));
    return buffer;
  });
  const code = `
    @group(0) @binding(0) var<storage, read_write> a: array<f32>;
    @group(0) @binding(1) var<storage, read_write> b: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&a)) { a[id.x] += b[id.x]; }
    }`;
  const compute = { module: device.createShaderModule({ code }), entryPoint: 'main' };
  const pipeline = device.createComputePipeline({ layout: 'auto', compute });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const out = device.createBuffer({ size, usage: readable });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffers[0], 0, out, 0, size);
  device.queue.submit([encoder.finish()]);
  await out.mapAsync(1);
  return Array.from(new Float32Array(out.getMappedRange()));
}

export async function run(): Promise<unknown> {
  const { gpu } = navigator as unknown as { readonly gpu?: Gpu };
  const adapter = (await gpu?.requestAdapter()) ?? null;
  const device = await adapter?.requestDevice();
  return {
    isolated: crossOriginIsolated && new SharedArrayBuffer(8).byteLength === 8,
    adapter: adapter !== null,
    sum: device && (await sum(device, [1, 2, 3], [2, 3, 4])),
  };
}

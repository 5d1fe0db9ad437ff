// `@fkm/webgpu`: searches over prototypes and sums by prototype as WebGPU compute passes over a GPUDevice and its buffers.

export { type ArgMax, argMax } from './arg-max.js';
export { type CompositeKernel, compositeKernel, compositeNames, hasKernel } from './composites.js';
export { findGpu, noAdapter, type Opened, type OpenOptions, openDevice } from './device.js';
export { type GpuBuffer, type GpuCommandEncoder, type GpuComputePass, type GpuDevice, usage } from './gpu.js';
export { fuseLoops, loopName } from './loops/fuse.js';
export { type LoopKernel, Loops } from './loops/loop.js';
export { type Search, type SearchBuffers, search } from './search.js';
export type { SearchSpec } from './spec.js';
export { type Sums, type SumsBuffers, sumsByIndex } from './sums.js';
export type { SumsSpec } from './sums-shader.js';
export type { Tile } from './tiles.js';

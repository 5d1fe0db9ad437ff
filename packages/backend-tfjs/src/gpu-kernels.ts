// Our kernels on the GPUDevice of tfjs' webgpu backend, for composites and for chains of ops that tfjs runs one by one.

import { trace, transpose } from '@fkm/core/graph';
import { defaultMaxGraphs, Recent } from '@fkm/core/internal';
import {
  type ArgMax,
  argMax,
  compositeNames,
  fuseLoops,
  hasKernel,
  type LoopKernel,
  Loops,
  loopName,
} from '@fkm/webgpu';
import { bufferOf, encodeKernel, encoderOf, type WebGpuStorage, write } from './gpu-storage.js';
import type { Call, GpuKernels, TfjsDType } from './kernel-types.js';
import { lowerLoop } from './loops.js';
import { lowerComposite } from './searches.js';
import type { TensorInfo, TfjsStorage } from './tfjs.js';

export function gpuKernelsOn(storage: TfjsStorage): GpuKernels {
  const gpu = storage as WebGpuStorage;
  const { device } = gpu;
  const loops = new Loops(device);
  return {
    names: compositeNames,
    fuse: (graph) => fuseLoops(graph, device.limits.maxStorageBuffersPerShaderStage, hasKernel),
    lower: (equation) =>
      equation.attrs.name === loopName ? lowerLoop(gpu, loops, equation) : lowerComposite(gpu, equation),
    kernels: { ArgMax: argMaxOn(gpu), Transpose: transposeOn(gpu, loops) },
    write: (values, shape, dtype) => write(gpu, values as Float32Array, shape, dtype),
  };
}

/** Along the last axis of a matrix; tfjs' kernel does not keep the first of equal values. */
function argMaxOn(gpu: WebGpuStorage): Call {
  const ready = new Recent<string, ArgMax>(defaultMaxGraphs);
  return (inputs) => {
    const { x } = inputs as { x: TensorInfo };
    const [rows, size] = x.shape as [number, number];
    const type = x.dtype === 'float32' ? 'float32' : 'int32';
    const key = `${type} ${size}`;
    const kernel = ready.get(key, () => argMax(gpu.device, type, size));
    const index = gpu.makeTensorInfo([rows], 'int32');
    const [from, to] = [bufferOf(gpu, x), bufferOf(gpu, index)];
    kernel.encode(encoderOf(gpu), rows, from, to);
    return index;
  };
}

/** tfjs' kernel does not compile for integers. */
function transposeOn(gpu: WebGpuStorage, loops: Loops): Call {
  const ready = new Recent<string, LoopKernel>(defaultMaxGraphs);
  return (inputs, attrs) => {
    const { x } = inputs as { x: TensorInfo };
    const { perm } = attrs as { readonly perm: readonly number[] };
    const { shape } = x;
    const dtype = x.dtype as TfjsDType;
    const key = `${dtype} ${shape} ${perm}`;
    const kernel = ready.get(key, () =>
      loops.compile(trace('transpose', { x: { shape, dtype } }, (t) => ({ y: transpose(t.x, perm) }))),
    );
    const out = gpu.makeTensorInfo(
      perm.map((axis) => shape[axis] as number),
      dtype,
    );
    const [from, to] = [bufferOf(gpu, x), bufferOf(gpu, out)];
    encodeKernel(gpu, (pass) => kernel.encode(pass, 0, [from], [to]));
    return out;
  };
}

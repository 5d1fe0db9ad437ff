// The composites that search prototypes, as fused kernels on the GPUDevice of tfjs' webgpu backend: compute passes between
// those of tfjs, on its buffers and in its command encoder, so that order and memory stay its business.

import { type Equation, isOp, type Shape } from '@fkm/core/graph';
import {
  type ArgMax,
  argMax,
  type GpuBuffer,
  type GpuCommandEncoder,
  type GpuDevice,
  type Search,
  type SearchSpec,
  search,
} from '@fkm/webgpu';
import type { Call } from './device.js';
import type { Run } from './lower.js';
import type { TensorInfo, TfjsStorage } from './tfjs.js';

/** Kernels in place of composites. */
export interface Searches {
  /** Names of the composites, as flags list them. */
  readonly names: readonly string[];
  /** The kernel of a composite, or undefined where its body has to do. */
  lower(equation: Equation<'composite'>): { readonly run: Run; readonly dispose: () => void } | undefined;
  /** Like tfjs' ArgMax along the last axis of a matrix, whose lanes lose the first of equals. */
  readonly argMax: Call;
}

/** What is used of tfjs' WebGPUBackend 4.22.0 beyond its storage. */
interface WebGpuStorage extends TfjsStorage {
  readonly device: GpuDevice;
  readonly tensorMap: { get(dataId: object): { readonly resource?: GpuBuffer } };
  readonly commandEncoder: GpuCommandEncoder | null;
  /** Tensors of commands that were not submitted yet: their memory is kept until they are. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  uploadToGPU(dataId: object): void;
  makeTensorInfo(shape: readonly number[], dtype: string): TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const distances = ['cosine', 'euclidean', 'l1'] as const;
/** Most similar ones that a thread keeps beside its sums. */
const mostSimilar = 32;
/** Places beyond are not exact in float32. */
const mostPrototypes = 2 ** 24;

export function searchesOn(storage: TfjsStorage): Searches {
  const gpu = storage as WebGpuStorage;
  const largest = new Map<string, ArgMax>();
  return {
    argMax(inputs) {
      const { x } = inputs as { x: TensorInfo };
      const [rows, size] = x.shape as [number, number];
      const type = x.dtype === 'float32' ? 'float32' : 'int32';
      const key = `${type} ${size}`;
      const ready = largest.get(key) ?? argMax(gpu.device, type, size);
      largest.set(key, ready);
      const index = gpu.makeTensorInfo([rows], 'int32');
      const [from, to] = [bufferOf(gpu, x), bufferOf(gpu, index)];
      ready.encode(encoderOf(gpu), rows, from, to);
      return index;
    },
    names: ['nearest', 'topKSimilar'].flatMap((what) => distances.map((distance) => `${what}.${distance}`)),
    lower(equation) {
      const spec = specOf(equation);
      if (!spec) return undefined;
      let ready: Search | undefined;
      const names = equation.attrs.body.inputs.map((port) => port.name);
      return {
        run: (tensors) => {
          ready ??= search(gpu.device, spec);
          return run(gpu, ready, spec, names, tensors);
        },
        dispose: () => {
          // Commands that use its memory may wait to be submitted.
          if (ready && gpu.commandEncoder) {
            gpu.endComputePassEncoder();
            gpu.submitQueue();
          }
          ready?.dispose();
          ready = undefined;
        },
      };
    },
  };
}

/** The memory of a tensor, kept until the commands that use it are submitted. */
function bufferOf(gpu: WebGpuStorage, { dataId }: TensorInfo): GpuBuffer {
  gpu.uploadToGPU(dataId);
  gpu.commandQueueOwnedIds.add(dataId);
  return gpu.tensorMap.get(dataId).resource as GpuBuffer;
}

/** tfjs' encoder, between passes. */
function encoderOf(gpu: WebGpuStorage): GpuCommandEncoder {
  gpu.ensureCommandEncoderReady();
  gpu.endComputePassEncoder();
  return gpu.commandEncoder as GpuCommandEncoder;
}

function run(
  gpu: WebGpuStorage,
  ready: Search,
  spec: SearchSpec,
  names: readonly string[],
  tensors: readonly TensorInfo[],
): TensorInfo[] {
  const rows = (tensors[names.indexOf('x')] as TensorInfo).shape[0] as number;
  const shape = spec.k === 0 ? [rows] : [rows, spec.k];
  const index = gpu.makeTensorInfo(shape, 'int32');
  const value = gpu.makeTensorInfo(shape, 'float32');
  const buffers = {
    ...Object.fromEntries(names.map((name, i) => [name, bufferOf(gpu, tensors[i] as TensorInfo)])),
    index: bufferOf(gpu, index),
    value: bufferOf(gpu, value),
  };
  ready.encode(encoderOf(gpu), rows, buffers as Parameters<Search['encode']>[2]);
  return spec.k === 0 ? [index, value] : [value, index];
}

/** What a composite searches, where a kernel can: float32, one head, a mask of its own for each row. */
function specOf({ attrs: { name, body } }: Equation<'composite'>): SearchSpec | undefined {
  const [what, by] = name.split('.');
  const distance = distances.find((one) => one === by);
  if (!distance || (what !== 'nearest' && what !== 'topKSimilar')) return undefined;
  const shapes = new Map<string, Shape>(body.inputs.map((port) => [port.name, port.variable.shape]));
  if (body.inputs.some((port) => port.variable.dtype !== 'float32')) return undefined;
  const [x, prototypes] = [shapes.get('x'), shapes.get('prototypes')];
  const [mask, weights] = [shapes.get('mask'), shapes.get('weights')];
  if (x?.length !== 2 || prototypes?.length !== 2) return undefined;
  if ((mask && mask.join() !== x.join()) || (weights && weights[0] !== 1)) return undefined;
  const top = body.equations.find((one) => isOp(one, 'topK')) as Equation<'topK'> | undefined;
  const k = what === 'nearest' ? 0 : (top?.attrs.k ?? Number.POSITIVE_INFINITY);
  const [count = 0, columns = 0] = prototypes;
  if (k > mostSimilar || count > mostPrototypes || count === 0 || columns === 0) return undefined;
  return {
    distance,
    columns,
    prototypes: count,
    masked: mask !== undefined,
    weighted: weights !== undefined,
    rowType: 'float32',
    prototypeType: 'float32',
    k,
  };
}

// One tfjs backend, as its registered kernels and its memory. Kernels are called directly, not through tfjs' engine:
// the engine has one current backend a process, and this way two of ours run side by side and touch no global state.

import { BackendError, type Shape, sizeOf, type TypedArray } from '@fkm/core/graph';
import type { Call, GpuKernels, TfjsDType } from './kernel-types.js';
import { versionsOf } from './packages.js';
import type { Attributes, KernelFunc, TensorInfo, TfjsCore, TfjsStorage } from './tfjs.js';

/** Where the kernels of a device differ from what their names promise. */
export interface Quirks {
  /** A cast keeps the array that it was given: an int32 array then stands for float32, unrounded. */
  readonly castAliases: boolean;
  /** `read` hands out the array that holds the tensor. */
  readonly readAliases: boolean;
  /** Only float32 add, sub, mul and div broadcast fast; others take microseconds an element. */
  readonly slowBroadcast: boolean;
  /** Elementwise kernels leave their result uninitialised beyond this rank. */
  readonly maxRank: number;
  /** Maximum and Minimum lose a NaN in their second operand, ClipByValue in some places of its only one. */
  readonly losesNaN: boolean;
  /** TopK with k below the length takes any of tied infinities. */
  readonly topKLosesTies: boolean;
  /** BatchMatMul is fast for one matrix by one matrix, neither transposed, and keeps its right operand packed by dataId. */
  readonly packsMatrices: boolean;
  /** RealDiv leaves fractions in an int32 array. */
  readonly fractions: boolean;
  /** BatchMatMul reads one row and one column beyond odd inner sizes, where elementwise kernels leave numbers. */
  readonly dirtyPadding: boolean;
  /** Memory is not the host's: it is read in its own time or not at all. */
  readonly remote: boolean;
}

const none: Attributes = {};

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

export class Device {
  readonly name: string;
  readonly quirks: Quirks;
  readonly storage: TfjsStorage;
  /** Kernels of our own, where there are any. */
  readonly gpu: GpuKernels | undefined;
  private readonly tf: TfjsCore;
  private readonly backend: string;

  constructor(
    name: string,
    tf: TfjsCore,
    storage: TfjsStorage,
    quirks: Quirks,
    backend: string = name,
    gpu?: GpuKernels,
  ) {
    this.name = name;
    this.backend = backend;
    this.gpu = gpu;
    this.tf = tf;
    this.storage = storage;
    this.quirks = quirks;
  }

  /** A kernel with several results. Errors: BackendError where the device lacks it. */
  kernels(name: string): (...call: Parameters<Call>) => TensorInfo[] {
    const own = this.gpu?.kernels[name];
    if (own) return (...call) => [own(...call)];
    const kernel = this.tf.getKernel(name, this.backend);
    if (!kernel) {
      throw new BackendError(
        `tfjs '${this.name}' has no kernel ${name}; install ${versionsOf(this.name)}.`,
        { kernel: name, device: this.name },
        'backend-tfjs',
      );
    }
    const kernelFunc = kernel.kernelFunc as KernelFunc;
    const backend = this.storage;
    return (inputs, attrs = none) => [kernelFunc({ inputs, attrs, backend })].flat();
  }

  /** A kernel with one result. Errors: BackendError where the device lacks it. */
  kernel(name: string): Call {
    const call = this.kernels(name);
    return (inputs, attrs) => call(inputs, attrs)[0] as TensorInfo;
  }

  write(data: TypedArray, shape: Shape, dtype: TfjsDType): TensorInfo {
    const own = [...shape];
    const ArrayType = arrays[dtype];
    const values = data instanceof ArrayType ? data : new ArrayType(data);
    const dataId = this.gpu ? this.gpu.write(values, own, dtype) : this.storage.write(values, own, dtype);
    return { dataId, shape: own, dtype };
  }

  /** A copy of the elements. */
  async read({ dataId, dtype }: TensorInfo): Promise<TypedArray> {
    return this.own(await this.storage.read(dataId), dtype as TfjsDType);
  }

  /** A copy of the elements, now: for devices whose memory is the host's. */
  readSync({ dataId, dtype }: TensorInfo): TypedArray {
    return this.own(this.storage.readSync(dataId), dtype as TfjsDType);
  }

  /** The same elements in another shape, without a reference of its own: it lives as long as x. */
  view({ dataId, dtype }: TensorInfo, shape: Shape): TensorInfo {
    return { dataId, shape: shape as number[], dtype };
  }

  /** The same elements in another shape, with a reference of its own. */
  share(x: TensorInfo, shape: Shape = x.shape): TensorInfo {
    this.storage.incRef(x.dataId);
    return this.view(x, shape);
  }

  free({ dataId }: TensorInfo): void {
    this.storage.disposeData(dataId);
  }

  /** use(temporary), after which the temporary is freed. */
  using<T>(temporary: TensorInfo, use: (x: TensorInfo) => T): T {
    try {
      return use(temporary);
    } finally {
      this.free(temporary);
    }
  }

  private own(data: unknown, dtype: TfjsDType): TypedArray {
    const ArrayType = arrays[dtype];
    if (data instanceof ArrayType && !this.quirks.readAliases) return data;
    return new ArrayType(data as TypedArray);
  }
}

/** Elements of a tensor. */
export const countOf = (x: TensorInfo): number => sizeOf(x.shape);

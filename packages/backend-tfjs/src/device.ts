// A tfjs backend as its registered kernels and its memory. Kernels are called directly, not through tfjs' engine: the engine has
// one current backend a process, while this way two of ours run side by side without touching global state.

import { BackendError, type Shape, sizeOf, type TypedArray } from '@fkm/core/graph';
import type { Call, GpuKernels, TfjsDType } from './kernel-types.js';
import { versionsOf } from './packages.js';
import type { Attributes, KernelFunc, TensorInfo, TfjsCore, TfjsStorage } from './tfjs.js';

/** Where a device's kernels differ from their documented behaviour. */
export interface Quirks {
  /** A cast reuses its input array: an int32 array can then stand for float32, without rounding. */
  readonly castAliases: boolean;
  /** `read` returns the array that holds the tensor, not a copy. */
  readonly readAliases: boolean;
  /** Broadcasting is fast only in float32 add, sub, mul and div; other kernels take microseconds an element. */
  readonly slowBroadcast: boolean;
  /** Above this rank, elementwise kernels leave their result uninitialised. */
  readonly maxRank: number;
  /** Maximum and Minimum lose a NaN in their second operand; ClipByValue loses some NaN. */
  readonly losesNaN: boolean;
  /** TopK with k below the length picks arbitrarily among tied infinities. */
  readonly topKLosesTies: boolean;
  /** BatchMatMul is fast only for two plain matrices, neither transposed, and caches its packed right operand by dataId. */
  readonly packsMatrices: boolean;
  /** RealDiv leaves fractions in an int32 array. */
  readonly fractions: boolean;
  /** BatchMatMul reads one row and one column beyond odd inner sizes, where elementwise kernels leave arbitrary numbers. */
  readonly dirtyPadding: boolean;
  /** Memory is not on the host: reading it is asynchronous, or impossible. */
  readonly remote: boolean;
}

const none: Attributes = {};

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

export class Device {
  readonly name: string;
  readonly quirks: Quirks;
  readonly storage: TfjsStorage;
  /** Our own kernels, if the device has any. */
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

  /** A kernel with several results. Errors: BackendError if the device lacks it. */
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

  /** A kernel with one result. Errors: BackendError if the device lacks it. */
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

  /** A synchronous copy of the elements, for devices with host memory. */
  readSync({ dataId, dtype }: TensorInfo): TypedArray {
    return this.own(this.storage.readSync(dataId), dtype as TfjsDType);
  }

  /** The same elements in another shape, without a reference of its own: valid as long as x. */
  view({ dataId, dtype }: TensorInfo, shape: Shape): TensorInfo {
    return { dataId, shape: shape as number[], dtype };
  }

  /** The same elements in another shape, with their own reference. */
  share(x: TensorInfo, shape: Shape = x.shape): TensorInfo {
    this.storage.incRef(x.dataId);
    return this.view(x, shape);
  }

  free({ dataId }: TensorInfo): void {
    this.storage.disposeData(dataId);
  }

  /** The result of use(temporary), after which the temporary is freed. */
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

/** Number of elements of a tensor. */
export const countOf = (x: TensorInfo): number => sizeOf(x.shape);

// An onnxruntime tensor as a Value of core.

import {
  BackendError,
  type DType,
  isShared,
  type NdArray,
  type Shape,
  ShapeError,
  StateError,
  sizeOf,
  type TypedArray,
} from '@fkm/core/graph';
import type { OrtTensor } from './driver.js';
import { elementsOf, isOnHost, type Runtime } from './runtime.js';

type OrtType = 'float32' | 'float16' | 'int32' | 'bool';

const arrayOf = { float32: Float32Array, float16: Uint16Array, int32: Int32Array, bool: Uint8Array } as const;
const hasTensor = (dtype: DType): dtype is OrtType => dtype in arrayOf;

/** What a run passes on with its result. */
export interface Made {
  freed(): void;
}

export class OnnxValue {
  readonly shape: Shape;
  readonly dtype: DType;
  private readonly runtime: Runtime;
  private readonly made: Made | undefined;
  private held: OrtTensor | null;

  /** `made`: a run created the tensor, and nobody else holds its elements. */
  constructor(runtime: Runtime, tensor: OrtTensor, made?: Made) {
    this.runtime = runtime;
    this.made = made;
    this.held = tensor;
    this.shape = tensor.dims;
    this.dtype = tensor.type as OrtType;
  }

  /** The tensor, for a run on `runtime`. Errors: StateError once disposed, BackendError on another device. */
  on(runtime: Runtime): OrtTensor {
    const [from, to] = [this.runtime.driver.name, runtime.driver.name];
    // A GPU tensor in a CPU session would silently give garbage.
    if (from !== to) {
      throw new BackendError(
        `a value on ${from} cannot be used on ${to}; read() it and upload() it there.`,
        { from, to },
        'backend-onnx',
      );
    }
    if (!this.held)
      throw new StateError('this value was disposed; keep it until its last use.', {}, 'backend-onnx');
    return this.held;
  }

  async read(): Promise<TypedArray> {
    return this.runtime.read(this.on(this.runtime));
  }

  async take(): Promise<TypedArray> {
    const tensor = this.on(this.runtime);
    const data = await (this.made && isOnHost(tensor) ? elementsOf(tensor) : this.read());
    this.dispose();
    return data;
  }

  dispose(): void {
    if (!this.held) return;
    this.held.dispose();
    this.held = null;
    this.made?.freed();
  }
}

/**
 * Wraps an array without copying it, unless its memory is shared between threads, which onnxruntime refuses. Errors: BackendError,
 * ShapeError.
 */
export function upload(runtime: Runtime, { data, shape, dtype }: NdArray): OnnxValue {
  if (!hasTensor(dtype)) {
    throw new BackendError(
      `upload: onnxruntime has no ${dtype} tensors; use float32.`,
      { dtype },
      'backend-onnx',
    );
  }
  if (!(data instanceof arrayOf[dtype])) {
    throw new BackendError(
      `upload: a ${dtype} tensor wants a ${arrayOf[dtype].name}, got a ${data.constructor.name}; convert it with ndarray(values, shape, dtype).`,
      { dtype },
      'backend-onnx',
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `upload: ${data.length} values do not fill the shape [${shape}].`,
      { length: data.length, shape },
      'backend-onnx',
    );
  }
  const own = isShared(data) ? data.slice() : data;
  return new OnnxValue(runtime, new runtime.ort.Tensor(dtype, own as never, shape));
}

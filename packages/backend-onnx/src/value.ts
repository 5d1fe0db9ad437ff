// A tensor of onnxruntime as a Value of core.

import {
  BackendError,
  type DType,
  type NdArray,
  type Shape,
  ShapeError,
  StateError,
  sizeOf,
  type TypedArray,
} from '@fkm/core/graph';
import type { OrtModule, OrtTensor } from './driver.js';

type OrtType = 'float32' | 'float16' | 'int32' | 'bool';

const arrayOf = { float32: Float32Array, float16: Uint16Array, int32: Int32Array, bool: Uint8Array } as const;
const hasTensor = (dtype: DType): dtype is OrtType => dtype in arrayOf;

export class OnnxValue {
  readonly shape: Shape;
  readonly dtype: DType;
  private held: OrtTensor | null;

  constructor(tensor: OrtTensor) {
    this.held = tensor;
    this.shape = tensor.dims;
    this.dtype = tensor.type as OrtType;
  }

  /** The runtime's tensor. Errors: StateError once disposed. */
  get tensor(): OrtTensor {
    if (!this.held)
      throw new StateError('this value was disposed; keep it until its last use.', {}, 'backend-onnx');
    return this.held;
  }

  async read(): Promise<TypedArray> {
    const data = await this.tensor.getData();
    return (data as TypedArray).slice();
  }

  dispose(): void {
    this.held?.dispose();
    this.held = null;
  }
}

/** Wraps an array without copying it. Errors: BackendError, ShapeError. */
export function upload(ort: OrtModule, { data, shape, dtype }: NdArray): OnnxValue {
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
  return new OnnxValue(new ort.Tensor(dtype, data as never, shape));
}

// Tensors of a tfjs device as values of core.

import {
  BackendError,
  type DType,
  type NdArray,
  type Shape,
  ShapeError,
  StateError,
  sizeOf,
  type TypedArray,
  type Value,
} from '@fkm/core/graph';
import type { Device } from './device.js';
import { isTfjsDType } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

const scope = 'backend-tfjs';

export class TfjsValue implements Value {
  readonly shape: Shape;
  readonly dtype: DType;
  private readonly device: Device;
  private tensor: TensorInfo | null;

  constructor(device: Device, tensor: TensorInfo) {
    this.device = device;
    this.tensor = tensor;
    this.shape = tensor.shape;
    this.dtype = tensor.dtype as DType;
  }

  /** The tensor, for a run on `device`. Errors: StateError once disposed, BackendError on another device. */
  on(device: Device): TensorInfo {
    if (this.device.storage !== device.storage) {
      throw new BackendError(
        `a value on tfjs '${this.device.name}' cannot be used on tfjs '${device.name}'; read() it and upload() it there.`,
        { from: this.device.name, to: device.name },
        scope,
      );
    }
    if (!this.tensor) throw new StateError('this value was disposed.', {}, scope);
    return this.tensor;
  }

  async read(): Promise<TypedArray> {
    return this.device.read(this.on(this.device));
  }

  dispose(): void {
    if (this.tensor) this.device.free(this.tensor);
    this.tensor = null;
  }
}

/** Host to device. Errors: BackendError for a dtype that tfjs lacks, ShapeError for a wrong length. */
export function upload(device: Device, { data, shape, dtype }: NdArray): TfjsValue {
  if (!isTfjsDType(dtype)) {
    throw new BackendError(`tfjs has no dtype ${dtype}; upload float32 instead.`, { dtype }, scope);
  }
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `an array of ${data.length} elements does not fill the shape [${shape}], which has ${sizeOf(shape)}.`,
      { length: data.length, shape },
      scope,
    );
  }
  return new TfjsValue(device, device.write(data, shape, dtype));
}

/** The tensor of a value. Errors: BackendError for a value of another backend. */
export function tensorOf(value: Value, device: Device): TensorInfo {
  if (value instanceof TfjsValue) return value.on(device);
  throw new BackendError(
    `a value of another backend cannot be used on tfjs '${device.name}'; read() it and upload() it there.`,
    { to: device.name },
    scope,
  );
}

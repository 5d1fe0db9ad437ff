// What differs between the devices of onnxruntime: which module runs them, with which session options, and what they lack.

import type { BackendError, BackendFlags, Equation } from '@fkm/core/graph';
import type { ToOnnxOptions } from '@fkm/onnx';

/** A tensor of the runtime. */
export interface OrtTensor {
  readonly type: string;
  readonly location?: string;
  readonly dims: readonly number[];
  /** Of tensors on the host. */
  readonly data?: unknown;
  /** Of tensors in WebGPU's memory. */
  readonly gpuBuffer?: unknown;
  getData(): Promise<unknown>;
  dispose(): void;
}

/** A loaded model. */
export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/**
 * The part of onnxruntime's module that is used: onnxruntime-node and onnxruntime-web have it. Spelled out here, so that
 * the declarations of this package need neither of the two.
 */
export interface OrtModule {
  readonly Tensor: {
    new (type: 'float32' | 'float16' | 'int32' | 'bool', data: never, dims: readonly number[]): OrtTensor;
    fromGpuBuffer(
      buffer: never,
      options: { dataType: 'float32' | 'int32'; dims: readonly number[]; dispose: () => void },
    ): OrtTensor;
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
}

/** Where the wasm binaries are: a folder's URL, or the URLs of the two files. */
export type WasmPaths = string | { readonly mjs?: string; readonly wasm?: string };

export interface DriverOptions {
  readonly threads?: number;
  readonly wasmPaths?: WasmPaths;
  /** A GPUDevice that sessions shall run on. */
  readonly device?: object;
}

export type SessionOptions = Readonly<Record<string, unknown>>;

export interface Driver {
  readonly name: string;
  readonly flags: BackendFlags;
  /** Imports the runtime. Errors: BackendError with the command that installs it. */
  load(options: DriverOptions): Promise<OrtModule>;
  session(options: DriverOptions): SessionOptions;
  /** How graphs are written for it. */
  readonly lowering?: ToOnnxOptions;
  /** The module takes one call at a time: what comes meanwhile waits. */
  readonly exclusive?: boolean;
  /** For sessions that bring tensors to the host, where outputs stay on the device. */
  download?(options: DriverOptions): SessionOptions;
  /** Sessions in browsers run on a GPUDevice of ours, beside kernels of ours. */
  readonly shares?: boolean;
  unsupported(equation: Equation): string | null;
  /** What a device that does not start wants; where it is there, starting is tried when the backend is made. */
  explain?(cause: Error): BackendError;
}

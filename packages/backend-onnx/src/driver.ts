// The differences between onnxruntime's devices: the module, its session options, and what they lack.

import type { BackendError, BackendFlags, Equation } from '@fkm/core/graph';
import type { ToOnnxOptions } from '@fkm/onnx';

/** A tensor of the runtime. */
export interface OrtTensor {
  readonly type: string;
  readonly location?: string;
  readonly dims: readonly number[];
  /** Present for tensors on the host. */
  readonly data?: unknown;
  /** Present for tensors in WebGPU memory. */
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
 * The part of onnxruntime's module that is used, common to onnxruntime-node and onnxruntime-web. It is declared here, so that this
 * package's declarations depend on neither.
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

/** Location of the wasm binaries: the URL of their folder, or the URLs of the two files. */
export type WasmPaths = string | { readonly mjs?: string; readonly wasm?: string };

export interface DriverOptions {
  readonly threads?: number;
  readonly wasmPaths?: WasmPaths;
  /** A GPUDevice for the sessions to run on. */
  readonly device?: object;
}

export type SessionOptions = Readonly<Record<string, unknown>>;

export interface Driver {
  readonly name: string;
  readonly flags: BackendFlags;
  /** Imports the runtime. Errors: BackendError with the command that installs it. */
  load(options: DriverOptions): Promise<OrtModule>;
  session(options: DriverOptions): SessionOptions;
  /** Options for lowering graphs to this device. */
  readonly lowering?: ToOnnxOptions;
  /** Whether the module takes one call at a time; further calls wait. */
  readonly exclusive?: boolean;
  /** Options of sessions that copy tensors to the host, if outputs stay on the device. */
  download?(options: DriverOptions): SessionOptions;
  /** Whether sessions in browsers share our GPUDevice with our kernels. */
  readonly shares?: boolean;
  unsupported(equation: Equation): string | null;
  /** The error for a device that does not start. With this method, the backend starts the device when it is created. */
  explain?(cause: Error): BackendError;
}

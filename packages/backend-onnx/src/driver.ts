// What differs between the devices of onnxruntime: which module runs them, with which session options, and what they lack.

import type { BackendFlags, Equation } from '@fkm/core/graph';

/** A tensor of the runtime. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
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
  readonly Tensor: new (
    type: 'float32' | 'float16' | 'int32' | 'bool',
    data: never,
    dims: readonly number[],
  ) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
}

export interface Driver {
  readonly name: string;
  readonly flags: BackendFlags;
  /** Imports the runtime. Errors: BackendError with the command that installs it. */
  load(): Promise<OrtModule>;
  session(options: { readonly threads?: number }): Readonly<Record<string, unknown>>;
  unsupported(equation: Equation): string | null;
}

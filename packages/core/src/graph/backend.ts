// The contract between core and a runtime: anything that can run a forward graph is a backend.

import type { Disposing } from '../disposal.js';
import type { DType, NdArray, Shape, TypedArray } from '../dtype.js';
import type { Equation, Graph } from './ir.js';

/** What a backend can do, as data. */
export interface BackendFlags {
  /** Element types that tensors may have here. */
  readonly dtypes: readonly DType[];
  /** Composites with a kernel of the backend's own; all others run as their bodies. */
  readonly fused: readonly string[];
  /** Where values live between runs. */
  readonly memory: 'host' | 'device';
  /** Arithmetic behind the dtype 'float32'. */
  readonly precision: 'float32' | 'float64';
}

/** An array that lives where the backend computes. */
export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Copies to the host. float16 and bfloat16 come as bits in a Uint16Array. */
  read(): Promise<TypedArray>;
  /** As `read` and then `dispose`; there where that saves the copy. */
  take?(): Promise<TypedArray>;
  /** Frees the memory; a second call does nothing. */
  dispose(): void;
}

/** A compiled graph. */
export interface Executable {
  /** Values for `graph.inputs`, in order; gives values for `graph.outputs`. Inputs stay alive and unchanged. */
  run(inputs: readonly Value[]): Promise<Value[]>;
  /** Frees the memory, after the runs that go on; the next run compiles again. */
  release?(): void;
  /** Frees the memory, after the runs that go on, for good: later runs reject with a StateError. */
  dispose(): void;
}

/** A runtime. Errors: `BackendError` where something is missing or unsupported; `StateError` of every call once disposed. */
export interface Backend extends Disposing {
  readonly name: string;
  readonly flags: BackendFlags;
  /** Why this equation cannot run here, or null. Asked for every equation before compiling. */
  unsupported(equation: Equation): string | null;
  /** Host to device. The array must not be changed while the value is in use. */
  upload(array: NdArray): Value;
  /** Compiles once per distinct graph: the same graph again gives the cached executable. Of many graphs the ones used last are held. */
  compile(graph: Graph): Promise<Executable>;
  /** Waits for runs that go on, and frees all graphs; values are their owners', who can still read them. A second call does nothing. */
  dispose(): Promise<void>;
}

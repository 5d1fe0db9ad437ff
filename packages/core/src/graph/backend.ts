// The contract between core and a runtime: anything that can run a forward graph is a backend.

import type { Disposing } from '../disposal.js';
import type { DType, NdArray, Shape, TypedArray } from '../dtype.js';
import type { Equation, Graph } from './ir.js';

/** The capabilities of a backend, as data. */
export interface BackendFlags {
  /** Element types of tensors. */
  readonly dtypes: readonly DType[];
  /** Composites for which the backend has its own kernel; others run as their bodies. */
  readonly fused: readonly string[];
  /** Where values live between runs. */
  readonly memory: 'host' | 'device';
  /** Precision of arithmetic on the dtype 'float32'. */
  readonly precision: 'float32' | 'float64';
}

/** An array that lives where the backend computes. */
export interface Value {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Copies the value to the host; float16 and bfloat16 as bits in a Uint16Array. */
  read(): Promise<TypedArray>;
  /** `read` and `dispose` in one, where that saves a copy. */
  take?(): Promise<TypedArray>;
  /** Frees the memory; a second call does nothing. */
  dispose(): void;
}

/** A compiled graph. */
export interface Executable {
  /** Takes values for `graph.inputs` in order, returns values for `graph.outputs`. Inputs stay alive and unchanged. */
  run(inputs: readonly Value[]): Promise<Value[]>;
  /** Frees the memory after current runs; the next run compiles again. */
  release?(): void;
  /** Frees the memory after current runs, for good: later runs reject with a StateError. */
  dispose(): void;
}

/**
 * A runtime for graphs. Errors: `BackendError` if something is missing or unsupported; `StateError` from every call after disposal.
 */
export interface Backend extends Disposing {
  readonly name: string;
  readonly flags: BackendFlags;
  /** Why this equation cannot run here, or null. Called for every equation before compiling. */
  unsupported(equation: Equation): string | null;
  /** Host to device. The array must not be changed while the value is in use. */
  upload(array: NdArray): Value;
  /** Compiles a graph; an equal graph gives the cached executable. The most recently used ones stay cached. */
  compile(graph: Graph): Promise<Executable>;
  /**
   * Waits for current runs and frees all graphs. Values belong to their owners and can still be read. A second call does nothing.
   */
  dispose(): Promise<void>;
}

// The reference backend: plain loops, no dependency. The oracle of every other backend.

import type { Backend, Executable, Value } from '../backend.js';
import type { NdArray, TypedArray } from '../dtype.js';
import { StateError } from '../errors.js';
import type { Graph } from '../graph/ir.js';
import { graphKey } from '../graph/print.js';
import { verify } from '../graph/verify.js';
import { evaluateGraph, type Precision } from './evaluate.js';

class HostValue implements Value {
  private array: NdArray | null;
  readonly shape: NdArray['shape'];
  readonly dtype: NdArray['dtype'];

  constructor(array: NdArray) {
    this.array = array;
    this.shape = array.shape;
    this.dtype = array.dtype;
  }

  get content(): NdArray {
    if (!this.array) throw new StateError('this value was disposed.');
    return this.array;
  }

  async read(): Promise<TypedArray> {
    return this.content.data.slice();
  }

  dispose(): void {
    this.array = null;
  }
}

/**
 * The reference backend, in plain JavaScript.
 * `precision: 'float64'` holds and computes 'float32' tensors in float64, for checking others against it.
 */
export function jsBackend(options: { precision?: Precision } = {}): Backend {
  const precision = options.precision ?? 'float32';
  const compiled = new Map<string, Executable>();
  return {
    name: precision === 'float64' ? 'js float64' : 'js',
    flags: {
      dtypes: ['float32', 'float16', 'bfloat16', 'int32', 'bool'],
      fused: [],
      memory: 'host',
      precision,
    },
    unsupported: () => null,
    upload: (array) => new HostValue(array),
    async compile(graph: Graph): Promise<Executable> {
      const key = graphKey(graph);
      const known = compiled.get(key);
      if (known) return known;
      verify(graph);
      const executable: Executable = {
        async run(inputs) {
          const arrays = inputs.map((value) => (value as HostValue).content);
          return evaluateGraph(graph, arrays, precision).map((array) => new HostValue(array));
        },
        dispose: () => {
          compiled.delete(key);
        },
      };
      compiled.set(key, executable);
      return executable;
    },
    async dispose() {
      compiled.clear();
    },
  };
}

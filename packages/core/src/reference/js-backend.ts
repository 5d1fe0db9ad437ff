// The reference backend: plain loops, no dependency. The oracle of every other backend.

import { checkOptions, oneOf } from '../checked-options.js';
import { disposing } from '../disposal.js';
import type { NdArray, TypedArray } from '../dtype.js';
import { StateError } from '../errors.js';
import type { Backend, Value } from '../graph/backend.js';
import { CompiledGraphs, graphsRule } from '../graph/compiled-graphs.js';
import { evaluateGraph, type Precision } from '../graph/evaluate.js';
import { verify } from '../graph/verify.js';

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

export interface JsBackendOptions {
  /** 'float64' stores and computes 'float32' tensors in float64, as an oracle for other backends. Default 'float32'. */
  readonly precision?: Precision | undefined;
  /** Compiled graphs held at a time; one more frees the least recently run, which compiles again at its next run. Default 64. */
  readonly maxGraphs?: number | undefined;
}

/** The reference backend, in plain JavaScript. Errors: OptionError. */
export function jsBackend(options: JsBackendOptions = {}): Backend {
  const rules = { precision: oneOf('float32', 'float64'), maxGraphs: graphsRule };
  checkOptions(options, rules, { call: 'jsBackend' });
  const precision = options.precision ?? 'float32';
  const name = precision === 'float64' ? 'js float64' : 'js';
  const graphs = new CompiledGraphs({
    maxGraphs: options.maxGraphs,
    maker: 'jsBackend',
    name,
    scope: 'core',
    compile: async (graph) => {
      verify(graph);
      return {
        run: async (inputs) => {
          const arrays = inputs.map((value) => (value as HostValue).content);
          return evaluateGraph(graph, arrays, precision).map((array) => new HostValue(array));
        },
        dispose: () => undefined,
      };
    },
  });
  return disposing<Backend>({
    name,
    flags: {
      dtypes: ['float32', 'float16', 'bfloat16', 'int32', 'bool'],
      fused: [],
      memory: 'host',
      precision,
    },
    unsupported: () => null,
    upload: (array) => {
      graphs.expectAlive('upload');
      return new HostValue(array);
    },
    compile: (graph) => graphs.compile(graph),
    dispose: () => graphs.dispose(),
  });
}

// onnxruntime as a backend: one session for each graph, cached by the graph's key.

import {
  BATCH,
  type Backend,
  BackendError,
  type Compiled,
  CompiledGraphs,
  cut,
  disposing,
  type Equation,
  type Graph,
  isOp,
  neg,
  trace,
} from '@fkm/core/graph';
import {
  checkOptions,
  either,
  graphsRule,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
  text,
} from '@fkm/core/internal';
import { cpu } from './cpu.js';
import { CutExecutable } from './cut-executable.js';
import type { Driver, DriverOptions, OrtModule, WasmPaths } from './driver.js';
import { OnnxExecutable } from './executable.js';
import { cuda, webgpu } from './gpu.js';
import { inNode } from './load.js';
import { Runtime } from './runtime.js';
import { upload } from './value.js';
import { wasm } from './wasm.js';
import { sharedGpu } from './web-gpu.js';

/** Where graphs run. */
export type OnnxDevice = 'cpu' | 'cuda' | 'webgpu' | 'wasm';

const drivers: { readonly [D in OnnxDevice]: Driver } = { cpu, cuda, webgpu, wasm };

export interface OnnxBackendOptions {
  /**
   * Default 'cpu'. 'webgpu' runs in browsers and Node, 'cuda' in Node if the provider's library is installed, 'wasm' in browsers
   * and where no native package may be installed.
   */
  readonly device?: OnnxDevice;
  /** The runtime's module, if it should not be imported here: `import * as ort from 'onnxruntime-node'`. */
  readonly ort?: OrtModule;
  /** Threads inside of one op. Default: onnxruntime's, one a physical core. */
  readonly threads?: number;
  /** For 'wasm' in browsers: the location of onnxruntime-web's binaries. Node finds them in the package. */
  readonly wasmPaths?: WasmPaths;
  /**
   * Number of graphs whose sessions are held at a time, some megabytes each. One more frees the least recently run graph, never a
   * running one; its next run compiles it again, in milliseconds on a CPU. A model that predicts has one graph, one that trains
   * about ten. Default 64.
   */
  readonly maxGraphs?: number | undefined;
}

const rules: { readonly [N in keyof OnnxBackendOptions]-?: Rule } = {
  device: oneOf(...Object.keys(drivers)),
  ort: {
    allowed: 'a module of onnxruntime',
    accepts: (value) =>
      typeof (value as OrtModule | null)?.InferenceSession === 'object' ||
      typeof (value as OrtModule | null)?.InferenceSession === 'function',
  },
  threads: positiveInteger,
  wasmPaths: either(text, objectOf('an object with the URLs of the files')),
  maxGraphs: graphsRule,
};

/** Creates a backend on onnxruntime. Errors: OptionError; BackendError if the runtime is missing. */
export async function onnxBackend(options: OnnxBackendOptions = {}): Promise<Backend> {
  checkOptions(options, rules, { call: 'onnxBackend', scope: 'backend-onnx' });
  const { device = 'cpu', threads, wasmPaths } = options;
  const driver: Driver = drivers[device];
  const own: DriverOptions = {
    ...(threads === undefined ? {} : { threads }),
    ...(wasmPaths === undefined ? {} : { wasmPaths }),
  };
  const ort = options.ort ?? (await driver.load(own));
  const gpu = driver.shares && !inNode() ? await sharedGpu(ort) : undefined;
  const runtime = new Runtime(ort, driver, gpu ? { ...own, device: gpu.device } : own);
  if (driver.explain) await start(runtime, driver.explain);
  const build = async (graph: Graph): Promise<Compiled> => {
    const reason = firstUnsupported(driver, graph);
    if (reason !== null) throw new BackendError(`${graph.name}: ${reason}`, {}, 'backend-onnx');
    try {
      const pieces = gpu && (await CutExecutable.of(runtime, gpu, graph));
      return pieces ?? new OnnxExecutable(runtime, graph, await runtime.session(graph));
    } catch (cause) {
      if (!(cause instanceof Error) || 'kind' in cause) throw cause;
      throw new BackendError(
        `${graph.name}: onnxruntime refuses the graph: ${cut(cause.message)}`,
        { cause },
        'backend-onnx',
      );
    }
  };
  const graphs = new CompiledGraphs({
    maxGraphs: options.maxGraphs,
    maker: 'onnxBackend',
    name: driver.name,
    scope: 'backend-onnx',
    compile: build,
  });

  return disposing<Backend>({
    name: driver.name,
    flags: gpu ? { ...driver.flags, fused: gpu.names } : driver.flags,
    unsupported: (equation) => driver.unsupported(equation),
    upload: (array) => {
      graphs.expectAlive('upload');
      return upload(runtime, array);
    },
    compile: (graph) => graphs.compile(graph),
    async dispose() {
      await graphs.dispose();
      await runtime.dispose();
    },
  });
}

/** Starts the device, which is the only way to find out whether it exists. Errors: the runtime's, converted by `explain`. */
async function start(runtime: Runtime, explain: NonNullable<Driver['explain']>): Promise<void> {
  const graph = trace('start', { x: { shape: [BATCH], dtype: 'float32' } }, ({ x }) => ({ y: neg(x) }));
  try {
    const session = await runtime.session(graph);
    await runtime.release(session);
  } catch (cause) {
    throw explain(cause instanceof Error ? cause : new Error(String(cause)));
  }
}

function firstUnsupported(driver: Driver, graph: Graph): string | null {
  for (const equation of graph.equations as readonly Equation[]) {
    const reason = isOp(equation, 'composite')
      ? firstUnsupported(driver, equation.attrs.body)
      : driver.unsupported(equation);
    if (reason !== null) return reason;
  }
  return null;
}

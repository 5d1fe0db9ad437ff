// The backend: its options, its cache of compiled graphs, and the reasons for refusals.

import {
  BATCH,
  type Backend,
  BackendError,
  bindRows,
  type Compiled,
  CompiledGraphs,
  disposing,
  type Equation,
  evaluateGraph,
  type Graph,
  isOp,
  type Value,
  verify,
} from '@fkm/core/graph';
import { checkOptions, either, graphsRule, objectOf, oneOf, type Rule, text } from '@fkm/core/internal';
import type { Device } from './device.js';
import { type DeviceName, drivers, start, type WasmPaths } from './drivers.js';
import { plan } from './plan.js';
import { isTfjsDType, primitives } from './primitives.js';
import type { TfjsCore } from './tfjs.js';
import { TfjsValue, tensorOf, upload } from './value.js';

const scope = 'backend-tfjs';

export interface TfjsBackendOptions {
  /**
   * Default 'wasm': one thread with SIMD. 'webgpu' runs in browsers, and in Node with the package webgpu; 'webgl' in browsers;
   * 'node' is an installed tfjs-node-gpu or tfjs-node. 'cpu' is plain JavaScript, no faster than `jsBackend()`.
   */
  readonly device?: DeviceName;
  /** A namespace of `@tensorflow/tfjs-core` to use in place of an import. */
  readonly tf?: TfjsCore;
  /** Location of the wasm binaries in a browser; Node finds them in the installed package. */
  readonly wasmPaths?: WasmPaths;
  /**
   * Number of graphs held at a time, with their constants, and with their pipelines on 'webgpu'. One more frees the least recently
   * run graph, never a running one; its next run prepares it again. On 'webgpu', 64
   * shapes of each shared kernel are held. Default 64.
   */
  readonly maxGraphs?: number | undefined;
}

const rules: { readonly [N in keyof TfjsBackendOptions]-?: Rule } = {
  device: oneOf(...Object.keys(drivers)),
  tf: {
    allowed: 'a namespace of @tensorflow/tfjs-core',
    accepts: (value) => typeof (value as TfjsCore | null)?.getKernel === 'function',
  },
  wasmPaths: either(text, objectOf('an object with the URLs of the files')),
  maxGraphs: graphsRule,
};

/**
 * Runs graphs on tfjs. tfjs' current backend does not change, so several devices work side by side. Errors: OptionError for an
 * unknown device, BackendError if tfjs is missing or does not start.
 */
export async function tfjsBackend(options: TfjsBackendOptions = {}): Promise<Backend> {
  checkOptions(options, rules, { call: 'tfjsBackend', scope });
  const name = options.device ?? 'wasm';
  const device = await start(name, options);
  const operations = primitives(device);
  const compileNow = (graph: Graph): Compiled => {
    for (const { name: port, variable } of [...graph.inputs, ...graph.outputs]) {
      if (!isTfjsDType(variable.dtype)) throw refusal(graph, port, noDtype(variable.dtype));
    }
    for (const equation of graph.equations) {
      const reason = unsupported(equation);
      if (reason !== null) throw refusal(graph, equation.op, reason);
    }
    const onReference = device.quirks.remote && hasEmpty(graph);
    const batched = graph.inputs.some((port) => port.variable.shape.includes(BATCH));
    const ready = plan(graph, operations);
    return {
      async run(inputs) {
        const rows = bindRows(graph, inputs);
        if (device.quirks.remote && (onReference || (rows === 0 && batched)))
          return evaluated(graph, inputs, device);
        const tensors = inputs.map((value) => tensorOf(value, device));
        return ready.run(tensors, rows).map((tensor) => new TfjsValue(device, tensor));
      },
      dispose: () => ready.dispose(),
    };
  };
  const graphs = new CompiledGraphs({
    maxGraphs: options.maxGraphs,
    maker: 'tfjsBackend',
    name: `tfjs ${name}`,
    scope,
    compile: async (graph) => compileNow(verify(graph)),
  });

  return disposing<Backend>({
    name: `tfjs ${name}`,
    flags: {
      dtypes: ['float32', 'int32', 'bool'],
      fused: device.gpu?.names ?? [],
      memory: device.quirks.remote ? 'device' : 'host',
      precision: 'float32',
    },
    unsupported,
    upload: (array) => {
      graphs.expectAlive('upload');
      return upload(device, array);
    },
    compile: (graph) => graphs.compile(graph),
    dispose: () => graphs.dispose(),
  });
}

/** Whether some array of the graph is empty for any batch. */
const hasEmpty = (graph: Graph): boolean =>
  [
    ...graph.inputs.map((port) => port.variable),
    ...graph.equations.flatMap((equation) => equation.outputs),
  ].some(({ shape }) => shape.includes(0));

/**
 * Runs a graph on core's reference kernels if some array is empty: its operands are small, and GPU kernels cannot run over nothing.
 */
async function evaluated(graph: Graph, inputs: readonly Value[], device: Device): Promise<TfjsValue[]> {
  for (const value of inputs) tensorOf(value, device);
  const arrays = await Promise.all(
    inputs.map(async (value) => ({ data: await value.read(), shape: value.shape, dtype: value.dtype })),
  );
  return evaluateGraph(graph, arrays).map((array) => upload(device, array));
}

const noDtype = (dtype: string): string => `tfjs has no dtype ${dtype}; cast to float32`;

function unsupported(equation: Equation): string | null {
  for (const { dtype } of [...equation.inputs, ...equation.outputs]) {
    if (!isTfjsDType(dtype)) return noDtype(dtype);
  }
  if (!isOp(equation, 'composite')) return null;
  for (const inner of equation.attrs.body.equations) {
    const reason = unsupported(inner);
    if (reason !== null) return `in ${equation.attrs.name}: ${reason}`;
  }
  return null;
}

const refusal = (graph: Graph, place: string, reason: string): BackendError =>
  new BackendError(`${graph.name}: ${place}: ${reason}.`, { place }, scope);

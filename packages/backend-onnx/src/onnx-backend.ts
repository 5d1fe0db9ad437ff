// onnxruntime as a backend: one session a graph, cached by the graph's key.

import {
  type Backend,
  BackendError,
  type Equation,
  type Executable,
  type Graph,
  graphKey,
  isOp,
  OptionError,
  StateError,
} from '@fkm/core/graph';
import { toOnnx } from '@fkm/onnx';
import { cpu } from './cpu.js';
import type { Driver, OrtModule } from './driver.js';
import { OnnxExecutable } from './executable.js';
import { upload } from './value.js';

/** Where graphs run. */
export type OnnxDevice = 'cpu';

const drivers: { readonly [D in OnnxDevice]: Driver } = { cpu };

export interface OnnxBackendOptions {
  /** Default 'cpu'. */
  readonly device?: OnnxDevice;
  /** The runtime's module, where it shall not be imported here: `import * as ort from 'onnxruntime-node'`. */
  readonly ort?: OrtModule;
  /** Threads inside of one op. Default: what onnxruntime takes, one a physical core. */
  readonly threads?: number;
}

/** A backend on onnxruntime. Errors: OptionError; BackendError where the runtime is missing. */
export async function onnxBackend(options: OnnxBackendOptions = {}): Promise<Backend> {
  const { device = 'cpu', threads } = options;
  if (!Object.hasOwn(drivers, device)) {
    const available = Object.keys(drivers);
    throw new OptionError(
      `onnxBackend: device is '${device}'; available: ${available.map((name) => `'${name}'`).join(', ')}.`,
      { device, available },
      'backend-onnx',
    );
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new OptionError(
      `onnxBackend: threads is ${threads}; take an integer of at least 1.`,
      { threads },
      'backend-onnx',
    );
  }
  const driver: Driver = drivers[device];
  const ort = options.ort ?? (await driver.load());
  const sessionOptions = driver.session(threads === undefined ? {} : { threads });
  const compiled = new Map<string, Promise<OnnxExecutable>>();
  let disposed = false;

  const build = async (graph: Graph, key: string): Promise<OnnxExecutable> => {
    const reason = firstUnsupported(driver, graph);
    if (reason !== null) throw new BackendError(`${graph.name}: ${reason}`, {}, 'backend-onnx');
    try {
      const session = await ort.InferenceSession.create(toOnnx(graph), sessionOptions);
      return new OnnxExecutable(ort, graph, session, () => compiled.delete(key));
    } catch (cause) {
      if (!(cause instanceof Error) || 'kind' in cause) throw cause;
      throw new BackendError(
        `${graph.name}: onnxruntime refuses the graph: ${cause.message}`,
        { cause },
        'backend-onnx',
      );
    }
  };

  return {
    name: driver.name,
    flags: driver.flags,
    unsupported: (equation) => driver.unsupported(equation),
    upload: (array) => upload(ort, array),
    compile(graph): Promise<Executable> {
      if (disposed)
        return Promise.reject(new StateError('compile: this backend was disposed.', {}, 'backend-onnx'));
      const key = graphKey(graph);
      let executable = compiled.get(key);
      if (!executable) {
        executable = build(graph, key);
        compiled.set(key, executable);
        executable.catch(() => compiled.delete(key));
      }
      return executable;
    },
    async dispose() {
      disposed = true;
      const pending = [...compiled.values()];
      for (const result of await Promise.allSettled(pending)) {
        if (result.status === 'fulfilled') result.value.dispose();
      }
    },
  };
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

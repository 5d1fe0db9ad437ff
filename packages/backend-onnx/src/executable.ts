// An onnxruntime session as a compiled graph of core.

import {
  BATCH,
  BackendError,
  bindRows,
  type Compiled,
  cut,
  evaluateGraph,
  type Graph,
  type Value,
} from '@fkm/core/graph';
import type { OrtSession, OrtTensor } from './driver.js';
import { isOnHost, type Runtime } from './runtime.js';
import { OnnxValue, upload } from './value.js';

export class OnnxExecutable implements Compiled {
  private readonly graph: Graph;
  private readonly runtime: Runtime;
  private readonly batched: boolean;
  private readonly session: OrtSession;
  /** Number of results on the device that are not disposed of. */
  private onDevice = 0;
  private ended = false;

  constructor(runtime: Runtime, graph: Graph, session: OrtSession) {
    this.runtime = runtime;
    this.graph = graph;
    this.batched = isBatched(graph);
    this.session = session;
  }

  async run(inputs: readonly Value[]): Promise<Value[]> {
    const { graph, session } = this;
    const rows = bindRows(graph, inputs);
    if (rows === 0 && this.batched) return runWithoutRows(this.runtime, graph, inputs);
    const feeds: Record<string, OrtTensor> = {};
    const names = session.inputNames;
    for (let i = 0; i < names.length; i++) {
      feeds[names[i] as string] = tensorOf(this.runtime, graph, inputs[i] as Value, graph.inputs[i]?.name);
    }
    try {
      const results = await this.runtime.run(session, feeds);
      return session.outputNames.map((name) => this.made(results[name] as OrtTensor));
    } catch (cause) {
      const reason = cut(cause instanceof Error ? cause.message : String(cause));
      throw new BackendError(
        `${graph.name}: onnxruntime failed to run: ${reason}`,
        { cause },
        'backend-onnx',
      );
    }
  }

  /** Releases the session after the last of its results on the device, since these are freed through its allocator. */
  async dispose(): Promise<void> {
    this.ended = true;
    if (this.onDevice === 0) await this.runtime.release(this.session);
  }

  private made(tensor: OrtTensor): OnnxValue {
    const counts = !isOnHost(tensor);
    if (counts) this.onDevice++;
    const freed = (): void => {
      if (counts && --this.onDevice === 0 && this.ended) void this.runtime.release(this.session);
    };
    return new OnnxValue(this.runtime, tensor, { freed });
  }
}

/** Whether the inputs of a graph determine the number of rows. */
export const isBatched = ({ inputs }: Graph): boolean =>
  inputs.some((port) => port.variable.shape.includes(BATCH));

/** The tensor of a value for an input of a graph. Errors: BackendError for a value of another backend or device. */
export function tensorOf(runtime: Runtime, graph: Graph, value: Value, input: string | undefined): OrtTensor {
  if (value instanceof OnnxValue) return value.on(runtime);
  throw new BackendError(
    `${graph.name}: input ${input} is a value of another backend; upload it to this one.`,
    {},
    'backend-onnx',
  );
}

/**
 * Runs an empty batch on core's reference kernels: onnxruntime's FusedMatMul refuses to broadcast 0 rows, and its TopK divides by
 * 0, which ends the process. There is nothing to compute, so it is no slower.
 */
export async function runWithoutRows(
  runtime: Runtime,
  graph: Graph,
  inputs: readonly Value[],
): Promise<Value[]> {
  const arrays = await Promise.all(
    inputs.map(async (value) => ({ data: await value.read(), shape: value.shape, dtype: value.dtype })),
  );
  return evaluateGraph(graph, arrays).map((array) => upload(runtime, array));
}

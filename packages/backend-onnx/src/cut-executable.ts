// A graph as onnxruntime sessions with our kernels between them, on one GPUDevice: values stay on it.

import {
  BATCH,
  bindRows,
  type Compiled,
  type Equation,
  type Graph,
  type Value,
  type Var,
} from '@fkm/core/graph';
import type { CompositeKernel } from '@fkm/webgpu';
import { isBatched, OnnxExecutable, runWithoutRows, tensorOf } from './executable.js';
import { partition } from './partition.js';
import type { Runtime } from './runtime.js';
import { OnnxValue } from './value.js';
import { bufferOf, makeTensor, type SharedGpu } from './web-gpu.js';

interface Kernel {
  readonly equation: Equation<'composite'>;
  readonly kernel: CompositeKernel;
}

interface Step {
  readonly graph: Graph;
  /** Undefined if nothing comes before the kernels. */
  readonly session: OnnxExecutable | undefined;
  readonly kernels: readonly Kernel[];
}

export class CutExecutable implements Compiled {
  private readonly runtime: Runtime;
  private readonly gpu: SharedGpu;
  private readonly graph: Graph;
  private readonly batched: boolean;
  private readonly steps: readonly Step[];

  private constructor(runtime: Runtime, gpu: SharedGpu, graph: Graph, steps: readonly Step[]) {
    this.runtime = runtime;
    this.gpu = gpu;
    this.graph = graph;
    this.batched = isBatched(graph);
    this.steps = steps;
  }

  /** The graph in steps; null if it has no composite with a kernel. */
  static async of(runtime: Runtime, gpu: SharedGpu, graph: Graph): Promise<CutExecutable | null> {
    const parts = partition(graph, gpu.hasKernel);
    if (!parts) return null;
    const steps: Step[] = [];
    const cut = new CutExecutable(runtime, gpu, graph, steps);
    try {
      for (const { graph: part, kernels } of parts) {
        const session =
          part.outputs.length > 0
            ? new OnnxExecutable(runtime, part, await runtime.session(part))
            : undefined;
        const own = kernels.map((equation) => ({ equation, kernel: gpu.kernel(equation) }));
        steps.push({ graph: part, session, kernels: own });
      }
      return cut;
    } catch (error) {
      await cut.dispose();
      throw error;
    }
  }

  async run(inputs: readonly Value[]): Promise<Value[]> {
    const { graph, runtime, steps } = this;
    const rows = bindRows(graph, inputs);
    if (rows === 0 && this.batched) return runWithoutRows(runtime, graph, inputs);
    const values = new Map(graph.inputs.map((port, i) => [port.variable.id, inputs[i] as Value]));
    const own = new Map<number, Value>();
    const keep = (v: Var, value: Value): void => {
      values.set(v.id, value);
      own.set(v.id, value);
    };
    try {
      for (const { graph: part, session, kernels } of steps) {
        const given = part.inputs.map((port) => values.get(port.variable.id) as Value);
        const made = (await session?.run(given)) ?? [];
        made.forEach((value, i) => {
          keep((part.outputs[i] as Graph['outputs'][number]).variable, value);
        });
        this.encode(kernels, values, keep);
      }
      const results = graph.outputs.map((port) => values.get(port.variable.id) as Value);
      for (const port of graph.outputs) own.delete(port.variable.id);
      return results;
    } finally {
      for (const value of own.values()) value.dispose();
    }
  }

  async dispose(): Promise<void> {
    for (const { session, kernels } of this.steps) {
      for (const { kernel } of kernels) kernel.dispose();
      await session?.dispose();
    }
  }

  private encode(
    kernels: readonly Kernel[],
    values: ReadonlyMap<number, Value>,
    keep: (v: Var, value: Value) => void,
  ): void {
    if (kernels.length === 0) return;
    const { runtime, gpu, graph } = this;
    const { device } = gpu;
    const encoder = device.createCommandEncoder();
    const copies: (() => void)[] = [];
    for (const { equation, kernel } of kernels) {
      const tensors = equation.inputs.map((v) =>
        tensorOf(runtime, graph, values.get(v.id) as Value, nameOf(graph, v)),
      );
      const rows = tensors[0]?.dims[0] as number;
      const from = tensors.map((tensor) => {
        const { buffer, free } = bufferOf(gpu, tensor);
        if (free) copies.push(free);
        return buffer;
      });
      const to = equation.outputs.map((v) => {
        const dims = v.shape.map((dim) => (dim === BATCH ? rows : dim));
        const { tensor, buffer } = makeTensor(runtime.ort, gpu, v.dtype as 'float32' | 'int32', dims);
        keep(v, new OnnxValue(runtime, tensor));
        return buffer;
      });
      kernel.encode(encoder, rows, from, to);
    }
    device.queue.submit([encoder.finish()]);
    for (const free of copies) free();
  }
}

const nameOf = (graph: Graph, v: Var): string | undefined =>
  graph.inputs.find((port) => port.variable.id === v.id)?.name;

// A graph as a list of closures over numbered slots, with the slots to free after each; all decisions are made here, once.
// Composites without a kernel on the device are inlined. Runs are synchronous, so nothing interrupts them.

import {
  BATCH,
  BackendError,
  type Equation,
  evaluateEquation,
  formatType,
  type Graph,
  inlineComposites,
  isOp,
  type NdArray,
  type OpName,
  type Var,
} from '@fkm/core/graph';
import type { Device } from './device.js';
import type { GpuKernels, Run, TfjsDType } from './kernel-types.js';
import { kernels } from './kernels.js';
import type { Lowering } from './lower.js';
import type { Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

/** A graph that is ready to run. */
export interface Plan {
  /** Takes tensors for the inputs, in order; returns tensors for the outputs, each with its own reference. Errors: BackendError. */
  run(inputs: readonly TensorInfo[], rows: number): TensorInfo[];
  /** Frees the constants. */
  dispose(): void;
}

interface Step {
  readonly equation: Equation;
  readonly run: Run;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Slots for which this step is the last user. */
  free: readonly number[];
}

/** The graph as the device runs it, with composites inlined that have no kernel. */
const inKernels = (graph: Graph, { gpu }: Device): Graph => gpu?.fuse(graph) ?? inlineComposites(graph);

export function plan(given: Graph, primitives: Primitives): Plan {
  const { device } = primitives;
  const graph = inKernels(given, device);
  const steps: Step[] = [];
  const constants = new Map<number, NdArray>();
  /** The slots at the start of every run, holding the constants. */
  const initial: (TensorInfo | undefined)[] = [];
  const kept: TensorInfo[] = [];
  const disposals: (() => void)[] = [];
  const slot = (): number => initial.push(undefined) - 1;

  const lower = (equation: Equation, inputs: readonly number[], outputs: readonly number[]): void => {
    const lowering = kernels[equation.op as keyof typeof kernels] as Lowering<OpName>;
    const context = { primitives, constants: inputs.map((at) => constants.get(at)) };
    const lowered = lowering(equation, context);
    if (typeof lowered === 'function') {
      steps.push({ equation, run: unlessEmpty(primitives, equation, lowered), inputs, outputs, free: [] });
      return;
    }
    kept.push(lowered.kept);
    initial[outputs[0] as number] = lowered.kept;
    if (isOp(equation, 'constant')) constants.set(outputs[0] as number, equation.attrs.value);
  };

  const slots = new Map<number, number>();
  const define = (v: Var): number => {
    const at = slot();
    slots.set(v.id, at);
    return at;
  };
  const find = (v: Var): number => slots.get(v.id) as number;
  const inputSlots = graph.inputs.map(({ variable }) => define(variable));
  for (const equation of graph.equations) {
    const inputs = equation.inputs.map(find);
    const outputs = equation.outputs.map(define);
    if (isOp(equation, 'composite')) {
      const { run, dispose } = (device.gpu as GpuKernels).lower(equation);
      steps.push({ equation, run, inputs, outputs, free: [] });
      disposals.push(dispose);
    } else {
      lower(equation, inputs, outputs);
    }
  }
  const outputSlots = graph.outputs.map(({ variable }) => find(variable));
  releaseAfterLastUse(steps, outputSlots);
  const computed = new Set(steps.flatMap((step) => step.outputs));
  /** The first output of a slot takes over its tensor; further outputs, inputs and constants are shared. */
  const taken = outputSlots.map((at, i) => computed.has(at) && outputSlots.indexOf(at) === i);

  return {
    run(inputs, rows) {
      const slots = initial.slice();
      inputSlots.forEach((at, i) => {
        slots[at] = inputs[i];
      });
      let at = 0;
      try {
        for (; at < steps.length; at++) {
          const step = steps[at] as Step;
          const results = step.run(
            step.inputs.map((i) => slots[i] as TensorInfo),
            rows,
          );
          for (let i = 0; i < results.length; i++) slots[step.outputs[i] as number] = results[i];
          for (const i of step.free) {
            device.free(slots[i] as TensorInfo);
            slots[i] = undefined;
          }
        }
      } catch (error) {
        for (const i of computed) if (slots[i]) device.free(slots[i]);
        const { equation } = steps[at] as Step;
        const reason = error instanceof Error ? error.message : String(error);
        throw new BackendError(
          `${graph.name}: ${equation.op}(${equation.inputs.map(formatType).join(', ')}) failed in tfjs '${device.name}': ${reason}`,
          { op: equation.op, device: device.name, rows },
          'backend-tfjs',
        );
      }
      return outputSlots.map((i, position) =>
        taken[position] ? (slots[i] as TensorInfo) : device.share(slots[i] as TensorInfo),
      );
    },
    dispose() {
      for (const tensor of kept.splice(0)) device.free(tensor);
      for (const dispose of disposals.splice(0)) dispose();
    },
  };
}

/** For each step, the computed slots that no later step and no output reads. */
function releaseAfterLastUse(steps: readonly Step[], outputs: readonly number[]): void {
  const computed = new Set(steps.flatMap((step) => step.outputs));
  const seen = new Set(outputs);
  for (const step of [...steps].reverse()) {
    const last = [...new Set([...step.inputs, ...step.outputs])].filter(
      (at) => computed.has(at) && !seen.has(at),
    );
    step.free = last;
    for (const at of last) seen.add(at);
  }
}

/**
 * Runs equations with an empty tensor on the reference: tfjs leaves a sum over no rows uninitialised. Their other operands are
 * parameters, which are small.
 */
function unlessEmpty({ device }: Primitives, equation: Equation, run: Run): Run {
  // There, whole graphs run on the reference.
  if (device.quirks.remote) return run;
  const touched = [...equation.inputs, ...equation.outputs];
  const always = touched.some(({ shape }) => shape.includes(0));
  if (!always && !touched.some(({ shape }) => shape.includes(BATCH))) return run;
  const onReference: Run = (x, rows) =>
    evaluateEquation(
      equation,
      x.map((tensor) => ({
        data: device.readSync(tensor),
        shape: tensor.shape,
        dtype: tensor.dtype as TfjsDType,
      })),
      rows,
    ).map(({ data, shape, dtype }) => device.write(data, shape, dtype as TfjsDType));
  return always ? onReference : (x, rows) => (rows === 0 ? onReference(x, rows) : run(x, rows));
}

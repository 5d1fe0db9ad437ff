// The composites of core that have a kernel, and how they are encoded from the buffers of their ports.

import { type Equation, isOp, type Shape, type Var } from '@fkm/core/graph';
import { type GpuBuffer, type GpuCommandEncoder, type GpuDevice, usage } from './gpu.js';
import { type Search, type SearchBuffers, search } from './search.js';
import { type SearchSpec, searchedDistances } from './spec.js';
import { type Sums, sumsByIndex } from './sums.js';

const sumsName = 'sumsByIndex';
/** Most results of topKSimilar that a thread can keep next to its sums. */
const mostSimilar = 32;
/** Most prototypes: larger indices are not exact in float32. */
const mostPrototypes = 2 ** 24;

/** Names of core's composites that have a kernel, for backend flags. */
export const compositeNames: readonly string[] = [
  ...['nearest', 'topKSimilar'].flatMap((what) => searchedDistances.map((distance) => `${what}.${distance}`)),
  sumsName,
];

/** A composite on a device, compiled at its first run. */
export interface CompositeKernel {
  /** Appends a run over B rows: a buffer for each input and each output, in the order of the equation. */
  encode(
    encoder: GpuCommandEncoder,
    rows: number,
    inputs: readonly GpuBuffer[],
    outputs: readonly GpuBuffer[],
  ): void;
  /** Frees its memory, which commands not yet submitted may still use. */
  dispose(): void;
}

/** Whether a composite has a kernel for its operands. */
export const hasKernel = (equation: Equation<'composite'>): boolean =>
  equation.attrs.name === sumsName || specOf(equation) !== undefined;

/** The kernel of a composite; undefined if its body has to run. */
export function compositeKernel(
  device: GpuDevice,
  equation: Equation<'composite'>,
): CompositeKernel | undefined {
  if (equation.attrs.name === sumsName) return sumsKernel(device, equation);
  const spec = specOf(equation);
  return spec && searchKernel(device, equation, spec);
}

function searchKernel(
  device: GpuDevice,
  { attrs }: Equation<'composite'>,
  spec: SearchSpec,
): CompositeKernel {
  let ready: Search | undefined;
  const names = attrs.body.inputs.map((port) => port.name);
  return {
    encode(encoder, rows, inputs, [first, second]) {
      ready ??= search(device, spec);
      const [index, value] = spec.k === 0 ? [first, second] : [second, first];
      const given = Object.fromEntries(names.map((name, i) => [name, inputs[i]]));
      ready.encode(encoder, rows, { ...given, index, value } as unknown as SearchBuffers);
    },
    dispose() {
      ready?.dispose();
      ready = undefined;
    },
  };
}

function sumsKernel(device: GpuDevice, { inputs, outputs }: Equation<'composite'>): CompositeKernel {
  const [prototypes, columns] = (outputs[0] as Var).shape as readonly [number, number];
  // Inputs are (index, weight), or in addition values.
  const weighs = inputs.length === 2;
  let ready: { readonly sums: Sums; readonly other: GpuBuffer } | undefined;
  return {
    encode(encoder, rows, [index, w, values], [result]) {
      ready ??= {
        sums: sumsByIndex(device, { columns, prototypes }),
        other: device.createBuffer({ size: 4 * prototypes * (weighs ? columns : 1), usage: usage.storage }),
      };
      const { sums, other } = ready;
      const [into, weights] = weighs ? [other, result] : [result, other];
      sums.encode(encoder, rows, { x: values ?? w, w, index, sums: into, weights } as Parameters<
        Sums['encode']
      >[2]);
    },
    dispose() {
      ready?.sums.dispose();
      ready?.other.destroy();
      ready = undefined;
    },
  };
}

/** The search in a composite, if a kernel can run it: float32, one head, and a mask for each row. */
function specOf({ attrs: { name, body } }: Equation<'composite'>): SearchSpec | undefined {
  const [what, by] = name.split('.');
  const distance = searchedDistances.find((one) => one === by);
  if (!distance || (what !== 'nearest' && what !== 'topKSimilar')) return undefined;
  const shapes = new Map<string, Shape>(body.inputs.map((port) => [port.name, port.variable.shape]));
  if (body.inputs.some((port) => port.variable.dtype !== 'float32')) return undefined;
  const [x, prototypes] = [shapes.get('x'), shapes.get('prototypes')];
  const [mask, weights] = [shapes.get('mask'), shapes.get('weights')];
  if (x?.length !== 2 || prototypes?.length !== 2) return undefined;
  if ((mask && mask.join() !== x.join()) || (weights && weights[0] !== 1)) return undefined;
  const top = body.equations.find((one) => isOp(one, 'topK')) as Equation<'topK'> | undefined;
  const k = what === 'nearest' ? 0 : (top?.attrs.k ?? Number.POSITIVE_INFINITY);
  const [count = 0, columns = 0] = prototypes;
  if (k > mostSimilar || count > mostPrototypes || count === 0 || columns === 0) return undefined;
  return {
    distance,
    columns,
    prototypes: count,
    masked: mask !== undefined,
    weighted: weights !== undefined,
    rowType: 'float32',
    prototypeType: 'float32',
    k,
    moderate: true,
  };
}

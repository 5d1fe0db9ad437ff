// The composites that search prototypes and add up their rows, as fused kernels: compute passes between those of tfjs.

import { type Equation, isOp, type Shape, type Var } from '@fkm/core/graph';
import { type Search, type SearchSpec, type Sums, search, sumsByIndex } from '@fkm/webgpu';
import type { Lowered } from './gpu-kernels.js';
import { bufferOf, encoderOf, submit, type WebGpuStorage } from './gpu-storage.js';
import type { TensorInfo } from './tfjs.js';

const distances = ['cosine', 'euclidean', 'l1'] as const;
/** Most similar ones that a thread keeps beside its sums. */
const mostSimilar = 32;
/** Places beyond are not exact in float32. */
const mostPrototypes = 2 ** 24;

/** Names of the composites. */
export const searchNames: readonly string[] = ['nearest', 'topKSimilar'].flatMap((what) =>
  distances.map((distance) => `${what}.${distance}`),
);

/** A composite that searches what `specOf` says. */
export function lowerSearch(gpu: WebGpuStorage, equation: Equation<'composite'>, spec: SearchSpec): Lowered {
  let ready: Search | undefined;
  const names = equation.attrs.body.inputs.map((port) => port.name);
  return {
    run: (tensors) => {
      ready ??= search(gpu.device, spec);
      return run(gpu, ready, spec, names, tensors);
    },
    dispose: () => {
      // Commands that use its memory may wait to be submitted.
      if (ready) submit(gpu);
      ready?.dispose();
      ready = undefined;
    },
  };
}

function run(
  gpu: WebGpuStorage,
  ready: Search,
  spec: SearchSpec,
  names: readonly string[],
  tensors: readonly TensorInfo[],
): TensorInfo[] {
  const rows = (tensors[names.indexOf('x')] as TensorInfo).shape[0] as number;
  const shape = spec.k === 0 ? [rows] : [rows, spec.k];
  const index = gpu.makeTensorInfo(shape, 'int32');
  const value = gpu.makeTensorInfo(shape, 'float32');
  const buffers = {
    ...Object.fromEntries(names.map((name, i) => [name, bufferOf(gpu, tensors[i] as TensorInfo)])),
    index: bufferOf(gpu, index),
    value: bufferOf(gpu, value),
  };
  ready.encode(encoderOf(gpu), rows, buffers as Parameters<Search['encode']>[2]);
  return spec.k === 0 ? [index, value] : [value, index];
}

/** What a composite searches, where a kernel can: float32, one head, a mask of its own for each row. */
export function specOf({ attrs: { name, body } }: Equation<'composite'>): SearchSpec | undefined {
  const [what, by] = name.split('.');
  const distance = distances.find((one) => one === by);
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
  };
}

/** `sumsByIndex`, where rows are float32. */
export function lowerSums(gpu: WebGpuStorage, equation: Equation<'composite'>): Lowered {
  const [index, weight, values] = equation.inputs;
  const [prototypes, columns] = (equation.outputs[0] as Var).shape as readonly [number, number];
  const place = (v: typeof index): number => equation.inputs.indexOf(v as NonNullable<typeof v>);
  let ready: Sums | undefined;
  return {
    run: (tensors) => {
      ready ??= sumsByIndex(gpu.device, { columns, prototypes });
      const of = (v: typeof index) => bufferOf(gpu, tensors[place(v)] as TensorInfo);
      const sums = gpu.makeTensorInfo([prototypes, columns], 'float32');
      const weights = gpu.makeTensorInfo([prototypes, 1], 'float32');
      const w = of(weight);
      const [result, other] = values ? [sums, weights] : [weights, sums];
      ready.encode(encoderOf(gpu), tensors[0]?.shape[0] as number, {
        x: values ? of(values) : w,
        w,
        index: of(index),
        sums: bufferOf(gpu, sums),
        weights: bufferOf(gpu, weights),
      });
      gpu.disposeData(other.dataId);
      return [result];
    },
    dispose: () => {
      if (ready) submit(gpu);
      ready?.dispose();
      ready = undefined;
    },
  };
}

// The graphs of a model: scaling, reads, loss with gradients, and the step of phase 2. All are traced from formulas/; the graph of
// phase 1 is in assign.ts.

import { isHalf, type NdArray } from '../dtype.js';
import { adamUpdate } from '../formulas/adam.js';
import { pairwiseSimilarity } from '../formulas/composites.js';
import { hasBandwidths, routingWeights } from '../formulas/routing.js';
import { type Comparison, compare, diversity } from '../formulas/similarity.js';
import { clamp, relu, square } from '../graph/functions.js';
import { gradients } from '../graph/gradients.js';
import { BATCH, type Graph } from '../graph/ir.js';
import { add, cast, lt, mul, neg, reshape, select, sum } from '../graph/ops.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import type { Routed } from '../heads/head.js';
import { applyScaler, applyScalerToMask } from '../scaling/scaler.js';
import { batchSpecs, f32, type GridSpec, rowSpecs, scalar, specsOf } from './spec.js';

type Arrays = Readonly<Record<string, NdArray>>;
type Tensors = Readonly<Record<string, Tensor>>;

/** Arrays that the answer depends on. */
export const parameterNames: readonly string[] = [
  'prototypes',
  'targets',
  'slopes',
  'featureWeights',
  'logBandwidth',
  'bias',
  'owners',
  'members',
  'labelWeights',
  'inverseUnit',
];
/** Arrays that scale raw rows. */
export const scalerNames: readonly string[] = [
  'scaler.columns',
  'scaler.plain',
  'scaler.mean',
  'scaler.inverse',
  'scaler.knots',
  'scaler.scores',
  'scaler.metric',
  'scaler.unit',
];
/** Arrays that turn an answer into what users read: units and range of targets, thresholds of labels, sharpness of classes. */
export const readingNames: readonly string[] = [
  'target.mean',
  'target.deviation',
  'target.low',
  'target.high',
  'thresholds',
  'sharpness',
];

/** Traces over arrays as stored: halves are widened to float32 on entry, and all arithmetic is float32. */
const traceStored = (
  name: string,
  inputs: Readonly<Record<string, TensorSpec>>,
  build: (t: Tensors) => Tensors,
): Graph =>
  trace(name, inputs, (t: Tensors) =>
    build(
      Object.fromEntries(
        Object.entries(t).map(([key, x]) => [key, isHalf(x.dtype) ? cast(x, 'float32') : x]),
      ),
    ),
  );

/** Offset of padding. Dropout uses half of it, so a dropped prototype still differs from padding. */
export const absentPrototype = -2e9;
const present = (offsets: Tensor): Tensor => lt(0.75 * absentPrototype, offsets);

/** Parameters of a spec as graph inputs. */
export const parameterSpecs = (arrays: Arrays): Record<string, TensorSpec> => specsOf(arrays, parameterNames);

/** Compares scaled rows with the grid and computes routing weights. */
export function routeRows(
  spec: GridSpec,
  p: Tensors,
  rows: { x: Tensor; mask?: Tensor | undefined },
  offsets?: Tensor,
): Routed {
  const comparison: Comparison = {
    distance: spec.distance,
    x: rows.x,
    mask: rows.mask,
    prototypes: p.prototypes as Tensor,
    weights: p.featureWeights,
    inverseUnit: p.inverseUnit,
  };
  const { similarity, delta, factors, affine, layout } = compare(comparison);
  const perHead = (t: Tensor | undefined): Tensor | undefined => t && layout.split(t);
  const weights = routingWeights(
    {
      similarity,
      nearness: p.inverseUnit && neg(delta),
      ...factors,
      affine,
      logBandwidth: perHead(p.logBandwidth),
      bias: perHead(p.bias),
      offsets: perHead(offsets),
    },
    spec.routing,
  );
  const joined = layout.join(similarity);
  const there = spec.sampled && present(offsets as Tensor);
  return {
    weights: layout.join(weights),
    // Padding has the lowest similarity.
    similarity: there ? select(there, joined, -2) : joined,
    comparison,
    present: there,
    heads: spec.heads,
    outputs: spec.outputs,
    origin: spec.origin,
    parameters: p,
  };
}

/** Σ w·loss / rows + l2Reg·Σp² + diversityReg·Σ_{i≠j} s(p_i, p_j)². */
function lossOf(spec: GridSpec, t: Tensors): { loss: Tensor; routed: Routed } {
  const routed = routeRows(spec, t, { x: t.x as Tensor, mask: t.mask }, t.offsets);
  const rows = spec.head.loss(routed, t.y as Tensor);
  let loss = mul(sum(mul(rows, t.sampleWeight as Tensor)), t.inverseRows as Tensor);
  const prototypes = t.prototypes as Tensor;
  if (spec.l2Reg > 0) loss = add(loss, mul(sum(square(prototypes)), spec.l2Reg));
  if (spec.diversityReg > 0) {
    const weights = spec.heads === 1 ? t.featureWeights : undefined;
    const counted = spec.sampled && cast(present(t.offsets as Tensor), 'float32');
    loss = add(
      loss,
      mul(diversity(prototypes, spec.distance, weights, counted, t.inverseUnit), spec.diversityReg),
    );
  }
  return { loss, routed };
}

/** Inputs of a graph that scales: raw rows, their mask, and the scaler's arrays. */
const rawInputs = (
  { rawColumns, masked }: Pick<GridSpec, 'rawColumns' | 'masked'>,
  arrays: Arrays,
): Record<string, TensorSpec> => ({
  ...rowSpecs({ columns: rawColumns, masked }),
  ...specsOf(arrays, scalerNames),
});

/** Scales raw rows; masked values may be anything. */
export function scaleGraph(spec: Pick<GridSpec, 'scaling' | 'rawColumns' | 'masked'>, arrays: Arrays): Graph {
  return trace('scale', { ...rawInputs(spec, arrays) }, (t: Tensors) => scaleRows(spec, t));
}

function scaleRows(spec: Pick<GridSpec, 'scaling'>, t: Tensors): { x: Tensor; mask?: Tensor } {
  const x = t.mask ? select(lt(0, t.mask), t.x as Tensor, 0) : (t.x as Tensor);
  const scaled = applyScaler(spec.scaling, x, t);
  return t.mask ? { x: scaled, mask: applyScalerToMask(spec.scaling, t.mask, t) } : { x: scaled };
}

/** Raw rows to several outputs of the head; `outputs` maps their names to reads. */
export const readsGraph =
  (name: string, reads: Readonly<Record<string, string>>, k = 0) =>
  (spec: GridSpec, arrays: Arrays): Graph => {
    const inputs = {
      ...rawInputs(spec, arrays),
      ...parameterSpecs(arrays),
      ...specsOf(arrays, readingNames),
      ...(spec.sampled ? { offsets: f32(BATCH, spec.prototypes) } : {}),
    };
    return traceStored(name, inputs, (t) => {
      const routed = routeRows(spec, t, scaleRows(spec, t), t.offsets);
      const read = (what: string): Tensor =>
        (spec.head.reads[what] as NonNullable<GridSpec['head']['reads'][string]>)(routed, k);
      return Object.fromEntries(Object.entries(reads).map(([output, what]) => [output, read(what)]));
    });
  };

/** Raw rows to one output of the head: answers in the caller's units, labels or probabilities. */
export const readGraph = (name: string, k = 0): ReturnType<typeof readsGraph> =>
  readsGraph(name, { answer: name }, k);

/** Raw rows to similarities [B, K]. */
export function transformGraph(spec: GridSpec, arrays: Arrays): Graph {
  return traceStored('transform', { ...rawInputs(spec, arrays), ...parameterSpecs(arrays) }, (t) => {
    const { x, mask } = scaleRows(spec, t);
    const comparison = {
      distance: spec.distance,
      x,
      mask,
      prototypes: t.prototypes as Tensor,
      weights: t.featureWeights,
      inverseUnit: t.inverseUnit,
    };
    if (spec.heads === 1 && !t.inverseUnit) return { similarity: pairwiseSimilarity(comparison) };
    const { similarity, layout } = compare(comparison);
    return { similarity: layout.join(similarity) };
  });
}

/** Scaled rows to the loss of each row, for validation. */
export function rowLossGraph(spec: GridSpec, arrays: Arrays): Graph {
  return trace('rowLoss', { ...batchSpecs(spec), ...parameterSpecs(arrays) }, (t: Tensors) => ({
    loss: spec.head.loss(routeRows(spec, t, { x: t.x as Tensor, mask: t.mask }), t.y as Tensor),
  }));
}

/** Derivatives of the loss by the trainable parameters, in their order. */
const trainedGradients = (spec: GridSpec, t: Tensors, loss: Tensor): Tensor[] =>
  gradients(
    loss,
    spec.trainable.map((name) => t[name] as Tensor),
  );

/** Scaled batch to the loss, and its derivative by each trainable parameter as `d.<name>`. */
export function lossGraph(spec: GridSpec, arrays: Arrays): Graph {
  const inputs = { ...batchSpecs(spec), inverseRows: scalar, ...parameterSpecs(arrays) };
  return trace('lossAndGradients', inputs, (t: Tensors) => {
    const { loss } = lossOf(spec, t);
    const d = trainedGradients(spec, t, loss);
    return { loss, ...Object.fromEntries(spec.trainable.map((name, i) => [`d.${name}`, d[i] as Tensor])) };
  });
}

/** Names of Adam's moments of a trainable parameter. */
export const momentNames = (name: string): [string, string] => [`adam.m.${name}`, `adam.v.${name}`];

/** One training step: (parameters, moments, batch, scalars) → (parameters', moments', loss). */
export function stepGraph(spec: GridSpec, arrays: Arrays): Graph {
  const moments = spec.trainable.flatMap((name) => {
    const { shape } = arrays[name] as NdArray;
    return momentNames(name).map((moment) => [moment, { shape, dtype: 'float32' }] as [string, TensorSpec]);
  });
  const inputs: Record<string, TensorSpec> = {
    ...batchSpecs(spec),
    ...Object.fromEntries(
      ['inverseRows', 'learningRate', 'correction1', 'correction2'].map((name) => [name, scalar]),
    ),
    ...(spec.offsets ? { offsets: f32(spec.prototypes) } : {}),
    ...(spec.paced ? { pace: scalar } : {}),
    ...(spec.frozen ? { active: f32(spec.prototypes) } : {}),
    ...parameterSpecs(arrays),
    ...Object.fromEntries(moments),
  };
  return trace('step', inputs, (t: Tensors) => {
    const { loss, routed } = lossOf(spec, t);
    const d = trainedGradients(spec, t, loss);
    const results: Record<string, Tensor> = { loss };
    if (spec.sampled && spec.head.rival) results.rival = spec.head.rival(routed, t.y as Tensor);
    const scalars = t as unknown as Parameters<typeof adamUpdate>[1];
    spec.trainable.forEach((name, i) => {
      const [m, v] = momentNames(name) as [string, string];
      const parameter = t[name] as Tensor;
      const slot = { parameter, gradient: d[i] as Tensor, m: t[m] as Tensor, v: t[v] as Tensor };
      const { learningRate } = scalars;
      const paced = name === 'prototypes' && t.pace ? mul(learningRate, t.pace) : learningRate;
      const rates = { ...scalars, learningRate: paced };
      const next = adamUpdate(slot, rates, activity(name, parameter, t.active));
      results[name] = constrain(spec, name, next.parameter);
      results[m] = next.m;
      results[v] = next.v;
    });
    return results;
  });
}

/** The mask of unfrozen prototypes, in the shape of a parameter with one row a prototype. */
function activity(name: string, parameter: Tensor, active: Tensor | undefined): Tensor | undefined {
  if (!active || name === 'featureWeights') return undefined;
  return parameter.shape.length === 1 ? active : reshape(active, [parameter.dim(0), 1]);
}

/** featureWeights stay in [0, 1]; in 'gaussian' routing they form a metric and only have to be >= 0. */
function constrain(spec: GridSpec, name: string, parameter: Tensor): Tensor {
  if (name !== 'featureWeights') return parameter;
  return hasBandwidths(spec.routing.softType) ? relu(parameter) : clamp(parameter, 0, 1);
}

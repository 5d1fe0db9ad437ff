// `@fkm/core/graph`: what backends, exporters and tests need of the graph layer.

export { isShared } from '../data/own-copy.js';
export { type Disposing, disposing } from '../disposal.js';
export * from '../dtype.js';
export * from '../errors.js';
export { nearest, pairwiseSimilarity, sumsByIndex, takeAlong, topKSimilar } from '../formulas/composites.js';
export { comparesDirections, type Distance, distanceNames } from '../formulas/distances.js';
export { type RoutingOptions, routingWeights, type SoftType, softTypeNames } from '../formulas/routing.js';
export { type Comparison, compare, pairwise } from '../formulas/similarity.js';
export type { Backend, BackendFlags, Executable, Value } from './backend.js';
export { type Compiled, CompiledGraphs, type CompiledGraphsOptions } from './compiled-graphs.js';
export { bindRows, evaluateEquation, evaluateGraph, type Precision } from './evaluate.js';
export * from './functions.js';
export { gradientGraph, gradients } from './gradients.js';
export { broadcastShapes, formatShape, formatType, inferTypes, type ResultType } from './infer.js';
export { inlineComposites } from './inline-composites.js';
export * from './ir.js';
export * from './ops.js';
export { Pool } from './pool.js';
export { graphKey, print } from './print.js';
export { simplify } from './simplify.js';
export { constant, inline, isTensor, Tensor, type TensorSpec, Trace, trace } from './trace.js';
export { verify } from './verify.js';
export { type VjpRule, vjp } from './vjp.js';

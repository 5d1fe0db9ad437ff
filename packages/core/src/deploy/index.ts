// `@fkm/core/deploy`: what exporters and importers need of a model. It knows no file format except checkpoints.

export { hasDigests } from '../checkpoint/checkpoint.js';
export { constantNames, storedTensors, toCheckpoint } from '../checkpoint/parts.js';
export type { Checkpoint, StoredTensor } from '../checkpoint/safetensors.js';
export { type Estimator, type EstimatorClasses, estimatorClasses } from '../estimators/estimator.js';
export { boundedJson } from '../state/bounded-json.js';
export { digestWords } from '../state/digest.js';
export { type Digested, damageOf, digestText } from '../state/digests.js';
export { type Deployment, type DeploymentOptions, deployment } from './deployment.js';

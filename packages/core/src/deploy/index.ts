// What exporters and importers need of a model: `@fkm/core/deploy`. Knows no file format but the checkpoint's.

export { hasDigests } from '../estimators/checkpoint.js';
export type { Checkpoint, StoredTensor } from '../estimators/safetensors.js';
export { boundedJson } from '../model/bounded-json.js';
export { digestWords } from '../model/digest.js';
export { type Digested, damageOf, digestText } from '../model/digests.js';
export { constantNames, storedTensors, toCheckpoint } from './checkpoint-parts.js';
export { type Deployment, type DeploymentOptions, deployment } from './deployment.js';
export type { Estimator } from './snapshot.js';

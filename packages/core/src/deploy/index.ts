// What exporters and importers need of a model: `@fkm/core/deploy`. Knows no file format but the checkpoint's.

export type { Checkpoint, StoredTensor } from '../estimators/safetensors.js';
export { boundedJson } from '../model/bounded-json.js';
export { constantNames, toCheckpoint } from './checkpoint-parts.js';
export { type Deployment, type DeploymentOptions, deployment } from './deployment.js';
export type { Estimator } from './snapshot.js';

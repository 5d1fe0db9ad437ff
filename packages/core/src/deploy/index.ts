// What exporters and importers need of a model: `@fkm/core/deploy`. Knows no file format but the checkpoint's.

export { boundedJson } from '../model/bounded-json.js';
export { type Checkpoint, constantNames, type StoredTensor, toCheckpoint } from './checkpoint-parts.js';
export { type Deployment, type DeploymentOptions, deployment } from './deployment.js';
export type { Estimator } from './snapshot.js';

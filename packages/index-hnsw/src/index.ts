export type { HnswIndex, SearchOptions } from './engine.js';
export { hnswIndex } from './hnsw-index.js';
export type { KernelName } from './kernel.js';
export type { EngineName, HnswOptions } from './options.js';
export type { UsearchIndexLike, UsearchModule } from './usearch-module.js';

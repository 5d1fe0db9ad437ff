// `hnswIndex`: selects the engine.

import type { HnswIndex } from './engine.js';
import { type HnswOptions, settingsOf } from './options.js';
import { PortableIndex } from './portable.js';
import { UsearchIndex } from './usearch.js';

/**
 * Creates an empty index of points, searched in O(log K) by HNSW (Malkov & Yashunin 2018). Calls run synchronously, except the
 * import of usearch. Errors: OptionError; BackendError for `simd: true` without WebAssembly SIMD, and, at the first call, without
 * the usearch package.
 */
export function hnswIndex(options: HnswOptions = {}): HnswIndex {
  const settings = settingsOf(options);
  return settings.engine === 'usearch' ? new UsearchIndex(settings) : new PortableIndex(settings);
}

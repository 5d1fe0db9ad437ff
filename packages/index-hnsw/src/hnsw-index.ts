// `hnswIndex`: which engine answers.

import type { HnswIndex } from './engine.js';
import { type HnswOptions, settingsOf } from './options.js';
import { PortableIndex } from './portable.js';
import { UsearchIndex } from './usearch.js';

/**
 * An empty index of points, searched in O(log K): HNSW (Malkov & Yashunin 2018). Calls run in one go; only usearch, where it
 * is imported, waits for anything. Errors: OptionError; BackendError where `simd: true` finds none, and, of the first call,
 * where usearch is missing.
 */
export function hnswIndex(options: HnswOptions = {}): HnswIndex {
  const settings = settingsOf(options);
  return settings.engine === 'usearch' ? new UsearchIndex(settings) : new PortableIndex(settings);
}

// `hnswIndex`: which engine answers.

import type { Neighbours, Points, PrototypeIndex } from '@fkm/core';
import type { KernelName } from './kernel.js';
import { type EngineName, type HnswOptions, settingsOf } from './options.js';
import { PortableIndex } from './portable.js';
import { UsearchIndex } from './usearch.js';

export interface SearchOptions {
  /** Candidates of this search, in place of the option of the index. usearch has it fixed: another one is an OptionError. */
  readonly ef?: number;
}

/** A `PrototypeIndex` that says what it runs on. */
export interface HnswIndex extends PrototypeIndex {
  readonly engine: EngineName;
  /** What computes distances; 'native' for usearch. */
  readonly kernel: KernelName | 'native';
  search(rows: Points, count: number, options?: SearchOptions): Promise<Neighbours>;
}

/**
 * An empty index of points, searched in O(log K): HNSW (Malkov & Yashunin 2018). Calls run in one go; only usearch, where it
 * is imported, waits for anything. Errors: OptionError; BackendError where `simd: true` finds none, and, of the first call,
 * where usearch is missing.
 */
export function hnswIndex(options: HnswOptions = {}): HnswIndex {
  const settings = settingsOf(options);
  return settings.engine === 'usearch' ? new UsearchIndex(settings) : new PortableIndex(settings);
}

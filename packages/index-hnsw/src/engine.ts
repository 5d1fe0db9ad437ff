// The interface of both engines.

import type { Neighbours, Points, PrototypeIndex } from '@fkm/core';
import type { KernelName } from './kernel.js';
import type { EngineName } from './options.js';

export interface SearchOptions {
  /**
   * Number of candidates for this search, in place of the index's option. usearch has a fixed number: another one is an
   * OptionError.
   */
  readonly ef?: number;
}

/** A `PrototypeIndex` that names its kernel. */
export interface HnswIndex extends PrototypeIndex {
  readonly engine: EngineName;
  /** The code that measures distances; 'native' for usearch. */
  readonly kernel: KernelName | 'native';
  search(rows: Points, count: number, options?: SearchOptions): Promise<Neighbours>;
}

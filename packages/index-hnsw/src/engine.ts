// What both engines of an index are.

import type { Neighbours, Points, PrototypeIndex } from '@fkm/core';
import type { KernelName } from './kernel.js';
import type { EngineName } from './options.js';

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

// The layout of several heads in results.

import { expandDims } from '../graph/functions.js';
import { broadcast, reshape } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';

/** Head axis of the results: [B, K] with one head, [B, H, K/H] with more. */
export class Layout {
  readonly heads: number;
  readonly perHead: number;

  constructor(heads: number, prototypes: number) {
    this.heads = heads;
    this.perHead = prototypes / heads;
  }

  /** [.., K] → [.., H, K/H] */
  split(x: Tensor): Tensor {
    return this.heads === 1 ? x : reshape(x, [...x.shape.slice(0, -1), this.heads, this.perHead]);
  }

  /** [.., H] → [.., H, 1] */
  spread(x: Tensor): Tensor {
    return this.heads === 1 ? x : expandDims(x, -1);
  }

  /** [.., H, K/H] → [.., K] */
  join(x: Tensor): Tensor {
    return this.heads === 1 ? x : reshape(x, [...x.shape.slice(0, -2), this.heads * this.perHead]);
  }

  /** One row a head [H, D] → one row a prototype [K, D], or [1, D] with one head. */
  repeat(x: Tensor): Tensor {
    if (this.heads === 1) return x;
    const columns = x.dim(-1);
    const wide = broadcast(reshape(x, [this.heads, 1, columns]), [this.heads, this.perHead, columns]);
    return reshape(wide, [this.heads * this.perHead, columns]);
  }
}

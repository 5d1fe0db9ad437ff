// The prototype that each row of a batch chooses in a head, traced: one entry of the table for each rule of docs/method.md §4.

import { sumsByIndex } from '../formulas/composites.js';
import { expandDims } from '../graph/functions.js';
import {
  argMax,
  cast,
  concat,
  eq,
  gather,
  lt,
  matmul,
  mul,
  neg,
  oneHot,
  reduceMax,
  reshape,
  select,
  slice,
  sub,
  sum,
} from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { GridSpec } from './spec.js';

/** The prototype of each row in a head, with the row's weight there. */
export interface Choice {
  /** The prototype that each row chose [B]. */
  readonly index: Tensor;
  /** The weight of each row [B]; 0 if it had no choice. */
  readonly weight: Tensor;
  /** Σ w·v over the rows of each prototype [k, ·]; Σ w [k, 1] if `values` is null. */
  total(values: Tensor | null): Tensor;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** A δ larger than any real one: marks prototypes that a row may not choose. */
const far = 3e38;

/** Sums over the rows that chose each of k prototypes. */
export function totals(index: Tensor, weight: Tensor, k: number): Pick<Choice, 'total'> {
  return { total: (values) => sumsByIndex({ index, weight, values: values ?? undefined }, k) };
}

/** The columns of a vector [K] that belong to the head, [1, k]. */
const part = (all: Tensor, head: number, k: number): Tensor =>
  expandDims(slice(all, 0, head * k, (head + 1) * k), 0);

const bool = (x: Tensor): Tensor => cast(x, 'float32');

const rules: Readonly<
  Record<GridSpec['candidates'], (t: Tensors, head: number, k: number, delta: Tensor, w: Tensor) => Choice>
> = {
  all: (_t, _head, k, delta, w) => {
    const index = argMax(neg(delta));
    return { index, weight: w, ...totals(index, w, k) };
  },
  class: (t, head, k, delta, w) => {
    const own = eq(part(t.owners as Tensor, head, k), cast(t.y as Tensor, 'int32'));
    const index = argMax(neg(select(own, delta, far)));
    const weight = mul(w, reduceMax(bool(own), -1));
    return { index, weight, ...totals(index, weight, k) };
  },
  // A row chooses the nearest prototype of each of its labels.
  labels: (t, head, k, delta, w) => {
    const members = t.members as Tensor;
    const [, labels, most] = members.shape as [number, number, number];
    const owners = reshape(part(t.owners as Tensor, head, k), [k]);
    const score = neg(delta);
    const lacking = sub(mul(slice(score, 1, 0, 1), 0), far);
    const table = reshape(slice(members, 0, head, head + 1), [labels * most]);
    const perLabel = reshape(gather(concat([score, lacking], 1), table, 1), [delta.dim(0), labels, most]);
    const position = part(t.positions as Tensor, head, k);
    const chosen = bool(eq(gather(argMax(perLabel), owners, 1), position));
    const holds = gather(t.y as Tensor, owners, 1);
    const at = mul(mul(chosen, holds), expandDims(w, 1));
    const index = argMax(select(lt(0, holds), score, -far));
    return {
      index,
      weight: mul(w, reduceMax(holds, -1)),
      total: (values) => (values ? matmul(at, values, { transposeA: true }) : reshape(sum(at, 0), [k, 1])),
    };
  },
};

/** The choice of each row among the k prototypes of a head, from δ [B, k]. */
export const choose = (
  spec: GridSpec,
  t: Tensors,
  head: number,
  k: number,
  delta: Tensor,
  w: Tensor,
): Choice => rules[spec.joint ? 'all' : spec.candidates](t, head, k, delta, w);

/** The rows whose nearest prototype belongs to another class, at that prototype. */
export function wrongNearest(
  spec: GridSpec,
  t: Tensors,
  head: number,
  k: number,
  delta: Tensor,
  w: Tensor,
): Choice {
  const index = argMax(neg(delta));
  const owners = part(t.owners as Tensor, head, k);
  const own =
    spec.head.candidates === 'labels'
      ? gather(t.y as Tensor, reshape(owners, [k]), 1)
      : bool(eq(owners, cast(t.y as Tensor, 'int32')));
  const right = sum(mul(own, oneHot(index, k)), 1);
  const weight = mul(w, sub(1, right));
  return { index, weight, ...totals(index, weight, k) };
}

// Distances and similarities between rows and prototypes, traced: docs/method.md §2, one row a distance.

import { clamp, expandDims, relu, square } from '../graph/functions.js';
import {
  abs,
  add,
  broadcast,
  concat,
  div,
  iota,
  lt,
  matmul,
  max,
  mul,
  oneHot,
  reshape,
  select,
  slice,
  sqrt,
  stopGradient,
  sub,
  sum,
} from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { moderated } from './moderate.js';

export type Distance = 'cosine' | 'euclidean' | 'l1';

/** What is compared, and how. */
export interface Comparison {
  readonly distance: Distance;
  /** Rows [B, D]. */
  readonly x: Tensor;
  /** Prototypes [K, D]; with H heads, head h owns rows h·K/H … (h+1)·K/H − 1. */
  readonly prototypes: Tensor;
  /** 1 active, 0 missing [B, D]; values in between weigh. Masked entries of x may hold anything. */
  readonly mask?: Tensor | undefined;
  /** Diagonal metric [H, D], clamped at 0 here. */
  readonly weights?: Tensor | undefined;
  /** [1], by which distances are what they were before rows and prototypes were brought to a common unit. */
  readonly inverseUnit?: Tensor | undefined;
}

/** Sums over features that the distances are made of. */
interface Terms extends Comparison {
  readonly layout: Layout;
  /** Σ M x² [B, H, 1] */
  readonly rowSquares: Tensor;
  /** Σ M p² over [.., K] */
  readonly prototypeSquares: Tensor;
  /** factor · slope_k · Σ M x p [B, K]; the factors go into the prototypes, which are the smaller operand. */
  readonly products: (factor: number, slopes?: Tensor) => Tensor;
  /** D / ΣM over [.., H, 1] where masked or weighted. */
  readonly rescale: Tensor | undefined;
}

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

/** Masked entries as 0, so that a NaN there is never seen. */
const unmask = (x: Tensor, mask: Tensor | undefined): Tensor => (mask ? select(lt(0, mask), x, 0) : x);

/** Both around the mean prototype: ‖x‖² − 2x·p + ‖p‖² loses the digits that an offset of all of them takes. */
export function centered({ distance, x, prototypes }: Comparison): { x: Tensor; prototypes: Tensor } {
  if (distance !== 'euclidean') return { x, prototypes };
  const center = stopGradient(mul(sum(prototypes, 0, { keepDims: true }), 1 / prototypes.dim(0)));
  return { x: sub(x, center), prototypes: sub(prototypes, center) };
}

/** D / ΣM, by which a distance over weighed columns is one over D. */
export const rescaling = (columns: number, active: Tensor): Tensor => div(columns, max(active, 1e-12));

function terms(comparison: Comparison): Terms {
  const mask = comparison.mask && clamp(comparison.mask, 0, 1);
  const weights = comparison.weights && relu(comparison.weights);
  const { x: given, prototypes } = centered(comparison);
  const x = unmask(given, mask);
  const layout = new Layout(weights?.dim(0) ?? 1, prototypes.dim(0));
  const columns = x.dim(-1);

  const weighted = weights ? mul(prototypes, layout.repeat(weights)) : prototypes;
  const masked = mask ? mul(x, mask) : x;
  const squares = mul(masked, x);
  const overFeatures = (rows: Tensor): Tensor =>
    weights ? layout.spread(matmul(rows, weights, { transposeB: true })) : sum(rows, -1, { keepDims: true });
  const prototypeSquares = mul(weighted, prototypes);
  const active = mask ? overFeatures(mask) : weights ? layout.spread(sum(weights, -1)) : undefined;
  return {
    ...comparison,
    x,
    prototypes,
    mask,
    weights,
    layout,
    rowSquares: overFeatures(squares),
    prototypeSquares: mask ? matmul(mask, prototypeSquares, { transposeB: true }) : sum(prototypeSquares, -1),
    products: (factor, slopes) => {
      const scaled = slopes ? mul(weighted, expandDims(mul(slopes, factor), 1)) : mul(weighted, factor);
      return matmul(masked, factor === 1 && !slopes ? weighted : scaled, { transposeB: true });
    },
    rescale: active && rescaling(columns, active),
  };
}

/** Elements of one B × block × D slab of l1 beside the batch axis: bounds its memory. */
const l1Block = 2048;

/** Σ M |x − p| in slabs of prototypes, so that N×K×D is never held. */
function manhattan({ x, prototypes, mask, weights, layout }: Terms): Tensor {
  const columns = x.dim(-1);
  const size = Math.max(1, Math.floor(l1Block / columns));
  const rows = expandDims(x, 1);
  const parts: Tensor[] = [];
  for (let head = 0; head < layout.heads; head++) {
    const own = weights && slice(weights, 0, head, head + 1);
    const m = mask && expandDims(mask, 1);
    const scale = m && own ? mul(m, own) : (m ?? own);
    const end = (head + 1) * layout.perHead;
    for (let begin = head * layout.perHead; begin < end; begin += size) {
      const gaps = abs(sub(rows, slice(prototypes, 0, begin, Math.min(begin + size, end))));
      parts.push(sum(scale ? mul(gaps, scale) : gaps, -1));
    }
  }
  return layout.split(concat(parts, 1));
}

interface DistanceRow {
  /** What is computed once: the cosine, or the distance before masks and weights rescale it. */
  readonly measure: (t: Terms) => Tensor;
  readonly rescales: boolean;
  /** Rescaled measure to similarity, larger is nearer. */
  readonly similarity: (measure: Tensor) => Tensor;
  /** Measure to the δ of gaussian routing, smaller is nearer. */
  readonly delta: (measure: Tensor) => Tensor;
}

const same = (d: Tensor): Tensor => d;
const length = (squares: Tensor): Tensor => max(sqrt(max(squares, 1e-30)), 1e-9);

/** Every distance: adding one is adding a row. */
const distances: Readonly<Record<Distance, DistanceRow>> = {
  // Σ M x p / (√Σ M x² √Σ M p²)
  cosine: {
    measure: (t) =>
      div(
        t.layout.split(t.products(1)),
        mul(length(t.rowSquares), t.layout.split(length(t.prototypeSquares))),
      ),
    rescales: false,
    similarity: same,
    delta: (cosine) => mul(sub(1, cosine), 2),
  },
  // Σ M (x − p)², expanded; rounding takes it below 0 where x is p
  euclidean: {
    measure: (t) => add(t.layout.split(add(t.products(-2), t.prototypeSquares)), t.rowSquares),
    rescales: true,
    similarity: (d) => div(1, add(relu(d), 1)),
    delta: same,
  },
  // Σ M |x − p|
  l1: {
    measure: manhattan,
    rescales: true,
    similarity: (d) => div(1, add(d, 1)),
    delta: same,
  },
};

/**
 * slope_k·‖x − p_k‖² + offset_k of the unscaled measure, from two products and no other pass over [B, K]: x·(−2·slope∘w∘p)ᵀ, and the
 * rows' squares by the slopes of the head that they belong to. `slope` and `offset` [K] or [H, K/H].
 */
function affineSquares(t: Terms, slope: Tensor, offset: Tensor): Tensor {
  const { layout, prototypes } = t;
  const { heads, perHead } = layout;
  const count = heads * perHead;
  const perPrototype = (values: Tensor): Tensor => reshape(values, [count]);
  const slopes = perPrototype(slope);
  const fixed = add(mul(slopes, perPrototype(t.prototypeSquares)), perPrototype(offset));
  const products = add(t.products(-2, slopes), fixed);
  const ofHead = reshape(oneHot(iota(prototypes, heads), heads), [heads, 1, heads]);
  const table = reshape(mul(reshape(slopes, [heads, perHead, 1]), ofHead), [count, heads]);
  const squares = reshape(t.rowSquares, [t.x.dim(0), heads]);
  return layout.split(add(matmul(squares, table, { transposeB: true }), products));
}

/** One comparison in the layout [B, K] or [B, H, K/H]; what is not used is never computed. */
export interface Compared {
  readonly similarity: Tensor;
  /** δ, at least 0. */
  readonly delta: Tensor;
  /** δ in factors: the scale has one number a head, so that routing multiplies it into its bandwidths. */
  readonly factors: { readonly delta: Tensor; readonly scale: Tensor | undefined };
  /** slope_k·factors.delta + offset_k where that takes fewer passes than delta does; slope and offset [K] or [H, K/H]. */
  readonly affine: ((slope: Tensor, offset: Tensor) => Tensor) | undefined;
  readonly layout: Layout;
}

export const compare = (comparison: Comparison): Compared => compareModerate(moderated(comparison));

/** `compare` of what is `moderated` already. */
export function compareModerate(comparison: Comparison): Compared {
  const row = distances[comparison.distance];
  const t = terms(comparison);
  const measure = row.measure(t);
  const scale = row.rescales ? t.rescale : undefined;
  const rescaled = scale ? mul(measure, scale) : measure;
  return {
    similarity: row.similarity(inOwnUnits(comparison, rescaled)),
    delta: relu(row.delta(rescaled)),
    factors: { delta: row.delta(measure), scale },
    affine:
      comparison.distance === 'euclidean' && !comparison.mask
        ? (slope, offset) => affineSquares(t, slope, offset)
        : undefined,
    layout: t.layout,
  };
}

/** δ of rows as they came; the square of a unit would leave float32 before its product does. */
function inOwnUnits({ distance, inverseUnit }: Comparison, measure: Tensor): Tensor {
  if (!inverseUnit) return measure;
  const once = mul(measure, inverseUnit);
  return distance === 'euclidean' ? mul(once, inverseUnit) : once;
}

/** Similarities s(x, p) [B, K], one head. */
export const pairwise = (comparison: Comparison): Tensor => compare(comparison).similarity;

/** Σ_{i≠j} s(p_i, p_j)², the diversity penalty; `present` [K] is 0 for rows that are no prototypes. */
export function diversity(
  prototypes: Tensor,
  distance: Distance,
  weights?: Tensor,
  present?: Tensor,
  inverseUnit?: Tensor,
): Tensor {
  const all = square(pairwise({ distance, x: prototypes, prototypes, weights, inverseUnit }));
  const s = present ? mul(mul(all, present), expandDims(present, 1)) : all;
  const count = prototypes.dim(0);
  return sub(sum(s), sum(mul(s, oneHot(iota(prototypes, count), count))));
}

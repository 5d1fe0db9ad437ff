// The distances, one table row each (docs/method.md §2). Everything that other code asks of a distance is a field of its row.

import { expandDims, relu } from '../graph/functions.js';
import {
  abs,
  add,
  concat,
  div,
  iota,
  matmul,
  max,
  mul,
  neg,
  oneHot,
  reduceMax,
  reshape,
  slice,
  sqrt,
  sub,
  sum,
} from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { Layout } from './layout.js';

/** How rows and prototypes are compared. */
export type Distance = 'cosine' | 'euclidean' | 'l1';

/** The traced sums over features that distances are made of; M is the mask times the metric. */
export interface Terms {
  /** Rows [B, D], masked entries 0. */
  readonly x: Tensor;
  /** Prototypes [K, D]. */
  readonly prototypes: Tensor;
  /** Mask [B, D] in [0, 1]. */
  readonly mask?: Tensor | undefined;
  /** Diagonal metric [H, D], at least 0. */
  readonly weights?: Tensor | undefined;
  readonly layout: Layout;
  /** Σ M x² [B, H, 1] */
  readonly rowSquares: Tensor;
  /** Σ M p² over [.., K] */
  readonly prototypeSquares: Tensor;
  /** factor · slope_k · Σ M x p [B, K]; both factors are multiplied into the prototypes, the smaller operand. */
  readonly products: (factor: number, slopes?: Tensor) => Tensor;
}

/** Measures `size` numbers of a row from `i` on and of a prototype from `k` on. */
export type HostMeasure = (
  x: ArrayLike<number>,
  i: number,
  p: ArrayLike<number>,
  k: number,
  size: number,
) => number;

/** A row and its prototype on the host; `weight(j)` is the mask times the metric in column j. */
export interface Pair {
  readonly x: ArrayLike<number>;
  readonly p: ArrayLike<number>;
  readonly weight: (j: number) => number;
}

export interface DistanceRow {
  /** The part that is computed once: the cosine, or the distance before it is rescaled for masks and weights. */
  readonly measure: (t: Terms) => Tensor;
  /** Whether a masked or weighted distance is multiplied by D / ΣM, so that missing values do not lower it. */
  readonly rescales: boolean;
  /** From the rescaled measure to similarity; larger is nearer. */
  readonly similarity: (measure: Tensor) => Tensor;
  /** From the measure to δ of gaussian routing; smaller is nearer. */
  readonly delta: (measure: Tensor) => Tensor;
  /** From δ to similarity, on the host. */
  readonly similarityOf: (delta: number) => number;
  /** From δ to the distance that users read. */
  readonly length: (delta: Tensor) => Tensor;
  /** From similarity to a share in [0, 1]. */
  readonly share: (similarity: Tensor) => Tensor;
  /** The cost of each row at its nearest prototype [B], from similarities [B, K] or δ [B, K]. */
  readonly nearestCost: (similarity: Tensor, delta: () => Tensor) => Tensor;
  /** δ of a pair on the host in float64, before it is rescaled. */
  readonly pairDelta: (pair: Pair) => number;
  /** What an index measures between rows in its space, in float64; δ divided by `perIndexed`. */
  readonly indexed: HostMeasure;
  readonly perIndexed: number;
  /** The factor of rows and prototypes in the space of an index, from the weight of a column. */
  readonly indexFactor: (weight: number) => number;
  /** δ(c·x, c·p) = c^degree · δ(x, p). With degree 0, rows are directions and their lengths do not count. */
  readonly degree: 0 | 1 | 2;
  /** Whether δ is the square of a length. */
  readonly squared: boolean;
  /** Whether δ = ‖x‖² − 2x·p + ‖p‖²: then a search is one product, and costs follow from sums of rows. */
  readonly expands: boolean;
  /** Memory of a comparison: [B, K], or in addition slabs of [B, k, D]. */
  readonly memory: 'products' | 'slabs';
}

const same = (d: Tensor): Tensor => d;
const rootOf = (squares: Tensor): Tensor => max(sqrt(max(squares, 1e-30)), 1e-9);
const nearestDelta: DistanceRow['nearestCost'] = (_, delta) => neg(reduceMax(neg(delta()), -1));

/** Σ_j f(weight, x, p) over the columns of positive weight; masked values may be anything. */
export function overPair({ x, p, weight }: Pair, f: (m: number, x: number, p: number) => number): number {
  let sum = 0;
  for (let j = 0; j < x.length; j++) {
    const m = weight(j);
    if (m > 0) sum += f(m, x[j] as number, p[j] as number);
  }
  return sum;
}

const dot: HostMeasure = (x, i, p, k, size) => {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += (x[i + j] as number) * (p[k + j] as number);
  return sum;
};

/**
 * The root of a sum of squares. In float64, squares of float32 neither vanish nor overflow. A row of zeros gets 1, which makes it
 * orthogonal to all rows.
 */
const hostRoot = (squares: number): number => Math.sqrt(squares) || 1;

/** All distances; a new distance is a new row. */
export const distances: Readonly<Record<Distance, DistanceRow>> = {
  // Σ M x p / (√Σ M x² √Σ M p²)
  cosine: {
    measure: (t) =>
      div(
        t.layout.split(t.products(1)),
        mul(rootOf(t.rowSquares), t.layout.split(rootOf(t.prototypeSquares))),
      ),
    rescales: false,
    similarity: same,
    delta: (cosine) => mul(sub(1, cosine), 2),
    similarityOf: (delta) => 1 - delta / 2,
    length: (delta) => mul(delta, 0.5),
    share: (cosine) => div(add(cosine, 1), 2),
    nearestCost: (cosine) => sub(1, reduceMax(cosine, -1)),
    pairDelta: (pair) => {
      const [xx, pp] = [overPair(pair, (m, x) => m * x * x), overPair(pair, (m, _, p) => m * p * p)];
      return 2 * (1 - overPair(pair, (m, x, p) => m * x * p) / (hostRoot(xx) * hostRoot(pp)));
    },
    indexed: (x, i, p, k, size) =>
      1 - dot(x, i, p, k, size) / (hostRoot(dot(x, i, x, i, size)) * hostRoot(dot(p, k, p, k, size))),
    perIndexed: 2,
    indexFactor: Math.sqrt,
    degree: 0,
    squared: true,
    expands: false,
    memory: 'products',
  },
  // Σ M (x − p)², expanded; rounding can make it negative where x equals p.
  euclidean: {
    measure: (t) => add(t.layout.split(add(t.products(-2), t.prototypeSquares)), t.rowSquares),
    rescales: true,
    similarity: (d) => div(1, add(relu(d), 1)),
    delta: same,
    similarityOf: (delta) => 1 / (1 + delta),
    length: sqrt,
    share: relu,
    nearestCost: nearestDelta,
    pairDelta: (pair) => overPair(pair, (m, x, p) => m * (x - p) ** 2),
    indexed: (x, i, p, k, size) => {
      let sum = 0;
      for (let j = 0; j < size; j++) {
        const gap = (x[i + j] as number) - (p[k + j] as number);
        sum += gap * gap;
      }
      return sum;
    },
    perIndexed: 1,
    indexFactor: Math.sqrt,
    degree: 2,
    squared: true,
    expands: true,
    memory: 'products',
  },
  // Σ M |x − p|
  l1: {
    measure: manhattan,
    rescales: true,
    similarity: (d) => div(1, add(d, 1)),
    delta: same,
    similarityOf: (delta) => 1 / (1 + delta),
    length: same,
    share: relu,
    nearestCost: nearestDelta,
    pairDelta: (pair) => overPair(pair, (m, x, p) => m * Math.abs(x - p)),
    indexed: (x, i, p, k, size) => {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += Math.abs((x[i + j] as number) - (p[k + j] as number));
      return sum;
    },
    perIndexed: 1,
    indexFactor: (weight) => weight,
    degree: 1,
    squared: false,
    expands: false,
    memory: 'slabs',
  },
};

export const distanceNames: readonly Distance[] = Object.keys(distances) as Distance[];

/** Whether a distance compares directions (degree 0): rows may have any length, and have length 1 during training. */
export const comparesDirections = (distance: Distance): boolean => distances[distance].degree === 0;

/** Elements of a B × block × D slab for each row of the batch, which bounds its memory. */
const slabSize = 2048;

/** Σ M |x − p| in slabs of prototypes, so that N×K×D is never held. */
function manhattan({ x, prototypes, mask, weights, layout }: Terms): Tensor {
  const columns = x.dim(-1);
  const size = Math.max(1, Math.floor(slabSize / columns));
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

/**
 * slope_k·‖x − p_k‖² + offset_k of the measure before rescaling, from two products and no other pass over [B, K]:
 * x·(−2·slope∘w∘p)ᵀ, and the rows' squares times the slopes of their head. `slope` and `offset` [K] or [H, K/H].
 */
export function affineSquares(t: Terms, slope: Tensor, offset: Tensor): Tensor {
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

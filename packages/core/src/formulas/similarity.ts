// Compares rows with prototypes, traced, by the table of distances (docs/method.md §2).

import { clamp, expandDims, relu, square } from '../graph/functions.js';
import { div, iota, lt, matmul, max, mul, oneHot, select, stopGradient, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { affineSquares, type Distance, distances, type Terms } from './distances.js';
import { Layout } from './layout.js';
import { moderated } from './moderate.js';

/** The operands of a comparison, and its distance. */
export interface Comparison {
  readonly distance: Distance;
  /** Rows [B, D]. */
  readonly x: Tensor;
  /** Prototypes [K, D]; with H heads, head h owns rows h·K/H … (h+1)·K/H − 1. */
  readonly prototypes: Tensor;
  /** Mask [B, D]: 1 present, 0 missing; values in between are weights. Masked entries of x may hold anything. */
  readonly mask?: Tensor | undefined;
  /** Diagonal metric [H, D], clamped at 0 here. */
  readonly weights?: Tensor | undefined;
  /** [1], a factor that undoes the common unit of rows and prototypes in distances. */
  readonly inverseUnit?: Tensor | undefined;
}

/** Rows with masked entries set to 0, so that a NaN there has no effect. */
const unmask = (x: Tensor, mask: Tensor | undefined): Tensor => (mask ? select(lt(0, mask), x, 0) : x);

/** Rows and prototypes relative to the mean prototype: a common offset costs digits in ‖x‖² − 2x·p + ‖p‖². */
export function centered({ distance, x, prototypes }: Comparison): { x: Tensor; prototypes: Tensor } {
  if (!distances[distance].expands) return { x, prototypes };
  const center = stopGradient(mul(sum(prototypes, 0, { keepDims: true }), 1 / prototypes.dim(0)));
  return { x: sub(x, center), prototypes: sub(prototypes, center) };
}

/** D / ΣM, which rescales a distance over weighted columns to one over D. */
export const rescaling = (columns: number, active: Tensor): Tensor => div(columns, max(active, 1e-12));

function terms(comparison: Comparison): Terms & { readonly rescale: Tensor | undefined } {
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
    /** D / ΣM [.., H, 1]; undefined without mask and weights. */
    rescale: active && rescaling(columns, active),
  };
}

/** One comparison in the layout [B, K] or [B, H, K/H]; unused parts are never computed. */
export interface Compared {
  readonly similarity: Tensor;
  /** δ, at least 0. */
  readonly delta: Tensor;
  /** δ as factors; the scale has one number a head, which routing multiplies into its bandwidths. */
  readonly factors: { readonly delta: Tensor; readonly scale: Tensor | undefined };
  /** slope_k·factors.delta + offset_k, if that takes fewer passes than delta; slope and offset [K] or [H, K/H]. */
  readonly affine: ((slope: Tensor, offset: Tensor) => Tensor) | undefined;
  readonly layout: Layout;
}

export const compare = (comparison: Comparison): Compared => compareModerate(moderated(comparison));

/** `compare` for operands that are `moderated` already. */
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
    affine: row.expands && !comparison.mask ? (slope, offset) => affineSquares(t, slope, offset) : undefined,
    layout: t.layout,
  };
}

/**
 * δ in the units of rows before the common unit. Multiplied one factor at a time: the square of a unit can overflow float32 before
 * the product does.
 */
function inOwnUnits({ distance, inverseUnit }: Comparison, measure: Tensor): Tensor {
  if (!inverseUnit) return measure;
  const once = mul(measure, inverseUnit);
  return distances[distance].degree === 2 ? mul(once, inverseUnit) : once;
}

/** Similarities s(x, p) [B, K], one head. */
export const pairwise = (comparison: Comparison): Tensor => compare(comparison).similarity;

/** Σ_{i≠j} s(p_i, p_j)², the diversity penalty; `present` [K] is 0 for padding. */
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

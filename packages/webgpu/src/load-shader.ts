// WGSL functions by which the search kernel reads rows: centered, masked and weighted for their distance.

import { lengthFactor, looksAtLengths } from './length-shader.js';
import { type Prepared, type SearchSpec, scoringOf } from './spec.js';

export const range = (size: number): number[] => Array.from({ length: size }, (_, i) => i);
export const lines = (parts: readonly string[], indent = '  '): string => parts.join(`\n${indent}`);
/** Reads a vector from the array of prepared prototypes, starting at `offset` numbers. */
export const read = (at: string, offset: number): string => `prepared[${offset / 4}u + ${at}]`;

/** The contribution of a column to the term that all distances of a row share. */
export const perColumn = ({ distance }: SearchSpec): string => (distance === 'l1' ? 'abs(v)' : 'v * v');

/** D / ΣM in WGSL, from the sum of the weights that count. */
export const scaleOf = (
  { distance, masked, weighted, columns }: SearchSpec,
  counted: string,
): string | null =>
  distance !== 'cosine' && (masked || weighted) ? `${columns}f / max(${counted}, 1e-12f)` : null;

/**
 * `loadFour(row, d)`: the operands of four columns. With a mask also `rowStat(row)`: Σ M x² or Σ M |x|, and D / ΣM. If lengths are
 * measured, `rowFactor(row)` gives the factor of a row, and both take it as their last argument.
 */
export function loadingFunctions(spec: SearchSpec, layout: Prepared): string {
  const { columns, masked, weighted, distance } = spec;
  const vectors = columns % 4 === 0;
  const operands = range(scoringOf(spec).operands);
  /** Four columns of one row, 0 beyond the last column. */
  const four = (name: string): string => {
    const zero = layout.depth === columns ? null : `d < ${columns}u`;
    if (vectors) {
      const load = `vec4f(${name}[row * ${columns / 4}u + ${zero ? `min(d / 4u, ${columns / 4 - 1}u)` : 'd / 4u'}])`;
      return `fn ${name}Four(row: u32, d: u32) -> vec4f {
  return ${zero ? `select(vec4f(), ${load}, ${zero})` : load};
}`;
    }
    const one = (i: number): string =>
      `select(0f, f32(${name}[row * ${columns}u + min(d + ${i}u, ${columns - 1}u)]), d + ${i}u < ${columns}u)`;
    return `fn ${name}Four(row: u32, d: u32) -> vec4f {
  return vec4f(${range(4).map(one).join(', ')});
}`;
  };

  const centered = distance === 'euclidean';
  const lengths = looksAtLengths(spec);
  const parameter = lengths ? ', factor: f32' : '';
  const times = lengths ? ' * factor' : '';
  /** Operands of four columns of a row: `a`, and with a mask `m`. */
  const load = `fn loadFour(row: u32, d: u32${parameter}) -> array<vec4f, ${operands.length}> {
  ${lines([
    `var a = xFour(row, d)${times};`,
    ...(centered ? [`a -= ${read('d / 4u', layout.center)};`] : []),
    ...(masked
      ? [
          'let m = clamp(maskFour(row, d), vec4f(), vec4f(1f));',
          'a = select(vec4f(), a, m > vec4f());',
          ...(distance === 'l1' ? [] : ['a *= m;']),
        ]
      : []),
    ...(distance === 'l1' && weighted ? [`a *= ${read('d / 4u', layout.weights)};`] : []),
    `return array<vec4f, ${operands.length}>(${operands.map((o) => (o === 0 ? 'a' : 'm')).join(', ')});`,
  ])}
}`;

  const maskedStat = `fn rowStat(row: u32${parameter}) -> vec2f {
  var sum = 0f;
  var counted = 0f;
  for (var d = 0u; d < ${layout.depth}u; d += 4u) {
    var v = xFour(row, d)${times}${centered ? ` - ${read('d / 4u', layout.center)}` : ''};
    let m = clamp(maskFour(row, d), vec4f(), vec4f(1f));
    let w = ${weighted ? `m * ${read('d / 4u', layout.weights)}` : 'm'};
    v = select(vec4f(), v, m > vec4f());
    sum += dot(${perColumn(spec)}, w);
    counted += dot(w, vec4f(1f));
  }
  return vec2f(sum, ${scaleOf(spec, 'counted') ?? '1f'});
}`;

  // Entries that are masked or of weight 0 do not count.
  const longest = `${lengthFactor}
fn rowFactor(row: u32) -> f32 {
  var largest = vec4f();
  for (var d = 0u; d < ${layout.depth}u; d += 4u) {
    var v = abs(xFour(row, d));
    ${masked ? 'v = select(vec4f(), v, maskFour(row, d) > vec4f());' : ''}
    ${weighted ? `v = select(vec4f(), v, ${read('d / 4u', layout.weights)} > vec4f());` : ''}
    largest = max(largest, v);
  }
  return lengthFactor(max(max(largest.x, largest.y), max(largest.z, largest.w)));
}`;

  return lines(
    [
      four('x'),
      ...(masked ? [four('mask')] : []),
      load,
      ...(masked ? [maskedStat] : []),
      ...(lengths ? [longest] : []),
    ],
    '',
  );
}

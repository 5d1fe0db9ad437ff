// Prepares prototypes for the search: transposed, padded to whole tiles, centered or normalised, with the factors of their
// distance. This is small beside the search: K·D numbers against B·K·D products.

import { lengthFactor, looksAtLengths } from './length-shader.js';
import { lowest, preparedLayout, type SearchSpec, scoringOf } from './spec.js';
import type { Tile } from './tiles.js';

const threads = 64;

/** A kernel of the chain, and its number of workgroups. */
export interface Pass {
  readonly code: string;
  readonly groups: number;
  /** Its bindings, in order. */
  readonly bindings: readonly string[];
}

/** The passes that fill `prepared`, in order. */
export function preparePasses(spec: SearchSpec, tile: Tile): readonly Pass[] {
  const layout = preparedLayout(spec, tile);
  const { columns, prototypes, weighted, distance, masked } = spec;
  const half = spec.prototypeType === 'float16';
  const head = `${half ? 'enable f16;\n' : ''}@group(0) @binding(0) var<storage, read_write> prepared: array<f32>;
@group(0) @binding(1) var<storage, read> prototypes: array<${half ? 'f16' : 'f32'}>;
`;

  // A workgroup sums 16 columns in 16 lanes each, which read adjacent numbers.
  const center = `${head}
var<workgroup> sums: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let d = group.x * 16u + lid % 16u;
  var sum = 0f;
  if (d < ${columns}u) {
    for (var k = lid / 16u; k < ${prototypes}u; k += 16u) { sum += f32(prototypes[k * ${columns}u + d]); }
  }
  sums[lid] = sum;
  for (var half = 128u; half >= 16u; half /= 2u) {
    workgroupBarrier();
    if (lid < half) { sums[lid] += sums[lid + half]; }
  }
  if (lid < 16u && d < ${layout.depth}u) { prepared[${layout.center}u + d] = sums[lid] * ${1 / prototypes}f; }
}`;

  const { operands } = scoringOf(spec);
  const [first = 0, second = 0] = layout.operand;
  const at = (operand: number): string => `prepared[${operand}u + d * ${layout.width}u + k]`;
  // Loops over the columns of a prototype: p is the value, w its weight; `sum` is Σ w p².
  const rows: Readonly<Record<string, { first: string; second?: string; start: string }>> = {
    euclidean: { first: '2f * w * p', second: '-w * p * p', start: masked ? '0f' : '-sum' },
    cosine: {
      first: masked ? 'w * p' : 'w * p / max(sqrt(max(sum, 1e-30f)), 1e-9f)',
      second: 'w * p * p',
      start: '0f',
    },
    l1: { first: 'w * p', second: '0f', start: '0f' },
  };
  const row = rows[distance] as { first: string; second: string; start: string };
  const lengths = looksAtLengths(spec);
  const stored = (place: string): string => `f32(prototypes[k * ${columns}u + ${place}])`;
  const value = (place: string): string => {
    if (lengths) return `${stored(place)} * toModerate`;
    return `${stored(place)}${distance === 'euclidean' ? ` - prepared[${layout.center}u + ${place}]` : ''}`;
  };
  const counts = (place: string): string => `max(weights[${place}], 0f)`;
  const weight = (place: string): string =>
    weighted ? `${counts(place)}${lengths ? ' * ofWeights' : ''}` : '1f';
  const largestWeight = `var heaviest = 0f;
  for (var d = 0u; d < ${columns}u; d++) { heaviest = max(heaviest, ${counts('d')}); }
  let ofWeights = lengthFactor(heaviest);`;
  // Entries of weight 0 do not count.
  const largestEntry = `var largest = 0f;
  for (var d = 0u; d < ${columns}u; d++) { largest = max(largest, ${weighted ? `select(0f, abs(${stored('d')}), weights[d] > 0f)` : `abs(${stored('d')})`}); }
  let toModerate = lengthFactor(largest);`;
  const fill = `${head}${lengths ? lengthFactor : ''}
${weighted ? '@group(0) @binding(2) var<storage, read> weights: array<f32>;' : ''}
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x;
  ${lengths && weighted ? largestWeight : ''}
  if (k < ${layout.depth}u) {
    if (k < ${columns}u) { prepared[${layout.weights}u + k] = ${weight('k')}; }
    else { prepared[${layout.weights}u + k] = 0f; }
  }
  if (k >= ${layout.width}u) { return; }
  if (k >= ${prototypes}u) {
    prepared[${layout.start}u + k] = ${lowest};
    for (var d = 0u; d < ${layout.depth}u; d++) { ${at(first)} = 0f; ${operands === 2 ? `${at(second)} = 0f;` : ''} }
    return;
  }
  ${lengths ? largestEntry : ''}
  var sum = 0f;
  for (var d = 0u; d < ${columns}u; d++) { let p = ${value('d')}; sum += ${weight('d')} * p * p; }
  for (var d = 0u; d < ${columns}u; d++) {
    let p = ${value('d')};
    let w = ${weight('d')};
    ${at(first)} = ${row.first};
    ${operands === 2 && distance !== 'l1' ? `${at(second)} = ${row.second};` : ''}
  }
  for (var d = ${columns}u; d < ${layout.depth}u; d++) { ${at(first)} = 0f; ${operands === 2 ? `${at(second)} = 0f;` : ''} }
  let lost = (bitcast<u32>(sum) & 0x7fffffffu) > 0x7f800000u;
  prepared[${layout.start}u + k] = select(${row.start}, sum, lost);
}`;

  // A NaN in one prototype makes every δ NaN, as a maximum over all would. In the first prototype, it stops the search.
  const poison = `
@group(0) @binding(0) var<storage, read_write> prepared: array<f32>;
fn lost(k: u32) -> bool { return (bitcast<u32>(prepared[${layout.start}u + k]) & 0x7fffffffu) > 0x7f800000u; }
@compute @workgroup_size(1)
fn main() {
  prepared[${layout.poison}u] = 0f;
  prepared[${layout.poison + 1}u] = 0f;
  for (var k = ${prototypes}u; k > 0u; k--) {
    if (lost(k - 1u)) { prepared[${layout.poison}u] = prepared[${layout.start}u + k - 1u]; }
  }
  if (lost(0u)) { prepared[${layout.poison + 1}u] = prepared[${layout.start}u]; }
}`;

  const widest = Math.max(layout.width, layout.depth);
  const both = ['prepared', 'prototypes'];
  return [
    ...(distance === 'euclidean'
      ? [{ code: center, groups: Math.ceil(layout.depth / 16), bindings: both }]
      : []),
    {
      code: fill,
      groups: Math.ceil(widest / threads),
      bindings: weighted ? [...both, 'weights'] : both,
    },
    // With a center that is NaN, all rows are NaN.
    ...(distance === 'euclidean' || spec.k > 0 ? [] : [{ code: poison, groups: 1, bindings: ['prepared'] }]),
  ];
}

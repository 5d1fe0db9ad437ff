// Sums by prototype in WGSL. A counting sort orders rows by prototype, stable within each; then every prototype sums its rows.
// There are no atomic adds of floats, so the same rows give the same bits.

/** The shape of the sums. */
export interface SumsSpec {
  readonly columns: number;
  readonly prototypes: number;
}

/** Rows that a workgroup counts and sorts. */
export const blockRows = 2048;
const threads = 256;
/** Numbers that a workgroup scans. */
export const chunk = 2048;
/** Prototypes that a workgroup counts at a time: 8 kB. */
export const keys = 2048;
/** Columns that a workgroup sums at a time. */
export const lanesOf = (columns: number): number => {
  let lanes = 1;
  while (lanes < Math.min(64, columns)) lanes *= 2;
  return lanes;
};

const params = (binding: number): string => `
struct Params { rows: u32, blocks: u32, slices: u32, counts: u32, across: u32 }
@group(0) @binding(${binding}) var<uniform> params: Params;`;

/** counts[k, block]: number of rows in a block that belong to k. */
export const countShader = ({ prototypes }: SumsSpec): string => `
@group(0) @binding(0) var<storage, read> index: array<i32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;${params(2)}
var<workgroup> found: array<atomic<u32>, ${keys}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let first = group.y * ${keys}u;
  let begin = group.x * ${blockRows}u;
  let end = min(begin + ${blockRows}u, params.rows);
  for (var row = begin + lid; row < end; row += ${threads}u) {
    let key = u32(index[row]) - first;
    if (key < ${keys}u) { atomicAdd(&found[key], 1u); }
  }
  workgroupBarrier();
  for (var k = lid; k < min(${keys}u, ${prototypes}u - first); k += ${threads}u) {
    counts[(first + k) * params.blocks + group.x] = atomicLoad(&found[k]);
  }
}`;

/**
 * Prefix sums: replaces an array's entries `first` … `first + own` before `end` by the sums of all entries before them in the
 * workgroup (Hillis & Steele 1986).
 */
const runningSums = (array: string, end: string): string => `  var sum = 0u;
  for (var i = first; i < min(first + own, ${end}); i++) {
    let count = ${array}[i];
    ${array}[i] = sum;
    sum += count;
  }
  sums[lid] = sum;
  for (var step = 1u; step < ${threads}u; step *= 2u) {
    workgroupBarrier();
    var before = 0u;
    if (lid >= step) { before = sums[lid - step]; }
    workgroupBarrier();
    sums[lid] += before;
  }
  for (var i = first; i < min(first + own, ${end}); i++) { ${array}[i] += sums[lid] - sum; }`;

/** Prefix sums within chunks, and the total of each chunk. */
export const scanShader = (): string => `
@group(0) @binding(0) var<storage, read_write> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> totals: array<u32>;${params(2)}
var<workgroup> sums: array<u32, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let own = ${chunk / threads}u;
  let first = group.x * ${chunk}u + lid * own;
${runningSums('counts', 'params.counts')}
  if (lid == ${threads - 1}u) { totals[group.x] = sums[lid]; }
}`;

/** Prefix sums of the totals, by one workgroup. */
export const totalsShader = (): string => `
@group(0) @binding(0) var<storage, read_write> totals: array<u32>;${params(1)}
var<workgroup> sums: array<u32, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) lid: u32) {
  let size = (params.counts + ${chunk - 1}u) / ${chunk}u;
  let own = (size + ${threads - 1}u) / ${threads}u;
  let first = lid * own;
${runningSums('totals', 'size')}
}`;

const place = (at: string): string => `counts[${at}] + totals[(${at}) / ${chunk}u]`;

/** Number of sorting threads; each takes four rows at a time. */
const sorters = 64;

/** order: the rows of prototype 0, then those of 1, and so on. */
export const orderShader = ({ prototypes }: SumsSpec): string => `
@group(0) @binding(0) var<storage, read> index: array<i32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> totals: array<u32>;
@group(0) @binding(3) var<storage, read_write> order: array<u32>;${params(4)}
var<workgroup> next: array<atomic<u32>, ${keys}>;
var<workgroup> own: array<vec4u, ${sorters}>;
fn count(found: vec4<bool>) -> u32 { return dot(select(vec4u(), vec4u(1u), found), vec4u(1u)); }
@compute @workgroup_size(${sorters})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let first = group.y * ${keys}u;
  for (var k = lid; k < min(${keys}u, ${prototypes}u - first); k += ${sorters}u) {
    let at = (first + k) * params.blocks + group.x;
    atomicStore(&next[k], ${place('at')});
  }
  for (var begin = group.x * ${blockRows}u; begin < (group.x + 1u) * ${blockRows}u; begin += ${4 * sorters}u) {
    let row = begin + 4u * lid;
    var key = vec4u(0xffffffffu);
    for (var i = 0u; i < 4u; i++) { if (row + i < params.rows) { key[i] = u32(index[row + i]) - first; } }
    workgroupBarrier();
    own[lid] = key;
    workgroupBarrier();
    // Rows of this step that come before mine at the same prototype: in the fours before, and in my own.
    var before = vec4u(0u, u32(key.y == key.x), count(key.zzzz == vec4u(key.xy, 0xfffffffeu, 0xfffffffeu)),
      count(key.wwww == vec4u(key.xyz, 0xfffffffeu)));
    for (var i = 0u; i < lid; i++) {
      let other = own[i];
      before += vec4u(count(other == key.xxxx), count(other == key.yyyy), count(other == key.zzzz), count(other == key.wwww));
    }
    var at = vec4u();
    for (var i = 0u; i < 4u; i++) {
      if (key[i] < ${keys}u) {
        at[i] = atomicLoad(&next[key[i]]) + before[i];
        order[at[i]] = row + i;
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) { if (key[i] < ${keys}u) { atomicMax(&next[key[i]], at[i] + 1u); } }
  }
}`;

/** Σ w·x and Σ w over a slice of a prototype's rows, in lanes that are added in a fixed order. */
export const addShader = ({ columns, prototypes }: SumsSpec): string => {
  const lanes = lanesOf(columns);
  const down = threads / lanes;
  return `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> totals: array<u32>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;${params(6)}
var<workgroup> sums: array<f32, ${threads}>;
var<workgroup> weights: array<f32, ${threads}>;
fn begins(k: u32) -> u32 {
  if (k >= ${prototypes}u) { return params.rows; }
  let at = k * params.blocks;
  return ${place('at')};
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let which = group.z * params.across + group.x;
  let k = which / params.slices;
  let slice = which % params.slices;
  if (k >= ${prototypes}u) { return; }
  let d = group.y * ${lanes}u + lid % ${lanes}u;
  let first = begins(k);
  let size = begins(k + 1u) - first;
  let own = (size + params.slices - 1u) / params.slices;
  let end = first + min(size, own * (slice + 1u));
  var sum = 0f;
  var weight = 0f;
  let column = min(d, ${columns - 1}u);
  // Four rows at a time, whose reads wait for one another otherwise; a row beyond the last has no weight.
  for (var i = first + own * slice + lid / ${lanes}u; i < end; i += ${4 * down}u) {
    let places = vec4u(i, i + ${down}u, i + ${2 * down}u, i + ${3 * down}u);
    let there = places < vec4u(end);
    let at = select(vec4u(i), places, there);
    let rows = vec4u(order[at.x], order[at.y], order[at.z], order[at.w]);
    let share = select(vec4f(), vec4f(w[rows.x], w[rows.y], w[rows.z], w[rows.w]), there);
    let cells = rows * ${columns}u + column;
    let values = vec4f(x[cells.x], x[cells.y], x[cells.z], x[cells.w]);
    weight += dot(share, vec4f(1f));
    sum += dot(share, values);
  }
  sums[lid] = sum;
  weights[lid] = weight;
  for (var half = ${threads / 2}u; half >= ${lanes}u; half /= 2u) {
    workgroupBarrier();
    if (lid < half) { sums[lid] += sums[lid + half]; weights[lid] += weights[lid + half]; }
  }
  let at = which * ${columns + 1}u;
  if (lid < ${lanes}u && d < ${columns}u) { parts[at + d] = sums[lid]; }
  if (lid == 0u && group.y == 0u) { parts[at + ${columns}u] = weights[0]; }
}`;
};

/** Adds the slices of each prototype: sums [K, D] and weights [K]. */
export const gatherShader = ({ columns, prototypes }: SumsSpec): string => `
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;${params(3)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let d = group.x * 64u + lid;
  for (var k = group.y; k < ${prototypes}u; k += 32768u) {
    if (d > ${columns}u) { return; }
    var sum = 0f;
    for (var s = 0u; s < params.slices; s++) { sum += parts[(k * params.slices + s) * ${columns + 1}u + d]; }
    if (d < ${columns}u) { sums[k * ${columns}u + d] = sum; } else { weights[k] = sum; }
  }
}`;

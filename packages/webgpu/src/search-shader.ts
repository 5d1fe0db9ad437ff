// The WGSL of the search kernel: a tiled matrix product whose result is reduced at once and never stored. A workgroup moves a tile
// of rows past all prototypes. Each thread keeps a block of scores in registers, and the best of each row next to it.

import { looksAtLengths } from './length-shader.js';
import { lines, loadingFunctions, perColumn, range, read, scaleOf } from './load-shader.js';
import { bindings, lowest, preparedLayout, type SearchSpec, scoringOf } from './spec.js';
import { type Tile, threadsOf } from './tiles.js';

export function searchShader(spec: SearchSpec, tile: Tile): string {
  const { columns, masked, distance, k } = spec;
  const { rows, prototypes, depth, own, across, unrolled } = tile;
  const layout = preparedLayout(spec, tile);
  const scoring = scoringOf(spec);
  const threads = threadsOf(tile);
  const [ownRows, ownColumns] = own;
  const [rowQuads, columnQuads] = [ownRows / 4, ownColumns / 4];
  /** Threads along each side, and quads (four rows or prototypes) in the tile. */
  const [down, wide] = [rows / ownRows, prototypes / ownColumns];
  const [tileRowQuads, tileColumnQuads] = [rows / 4, prototypes / 4];
  const operands = range(scoring.operands);
  const sums = range(scoring.sums);
  const steps = layout.depth / depth;
  const tiles = layout.width / prototypes;
  const half = spec.rowType === 'float16';
  const vectors = columns % 4 === 0;
  const element = half ? 'f16' : 'f32';
  const at = bindings(spec).map((name, i) => [name, i] as const);
  const binding = Object.fromEntries(at) as Record<string, number>;
  const weighted = spec.weighted;
  const lengths = looksAtLengths(spec);
  const c = (i: number, g: number, sum: number): string => `c${sum}_${i}_${g}`;

  const declare = lines(
    [
      ...(half ? ['enable f16;'] : []),
      'struct Params { rows: u32, nan: u32, groups: u32, unused: u32 }',
      `@group(0) @binding(${binding.prepared}) var<storage, read> prepared: array<vec4f>;`,
      `@group(0) @binding(${binding.x}) var<storage, read> x: array<${vectors ? `vec4<${element}>` : element}>;`,
      ...(masked
        ? [
            `@group(0) @binding(${binding.mask}) var<storage, read> mask: array<${vectors ? 'vec4f' : 'f32'}>;`,
          ]
        : []),
      `@group(0) @binding(${binding.index}) var<storage, read_write> index: array<i32>;`,
      `@group(0) @binding(${binding.value}) var<storage, read_write> value: array<f32>;`,
      `@group(0) @binding(${binding.params}) var<uniform> params: Params;`,
      ...operands.flatMap((o) => [
        `var<workgroup> rows${o}: array<array<vec4f, ${tileRowQuads}>, ${depth}>;`,
        `var<workgroup> prototypes${o}: array<array<vec4f, ${tileColumnQuads}>, ${depth}>;`,
      ]),
      ...(lengths ? [`var<workgroup> factors: array<f32, ${rows}>;`] : []),
      ...(k > 0
        ? [`var<workgroup> stats: array<vec2f, ${rows}>;`, `var<workgroup> taken: array<u32, ${rows}>;`]
        : []),
    ],
    '',
  );

  const rescaled = scaleOf(spec, 'ownStat.y');
  // A loading thread takes four columns of four rows and transposes them, so that memory is read and written in fours.
  const rowUnits = tileRowQuads * (depth / 4);
  const columnUnits = tileColumnQuads * depth;
  const loops = (units: number): { count: number; whole: boolean } => ({
    count: Math.ceil(units / threads),
    whole: units % threads === 0,
  });
  const rowLoop = loops(rowUnits);
  const columnLoop = loops(columnUnits);
  const guarded = (whole: boolean, units: number, u: string, body: string): string =>
    whole ? body : `if (${u} < ${units}u) { ${body} }`;
  const rowUnit = (i: number): string => `
    let u${i} = lid + ${i * threads}u;
    let q${i} = u${i} / ${depth / 4}u;
    let d${i} = 4u * (u${i} % ${depth / 4}u);`;
  const fetch = lines(
    [
      ...range(rowLoop.count).flatMap((i) =>
        range(4).map(
          (r) =>
            `let f${i}_${r} = loadFour(min(firstRow + 4u * q${i} + ${r}u, params.rows - 1u), step * ${depth}u + d${i}${lengths ? `, factors[${rowLoop.whole ? `4u * q${i} + ${r}u` : `min(4u * q${i} + ${r}u, ${rows - 1}u)`}]` : ''});`,
        ),
      ),
      ...range(columnLoop.count).flatMap((i) =>
        operands.map(
          (o) =>
            `let g${i}_${o} = ${read(`(step * ${depth}u + e${i}) * ${layout.width / 4}u + tileAt * ${tileColumnQuads}u + p${i}`, layout.operand[o] as number)};`,
        ),
      ),
    ],
    '    ',
  );
  const store = lines(
    [
      ...range(rowLoop.count).map((i) =>
        guarded(
          rowLoop.whole,
          rowUnits,
          `u${i}`,
          operands
            .flatMap((o) =>
              range(4).map(
                (d) =>
                  `rows${o}[d${i} + ${d}u][q${i}] = vec4f(${range(4)
                    .map((r) => `f${i}_${r}[${o}][${d}]`)
                    .join(', ')});`,
              ),
            )
            .join(' '),
        ),
      ),
      ...range(columnLoop.count).map((i) =>
        guarded(
          columnLoop.whole,
          columnUnits,
          `v${i}`,
          operands.map((o) => `prototypes${o}[e${i}][p${i}] = g${i}_${o};`).join(' '),
        ),
      ),
    ],
    '    ',
  );

  const columnOf = (d: string): string =>
    lines(
      [
        '{',
        ...operands.flatMap((o) => [
          ...range(rowQuads).map((i) => `let a${o}_${i} = rows${o}[${d}][ty + ${i * down}u];`),
          ...range(columnQuads).map((g) => `let b${o}_${g} = prototypes${o}[${d}][tx + ${g * wide}u];`),
        ]),
        ...range(ownRows).flatMap((i) =>
          range(columnQuads).map((g) =>
            scoring.add(
              (sum) => c(i, g, sum),
              (o) => `a${o}_${i >> 2}[${i & 3}]`,
              (o) => `b${o}_${g}`,
            ),
          ),
        ),
        '}',
      ],
      '      ',
    );
  const multiply = unrolled
    ? range(depth)
        .map((d) => columnOf(`${d}`))
        .join('\n    ')
    : `for (var d = 0u; d < ${depth}u; d++) ${columnOf('d')}`;

  const begin = lines(
    range(columnQuads).flatMap((g) => [
      `let start${g} = ${read(`tileAt * ${tileColumnQuads}u + tx + ${g * wide}u`, layout.start)};`,
      ...range(ownRows).flatMap((i) =>
        sums.map((s) => `${c(i, g, s)} = ${s === 0 ? `start${g}` : 'vec4f()'};`),
      ),
    ]),
    '      ',
  );

  const largest = (parts: readonly string[]): string =>
    parts.length === 1 ? (parts[0] as string) : `max(${parts[0]}, ${largest(parts.slice(1))})`;
  const place = (g: number): string => `tileAt * ${prototypes}u + 4u * (tx + ${g * wide}u)`;
  const lookNearest = (i: number): string =>
    lines(
      [
        '{',
        ...range(columnQuads).map((g) => `let s${g} = ${scoring.score((sum) => c(i, g, sum))};`),
        `let top = ${largest(range(columnQuads).map((g) => `s${g}`))};`,
        'let peak = max(max(top.x, top.y), max(top.z, top.w));',
        `if (peak > best${i}) {`,
        `  best${i} = peak;`,
        // Backwards, so that the first of equal values is kept.
        ...range(columnQuads)
          .reverse()
          .flatMap((g) =>
            ['w', 'z', 'y', 'x'].map(
              (lane, l) => `  if (s${g}.${lane} == peak) { at${i} = ${place(g)} + ${3 - l}u; }`,
            ),
          ),
        '}',
        '}',
      ],
      '      ',
    );

  const similarity = (score: string, stat: string): string =>
    distance === 'euclidean'
      ? `1f / (1f + max((${stat}.x - ${score}) * ${stat}.y, 0f))`
      : distance === 'l1'
        ? `1f / (1f - ${score} * ${stat}.y)`
        : `${score} / ${stat}.x`;
  const lookMost = (i: number): string =>
    lines(
      [
        '{',
        `let stat = stats[${rowAt(i)}];`,
        ...range(columnQuads).flatMap((g) => [
          `let raw${g} = ${scoring.score((sum) => c(i, g, sum))};`,
          ...range(4).map((l) => `insert${i}(${similarity(`raw${g}[${l}]`, 'stat')}, ${place(g)} + ${l}u);`),
        ]),
        '}',
      ],
      '      ',
    );
  const rowAt = (i: number): string => `4u * (ty + ${(i >> 2) * down}u) + ${i & 3}u`;
  /** Inserts into the sorted best results of a row; equal scores keep the order of their indices. */
  const insert = (i: number): string => `
var<private> similar${i}: array<f32, ${k}>;
var<private> which${i}: array<u32, ${k}>;
fn insert${i}(s: f32, at: u32) {
  if (at >= ${spec.prototypes}u || !(s > similar${i}[${k - 1}])) { return; }
  var j = ${k - 1};
  for (; j > 0; j--) {
    if (!(s > similar${i}[j - 1])) { break; }
    similar${i}[j] = similar${i}[j - 1];
    which${i}[j] = which${i}[j - 1];
  }
  similar${i}[j] = s;
  which${i}[j] = at;
}`;

  const ownRow = 'min(firstRow + lid, params.rows - 1u)';
  const stat = lines([
    ...(lengths
      ? [
          'var ownFactor = 1f;',
          `if (lid < ${rows}u) { ownFactor = rowFactor(${ownRow}); factors[lid] = ownFactor; }`,
        ]
      : []),
    ...(masked
      ? [`if (lid < ${rows}u) { ownStat = rowStat(${ownRow}${lengths ? ', ownFactor' : ''}); }`]
      : []),
    ...(lengths ? ['workgroupBarrier();'] : []),
  ]);
  const statStep = masked
    ? ''
    : `if (tileAt == 0u && lid < ${rows}u) {
      for (var d = 0u; d < ${depth}u; d++) {
        let v = rows0[d][lid / 4u][lid % 4u];
        ${weighted ? `let w = ${`prepared[${layout.weights / 4}u + (step * ${depth}u + d) / 4u][d % 4u]`};` : ''}
        ownStat.x += ${weighted && distance !== 'l1' ? `w * ${perColumn(spec)}` : perColumn(spec)};
        ${weighted ? 'ownStat.y += w;' : ''}
      }
    }`;
  // Without a mask, ownStat.y holds the sum of the weights; here it becomes the scale.
  const statDone = lines([
    ...(masked ? [] : [`ownStat.y = ${rescaled ?? '1f'};`]),
    ...(distance === 'cosine' ? ['ownStat.x = max(sqrt(max(ownStat.x, 1e-30f)), 1e-9f);'] : []),
  ]);

  const looked = k === 0 ? range(ownRows).map(lookNearest) : range(ownRows).map(lookMost);
  const publishStats =
    k === 0
      ? ''
      : `if (tileAt == 0u) {
        if (lid < ${rows}u) { ${statDone} stats[lid] = ownStat; }
        workgroupBarrier();
      }`;

  const nan = (v: string): string => `((bitcast<u32>(${v}) & 0x7fffffffu) > 0x7f800000u)`;
  const poisonAt = layout.poison / 4;
  const delta = {
    euclidean: masked || weighted ? 'max((ownStat.x - top) * ownStat.y, 0f)' : 'ownStat.x - top',
    cosine: 'max(2f * (1f - top / ownStat.x), 0f)',
    l1: 'max(-top * ownStat.y, 0f)',
  }[distance];
  /** The prototypes' array viewed as [threads across, rows]. */
  const second = (across: string, quad: string): string => {
    const flat = `(${across}) * ${tileRowQuads}u + ${quad}`;
    return tileRowQuads === tileColumnQuads
      ? `prototypes0[${across}][${quad}]`
      : `prototypes0[(${flat}) / ${tileColumnQuads}u][(${flat}) % ${tileColumnQuads}u]`;
  };
  const publish = (values: (i: number) => string, places: (i: number) => string): string =>
    lines(
      range(rowQuads).flatMap((q) => {
        const four = (f: (i: number) => string): string =>
          `vec4f(${range(4)
            .map((r) => f(4 * q + r))
            .join(', ')})`;
        return [
          `rows0[tx][ty + ${q * down}u] = ${four(values)};`,
          // Indices up to 2^24 are exact in float32.
          `${second(`tx`, `ty + ${q * down}u`)} = ${four((i) => `f32(${places(i)})`)};`,
        ];
      }),
    );
  const gather = `var top = ${lowest};
    var source = 0u;
    var place = 0f;
    for (var t = 0u; t < ${wide}u; t++) {
      let v = rows0[t][lid / 4u][lid % 4u];
      let p = ${second('t', 'lid / 4u')}[lid % 4u];
      if (v > top || (v == top && p < place)) { top = v; place = p; source = t; }
    }`;
  const finishNearest = `
  workgroupBarrier();
  ${publish(
    (i) => `best${i}`,
    (i) => `at${i}`,
  )}
  workgroupBarrier();
  if (lid < ${rows}u && firstRow + lid < params.rows) {
    ${gather}
    let lost = ${nan('ownStat.x')} || ${nan('ownStat.y')};
    ${statDone}
    let poison = prepared[${poisonAt}];
    value[firstRow + lid] = select(${delta}, bitcast<f32>(params.nan), lost || ${nan('poison.x')});
    index[firstRow + lid] = select(i32(place), 0, lost || ${nan('poison.y')});
  }`;
  const finishMost = `
  ${lines(range(ownRows).map((i) => `var head${i} = 0u;`))}
  for (var round = 0u; round < ${k}u; round++) {
    workgroupBarrier();
    ${publish(
      (i) => `select(${lowest}, similar${i}[min(head${i}, ${k - 1}u)], head${i} < ${k}u)`,
      (i) => `select(16777216u, which${i}[min(head${i}, ${k - 1}u)], head${i} < ${k}u)`,
    )}
    workgroupBarrier();
    if (lid < ${rows}u) {
      ${gather}
      taken[lid] = source;
      if (firstRow + lid < params.rows) {
        value[(firstRow + lid) * ${k}u + round] = top;
        index[(firstRow + lid) * ${k}u + round] = i32(place);
      }
    }
    workgroupBarrier();
    ${lines(range(ownRows).map((i) => `if (taken[${rowAt(i)}] == tx) { head${i}++; }`))}
  }`;

  return `${declare}

${loadingFunctions(spec, layout)}
${k > 0 ? range(ownRows).map(insert).join('\n') : ''}

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lid: u32) {
  let groupAt = group.y * params.groups + group.x;
  let firstRow = groupAt * ${rows}u;
  if (firstRow >= params.rows) { return; }
  ${threadPlace(threads, wide, across)}
  ${range(rowLoop.count).map(rowUnit).join('')}
  ${lines(
    range(columnLoop.count).flatMap((i) => [
      `let v${i} = lid + ${i * threads}u;`,
      `let p${i} = v${i} % ${tileColumnQuads}u;`,
      `let e${i} = v${i} / ${tileColumnQuads}u;`,
    ]),
  )}
  var ownStat = vec2f();
  ${stat}
  ${lines(range(ownRows).flatMap((i) => range(columnQuads).flatMap((g) => sums.map((s) => `var ${c(i, g, s)}: vec4f;`))))}
  ${
    k === 0
      ? lines(range(ownRows).map((i) => `var best${i} = ${lowest}; var at${i} = 0u;`))
      : lines(
          range(ownRows).map(
            (i) => `for (var j = 0; j < ${k}; j++) { similar${i}[j] = ${lowest}; which${i}[j] = 0u; }`,
          ),
        )
  }
  for (var tileAt = 0u; tileAt < ${tiles}u; tileAt++) {
      ${begin}
    for (var step = 0u; step < ${steps}u; step++) {
    ${fetch}
    workgroupBarrier();
    ${store}
    workgroupBarrier();
    ${statStep}
    ${multiply}
    }
      ${publishStats}
      ${looked.join('\n      ')}
  }
  ${k === 0 ? finishNearest : finishMost}
}
`;
}

/** The position of a thread in the tile: warps of 32 form blocks of `across` threads along the prototypes. */
function threadPlace(threads: number, wide: number, across: number): string {
  if (across >= wide || threads < 32) return `let tx = lid % ${wide}u;\n  let ty = lid / ${wide}u;`;
  const warps = wide / across;
  return lines([
    'let lane = lid % 32u;',
    'let warp = lid / 32u;',
    `let tx = (warp % ${warps}u) * ${across}u + lane % ${across}u;`,
    `let ty = (warp / ${warps}u) * ${32 / across}u + lane / ${across}u;`,
  ]);
}

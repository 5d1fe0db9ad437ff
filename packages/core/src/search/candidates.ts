// The small grid of a block of rows: the union of their candidates, gathered from the whole grid and padded. Offsets hide the
// candidates of other rows, so that no answer depends on which rows share a block.

import { type NdArray, ndarray } from '../dtype.js';
import { absentPrototype } from '../training/graphs.js';
import { gatherRows } from '../training/sampling.js';
import type { GridSpec } from '../training/spec.js';

type Arrays = Readonly<Record<string, NdArray>>;

/** Arrays with one row a prototype. */
const rowNames = ['prototypes', 'targets', 'slopes', 'owners', 'logBandwidth', 'bias'];
/** Arrays that are used whole. */
const wholeNames = [
  'featureWeights',
  'thresholds',
  'sharpness',
  'target.mean',
  'target.deviation',
  'target.low',
  'target.high',
  'inverseUnit',
];

/** Indices of candidates [B, count] of a head; −1 where there are fewer. */
export interface Found {
  readonly indices: Int32Array;
  readonly count: number;
}

export interface SmallGrid {
  readonly spec: GridSpec;
  readonly arrays: Arrays;
  /** 0 where a row may see a prototype of the union [B, H·U]. */
  readonly offsets: NdArray;
  /** Index in the whole grid of each prototype in the union, by head, ascending, then padding [H·U]. */
  readonly prototypes: Int32Array;
  /** The class of each column of an answer by owners, ascending; null if the columns are all classes. */
  readonly classes: Int32Array | null;
}

/** Powers of two, so that blocks share a few graphs. */
const sizeFor = (count: number, limit: number): number => Math.min(limit, 2 ** Math.ceil(Math.log2(count)));

/** The small grid of a block of rows; `found` has the candidates of each head, at least one a row. */
export function smallGrid(spec: GridSpec, arrays: Arrays, found: readonly Found[]): SmallGrid {
  const { heads } = spec;
  const perHead = spec.prototypes / heads;
  const unions = found.map(({ indices }) => distinct(indices));
  const size = sizeFor(Math.max(...unions.map(({ length }) => length)), perHead);
  const count = heads * size;
  const prototypes = new Int32Array(count);
  const rows = (found[0] as Found).indices.length / (found[0] as Found).count;
  const offsets = new Float32Array(rows * count).fill(absentPrototype);
  unions.forEach((union, h) => {
    // Padding repeats a prototype: zeros would shift the mean prototype, which distances are centered on.
    for (let i = 0; i < size; i++)
      prototypes[h * size + i] = h * perHead + (union[i] ?? (union[0] as number));
    const at = new Map<number, number>();
    union.forEach((k, i) => {
      at.set(k, i);
    });
    const { indices, count: each } = found[h] as Found;
    indices.forEach((k, i) => {
      if (k >= 0) offsets[Math.floor(i / each) * count + h * size + (at.get(k) as number)] = 0;
    });
  });
  const small: Record<string, NdArray> = {};
  for (const name of rowNames) {
    const array = arrays[name];
    if (array) small[name] = gatherRows(array, prototypes, count);
  }
  for (const name of wholeNames) if (arrays[name]) small[name] = arrays[name];
  const owned = ownership(spec, small.owners, unions, size);
  Object.assign(small, owned.arrays);
  return {
    spec: {
      ...spec,
      prototypes: count,
      outputs: owned.outputs,
      scaling: 'none',
      rawColumns: spec.columns,
      frozen: false,
      offsets: true,
      sampled: true,
    },
    arrays: small,
    offsets: { data: offsets, shape: [rows, count], dtype: 'float32' },
    prototypes,
    classes: owned.classes,
  };
}

/** The distinct indices, ascending. */
function distinct(indices: Int32Array): Int32Array {
  const sorted = indices.slice().sort();
  let size = 0;
  for (const k of sorted) if (k >= 0 && (size === 0 || sorted[size - 1] !== k)) sorted[size++] = k;
  return sorted.subarray(0, size);
}

interface Owned {
  readonly arrays: Arrays;
  readonly outputs: number;
  readonly classes: Int32Array | null;
}

/**
 * Arrays that depend on owners. Answers by class have as many columns as the union has classes; answers by label have all columns.
 */
function ownership(
  spec: GridSpec,
  owners: NdArray | undefined,
  unions: readonly Int32Array[],
  size: number,
): Owned {
  const { head, heads, outputs, members: most } = spec;
  if (!owners || head.code !== null) return { arrays: {}, outputs, classes: null };
  if (head.candidates === 'labels') {
    const members = new Int32Array(heads * outputs * most).fill(size);
    const filled = new Int32Array(heads * outputs);
    unions.forEach((union, h) => {
      for (let i = 0; i < union.length; i++) {
        const cell = h * outputs + (owners.data[h * size + i] as number);
        members[cell * most + (filled[cell] as number)] = i;
        filled[cell] = (filled[cell] as number) + 1;
      }
    });
    return { arrays: { members: ndarray(members, [heads, outputs, most], 'int32') }, outputs, classes: null };
  }
  // The first class is always included: it is the answer if all shares are 0.
  const all = new Int32Array(owners.data.length + 1);
  all.set(owners.data);
  const classes = distinct(all);
  const width = Math.min(outputs, heads * size + 1);
  if (width === outputs) return { arrays: {}, outputs, classes: null };
  const column = new Map<number, number>();
  classes.forEach((c, i) => {
    column.set(c, i);
  });
  const local = Int32Array.from(owners.data as Int32Array, (c) => column.get(c) as number);
  return { arrays: { owners: ndarray(local, [local.length], 'int32') }, outputs: width, classes };
}

// The 53,940 diamonds of @observablehq/sample-datasets as a table of numbers, and its split into training and test rows.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { csvParse } from 'd3-dsv';

/** Rows [N, D] with their targets [N]. */
export interface Table {
  readonly X: { readonly data: Float32Array; readonly shape: readonly [number, number] };
  readonly y: Float32Array;
}

/** Grades from worst to best; a grade's index is the feature. */
const grades: Readonly<Record<string, readonly string[]>> = {
  cut: ['Fair', 'Good', 'Very Good', 'Premium', 'Ideal'],
  color: ['J', 'I', 'H', 'G', 'F', 'E', 'D'],
  clarity: ['I1', 'SI2', 'SI1', 'VS2', 'VS1', 'VVS2', 'VVS1', 'IF'],
};
export const features: readonly string[] = [
  'carat',
  'cut',
  'color',
  'clarity',
  'depth',
  'table',
  'x',
  'y',
  'z',
];
const target = 'price';

/** Reads a CSV of diamonds. Errors: a value that is not a number, or an unknown grade, with its line. */
export function parseDiamonds(csv: string): Table {
  const records = csvParse(csv);
  const number = (line: number, column: string): number => {
    const text = records[line]?.[column]?.trim() ?? '';
    const order = grades[column];
    const value = order ? order.indexOf(text) : text === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || (order && value < 0)) {
      throw new Error(`diamonds.csv, line ${line + 2}: ${column} is '${text}'.`);
    }
    return value;
  };
  const width = features.length;
  const data = new Float32Array(records.length * width);
  const y = new Float32Array(records.length);
  for (let i = 0; i < records.length; i++) {
    for (let j = 0; j < width; j++) data[i * width + j] = number(i, features[j] as string);
    y[i] = number(i, target);
  }
  return { X: { data, shape: [records.length, width] }, y };
}

export function loadDiamonds(): Table {
  const file = createRequire(import.meta.url).resolve('@observablehq/sample-datasets/diamonds.csv');
  return parseDiamonds(readFileSync(file, 'utf8'));
}

/** The rows whose numbers are in `order`. */
export function takeRows({ X, y }: Table, order: Uint32Array): Table {
  const width = X.shape[1];
  const data = new Float32Array(order.length * width);
  order.forEach((row, i) => {
    data.set(X.data.subarray(row * width, (row + 1) * width), i * width);
  });
  return {
    X: { data, shape: [order.length, width] },
    y: Float32Array.from(order, (row) => y[row] as number),
  };
}

export interface SplitOptions {
  /** Share of the rows that is held out. */
  readonly testShare: number;
  readonly seed: number;
  /** Number of rows to use, drawn at random. Default: all. */
  readonly rows?: number | undefined;
}

/** Shuffles and cuts: equal seeds give equal splits. */
export function split(table: Table, { testShare, seed, rows }: SplitOptions): { train: Table; test: Table } {
  const order = permutation(table.y.length, seed).subarray(0, rows);
  const held = Math.round(order.length * testShare);
  return { test: takeRows(table, order.subarray(0, held)), train: takeRows(table, order.subarray(held)) };
}

/** Fisher-Yates over 0 … n − 1. */
function permutation(n: number, seed: number): Uint32Array {
  const random = mulberry32(seed);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/** Uniform in [0, 1) from a 32-bit seed (Tommy Ettinger's mulberry32), since Math.random cannot be seeded. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// The stored data sets, and how their arrays become rows.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Failure } from './failure.ts';
import type { Labelled, Rows } from './rows.ts';

/** An array of a set, row-major. */
export interface Stored {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Positions of ones (data null) or of values, row by row. */
interface StoredCsr {
  readonly shape: readonly [rows: number, columns: number];
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly data: ArrayLike<number> | null;
}

/** The part of load.mjs's result that is used. */
export interface StoredSet {
  readonly meta: {
    /** Ranges of training and test rows, if the authors of the set define them. */
    readonly split?: Readonly<Record<'train' | 'test', readonly [begin: number, end: number]>>;
  };
  readonly arrays: Readonly<Record<string, Stored>>;
  readonly csr: Readonly<Record<string, StoredCsr>>;
}

/** The default folder of the sets; --data overrides it. */
export const defaultFolder: string = fileURLToPath(new URL('../../../../shared/data', import.meta.url));

/** Errors: Failure if the folder or the set is missing. */
export async function openSet(name: string, folder: string): Promise<StoredSet> {
  const loader = resolve(folder, 'load.mjs');
  if (!existsSync(loader)) {
    throw new Failure(
      `the data sets are not here: ${loader} does not exist; give their folder with --data PATH.`,
    );
  }
  if (!existsSync(join(folder, name, 'meta.json'))) {
    throw new Failure(`the set ${name} is not here: ${join(folder, name)} has no meta.json.`);
  }
  const { load } = await import(pathToFileURL(loader).href);
  const { meta, csr, ...arrays } = load(name);
  return { meta, csr, arrays };
}

/** [N, …] as [N, product of the rest]. */
export function flat({ data, shape: [rows = 0, ...rest] }: Stored): Rows {
  return { data: Float32Array.from(data), shape: [rows, rest.reduce((a, b) => a * b, 1)] };
}

/** One-hot columns from one code a row. */
export function oneHot({ data }: Stored, columns: number): Rows {
  const out = new Float32Array(data.length * columns);
  for (let i = 0; i < data.length; i++) out[i * columns + (data[i] as number)] = 1;
  return { data: out, shape: [data.length, columns] };
}

/** Columns of the same rows side by side. */
export function besides(...parts: readonly Rows[]): Rows {
  const rows = (parts[0] as Rows).shape[0];
  const columns = parts.reduce((sum, { shape }) => sum + shape[1], 0);
  const out = new Float32Array(rows * columns);
  let from = 0;
  for (const { data, shape } of parts) {
    const width = shape[1];
    for (let i = 0; i < rows; i++) out.set(data.subarray(i * width, (i + 1) * width), i * columns + from);
    from += width;
  }
  return { data: out, shape: [rows, columns] };
}

function dense({ shape, indptr, indices, data }: StoredCsr): Rows {
  const [rows, columns] = shape;
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let at = indptr[i] as number; at < (indptr[i + 1] as number); at++) {
      out[i * columns + (indices[at] as number)] = data?.[at] ?? 1;
    }
  }
  return { data: out, shape };
}

/** 1 where there is a number; undefined if that is everywhere. */
function present({ data, shape }: Rows): Rows | undefined {
  const mask = data.map((value) => (Number.isNaN(value) ? 0 : 1));
  return mask.includes(0) ? { data: mask, shape } : undefined;
}

/** X, possibly combined by `features`; y as codes, numbers or labels; the stored mask, or one from NaN. */
export function toLabelled(
  { arrays, csr }: StoredSet,
  features?: (arrays: Readonly<Record<string, Stored>>) => Rows,
): Labelled {
  const X = features ? features(arrays) : flat(arrays.X as Stored);
  const y = csr.Y ? dense(csr.Y) : flat(arrays.y as Stored);
  const mask = arrays.mask ? flat(arrays.mask) : present(X);
  return { X, y, ...(mask ? { mask } : {}) };
}

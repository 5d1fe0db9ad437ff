// Holds the vectors and measures distances: by WebAssembly SIMD on its own memory, or by the same three sums in JavaScript. Both
// agree up to rounding, and all other code is common.

import { BackendError, DataError } from '@fkm/core';
import type { HnswDistance } from './distances.js';
import { kernelBytes } from './kernel-bytes.js';

/** What measures distances: WebAssembly SIMD in float32, or JavaScript in float64 rounded to float32. */
export type KernelName = 'wasm-simd' | 'js';

/** Most distances measured in a call. */
export const batch = 1024;

/** Vectors [K, width] in one array, and buffers for lists of indices and distances. */
export interface Kernel {
  readonly name: KernelName;
  /** Columns, rounded up to a multiple of 4; padding is 0. */
  readonly width: number;
  readonly vectors: Float32Array;
  /** The row from which `measure` measures [width]. */
  readonly query: Float32Array;
  /** Indices to measure [batch]. */
  readonly list: Int32Array;
  /** Measured distances [batch]. */
  readonly out: Float32Array;
  /** `out[i]` = distance of the query to vector `list[i]`, i < count. */
  readonly measure: Measure;
  /** The same, from the vector at this index. */
  readonly measureFrom: (place: number, count: number) => void;
  /** Memory for quantised vectors; null unless the vectors exceed the caches. */
  readonly codes: CodedRows | null;
}

/** Measures the first `count` indices of the kernel's list into its `out`. */
export type Measure = (count: number) => void;

/** Memory that codes.ts fills. */
export interface CodedRows {
  /** Columns, rounded up to a multiple of 16; padding is 0. */
  readonly width: number;
  /** [K, width] */
  readonly rows: Int8Array;
  /** [width] */
  readonly query: Int16Array;
  /** `out[i]` = Σ (x − y)², for l1 Σ |x − y|, between the codes of the query and of vector `list[i]`, i < count. */
  readonly measure: Measure;
}

type Export = (
  from: number,
  vectors: number,
  width: number,
  list: number,
  count: number,
  out: number,
  fetch: number,
) => void;

/** The part of WebAssembly that is used: its types come with DOM types, which Node programs lack. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (options: { readonly initial: number }) => Memory;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}
interface Memory {
  readonly buffer: ArrayBuffer;
}

/**
 * Bytes of vectors above which most are in no cache. Below, fetching them all at once costs 5 %, and codes gain nothing; far above,
 * each gains a third.
 */
const cachedBytes = 2 ** 25;
/** Most columns for which sums of squares of codes fit into 32 bits. */
const maxCodedColumns = 2 ** 14;

const pageBytes = 65536;
const maxPages = 65536;
/** Memory besides vectors and codes. */
const spareBytes = 2 ** 20;
let compiled: object | null | undefined;

const wasm = (): Wasm => (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

/** The module, compiled once; null without WebAssembly or its SIMD. */
function wasmModule(): object | null {
  if (compiled === undefined) {
    try {
      const bytes = Uint8Array.from(atob(kernelBytes.trim()), (char) => char.charCodeAt(0));
      compiled = new (wasm().Module)(bytes);
    } catch {
      compiled = null;
    }
  }
  return compiled;
}

/** The kernel for `simd`; undefined takes the fastest available. Errors: BackendError if true and not available. */
export function chooseKernel(simd: boolean | undefined): KernelName {
  if (simd === false) return 'js';
  if (wasmModule()) return 'wasm-simd';
  if (simd === undefined) return 'js';
  throw new BackendError(
    'hnswIndex: simd is true, but WebAssembly SIMD is missing here, or a Content-Security-Policy without ' +
      "'wasm-unsafe-eval' forbids it. Leave simd out for the JavaScript kernel.",
    { option: 'simd', value: true },
    'index-hnsw',
  );
}

/**
 * Memory for `count` vectors of `columns`, all 0, with codes in WebAssembly if the vectors exceed `cached` bytes. Errors: DataError
 * beyond the 4 GiB of a WebAssembly memory.
 */
export function openKernel(
  name: KernelName,
  distance: HnswDistance,
  count: number,
  columns: number,
  cached: number = cachedBytes,
): Kernel {
  const width = Math.ceil(columns / 4) * 4;
  return name === 'js' ? openJs(distance, count, width) : openWasm(distance, count, width, cached);
}

function openWasm(distance: HnswDistance, count: number, width: number, cached: number): Kernel {
  const rowBytes = width * 4;
  const fetch = count * rowBytes > cached ? 1 : 0;
  const codeBytes = Math.ceil(width / 16) * 16;
  const fits = count * (rowBytes + codeBytes) < maxPages * pageBytes - spareBytes;
  const codedBytes = fetch && fits && width <= maxCodedColumns ? codeBytes : 0;
  let end = 0;
  /** Reserves bytes, starting at a cache line. */
  const take = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const queryAt = take(rowBytes);
  const codedQueryAt = take(2 * codedBytes);
  const listAt = take(batch * 4);
  const outAt = take(batch * 4);
  const vectorsAt = take(count * rowBytes);
  const codesAt = take(count * codedBytes);
  const pages = Math.ceil(end / pageBytes);
  const memory = pages <= maxPages ? tryMemory(pages) : null;
  if (!memory) {
    throw new DataError(
      `${count} vectors of ${width} columns take ${((pages * pageBytes) / 2 ** 30).toFixed(1)} GiB, which WebAssembly ` +
        'does not give here (4 GiB at most). Index fewer, or say simd: false.',
      { count, columns: width },
      'index-hnsw',
    );
  }
  const { exports } = new (wasm().Instance)(wasmModule() as object, { env: { memory } });
  const measure = exports[distance] as Export;
  const { buffer } = memory;
  const coded = exports[distance === 'l1' ? 'codedL1' : 'codedEuclidean'] as Export;
  return {
    name: 'wasm-simd',
    width,
    query: new Float32Array(buffer, queryAt, width),
    list: new Int32Array(buffer, listAt, batch),
    out: new Float32Array(buffer, outAt, batch),
    vectors: new Float32Array(buffer, vectorsAt, count * width),
    measure: (n) => measure(queryAt, vectorsAt, rowBytes, listAt, n, outAt, fetch),
    measureFrom: (place, n) =>
      measure(vectorsAt + place * rowBytes, vectorsAt, rowBytes, listAt, n, outAt, fetch),
    codes: codedBytes
      ? {
          width: codedBytes,
          rows: new Int8Array(buffer, codesAt, count * codedBytes),
          query: new Int16Array(buffer, codedQueryAt, codedBytes),
          measure: (n) => coded(codedQueryAt, codesAt, codedBytes, listAt, n, outAt, 1),
        }
      : null,
  };
}

function tryMemory(pages: number): Memory | null {
  try {
    return new (wasm().Memory)({ initial: pages });
  } catch {
    return null;
  }
}

function openJs(distance: HnswDistance, count: number, width: number): Kernel {
  const vectors = new Float32Array(count * width);
  const query = new Float32Array(width);
  const list = new Int32Array(batch);
  const out = new Float32Array(batch);
  const between = sums[distance];
  const run = (from: Float32Array, start: number, n: number): void => {
    for (let i = 0; i < n; i++) out[i] = between(from, start, vectors, (list[i] as number) * width, width);
  };
  return {
    name: 'js',
    width,
    vectors,
    query,
    list,
    out,
    measure: (n) => run(query, 0, n),
    measureFrom: (place, n) => run(vectors, place * width, n),
    codes: null,
  };
}

type Sum = (x: Float32Array, i: number, y: Float32Array, j: number, width: number) => number;

/** The sums of kernel/kernel.ts. */
const sums = {
  euclidean: (x, i, y, j, width) => {
    let sum = 0;
    for (let c = 0; c < width; c++) {
      const difference = (x[i + c] as number) - (y[j + c] as number);
      sum += difference * difference;
    }
    return sum;
  },
  cosine: (x, i, y, j, width) => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += (x[i + c] as number) * (y[j + c] as number);
    return 1 - sum;
  },
  l1: (x, i, y, j, width) => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += Math.abs((x[i + c] as number) - (y[j + c] as number));
    return sum;
  },
} satisfies { [D in HnswDistance]: Sum };

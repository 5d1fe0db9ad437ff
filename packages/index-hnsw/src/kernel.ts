// Where vectors are and how far they are from one another: WebAssembly with SIMD over its own memory, or the same three sums
// in JavaScript. Kernels agree up to rounding; everything above them is one code.

import { BackendError, DataError, type Distance } from '@fkm/core';
import { kernelBytes } from './kernel-bytes.js';

/** What computes distances: WebAssembly SIMD in float32, or JavaScript in float64 rounded to float32. */
export type KernelName = 'wasm-simd' | 'js';

/** Distances a call measures at most. */
export const batch = 1024;

/** Vectors [K, width] in one array, and a place for lists of them. */
export interface Kernel {
  readonly name: KernelName;
  /** Columns, rounded up to a multiple of 4; what pads a row is 0. */
  readonly width: number;
  readonly vectors: Float32Array;
  /** The row that `measure` starts from [width]. */
  readonly query: Float32Array;
  /** Places to measure [batch]. */
  readonly list: Int32Array;
  /** What was measured [batch]. */
  readonly out: Float32Array;
  /** `out[i]` = distance of the query to vector `list[i]`, i < count. */
  measure(count: number): void;
  /** The same from the vector at a place. */
  measureFrom(place: number, count: number): void;
}

type Measure = (
  from: number,
  vectors: number,
  width: number,
  list: number,
  count: number,
  out: number,
  fetch: number,
) => void;

/** What is used of WebAssembly, whose types come with those of pages, which programs on Node do not have. */
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

/** Vectors of more bytes are mostly in no cache: fetching them all at once costs 5 % below, and gains a third far above. */
const cachedBytes = 2 ** 25;

const pageBytes = 65536;
const maxPages = 65536;
let compiled: object | null | undefined;

const wasm = (): Wasm => (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

/** Compiled once; null where WebAssembly or its SIMD is missing. */
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

/** The kernel that `simd` asks for: undefined takes the fastest there is. Errors: BackendError where true and missing. */
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

/** Room for `count` vectors of `columns`, all 0. Errors: DataError beyond the 4 GiB of a WebAssembly memory. */
export function openKernel(name: KernelName, distance: Distance, count: number, columns: number): Kernel {
  const width = Math.ceil(columns / 4) * 4;
  return (name === 'js' ? openJs : openWasm)(distance, count, width);
}

function openWasm(distance: Distance, count: number, width: number): Kernel {
  const rowBytes = width * 4;
  const listAt = rowBytes;
  const outAt = listAt + batch * 4;
  const vectorsAt = Math.ceil((outAt + batch * 4) / 64) * 64;
  const pages = Math.ceil((vectorsAt + count * rowBytes) / pageBytes);
  const memory = pages <= maxPages ? tryMemory(pages) : null;
  if (!memory) {
    throw new DataError(
      `${count} vectors of ${width} columns take ${((pages * pageBytes) / 2 ** 30).toFixed(1)} GiB, which WebAssembly ` +
        'does not give here (4 GiB at most). Index fewer, or say simd: false.',
      { count, columns: width },
      'index-hnsw',
    );
  }
  const instance = new (wasm().Instance)(wasmModule() as object, { env: { memory } });
  const measure = instance.exports[distance] as Measure;
  const fetch = count * rowBytes > cachedBytes ? 1 : 0;
  return {
    name: 'wasm-simd',
    width,
    query: new Float32Array(memory.buffer, 0, width),
    list: new Int32Array(memory.buffer, listAt, batch),
    out: new Float32Array(memory.buffer, outAt, batch),
    vectors: new Float32Array(memory.buffer, vectorsAt, count * width),
    measure: (n) => measure(0, vectorsAt, rowBytes, listAt, n, outAt, fetch),
    measureFrom: (place, n) =>
      measure(vectorsAt + place * rowBytes, vectorsAt, rowBytes, listAt, n, outAt, fetch),
  };
}

function tryMemory(pages: number): Memory | null {
  try {
    return new (wasm().Memory)({ initial: pages });
  } catch {
    return null;
  }
}

function openJs(distance: Distance, count: number, width: number): Kernel {
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
  };
}

type Sum = (x: Float32Array, i: number, y: Float32Array, j: number, width: number) => number;

/** As kernel/kernel.ts computes them. */
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
} satisfies { [D in Distance]: Sum };

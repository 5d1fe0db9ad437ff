// Counts transfers between a page and its GPU, by watching WebGPU and WebGL calls.

import { FastKMeansRegressor } from '@fkm/core';
import type { Backend } from '@fkm/core/graph';
import { expect, it } from 'vitest';

/** Number of calls in one direction, and their bytes. */
export interface Crossings {
  calls: number;
  bytes: number;
}

export interface Transfers {
  readonly uploads: Crossings;
  readonly reads: Crossings;
}

type Method = (...args: never[]) => unknown;
/** Bytes that a call sends or fetches; 0 if it does neither. */
type Bytes = (self: { readonly size: number }, args: readonly unknown[]) => number;

/** Bits of `GPUMapMode`. */
const [mapRead, mapWrite] = [1, 2];

const lengthOf = (data: unknown): number =>
  typeof data === 'object' && data !== null ? ((data as ArrayBufferView).byteLength ?? 0) : 0;

/** WebGPU gives the size of a write in elements of its array. */
const written: Bytes = (_, [, , data, , size]) =>
  size === undefined
    ? lengthOf(data)
    : (size as number) * ((data as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1);

const last: Bytes = (_, args) => lengthOf(args.at(-1));

const uploads: readonly (readonly [string, string, Bytes])[] = [
  ['GPUQueue', 'writeBuffer', written],
  ['GPUBuffer', 'mapAsync', ({ size }, [mode]) => ((mode as number) & mapWrite ? size : 0)],
  [
    'GPUDevice',
    'createBuffer',
    (_, [descriptor]) => {
      const { mappedAtCreation, size } = descriptor as { mappedAtCreation?: boolean; size: number };
      return mappedAtCreation ? size : 0;
    },
  ],
  ['WebGL2RenderingContext', 'texImage2D', last],
  ['WebGL2RenderingContext', 'texSubImage2D', last],
];

const reads: typeof uploads = [
  ['GPUBuffer', 'mapAsync', ({ size }, [mode]) => ((mode as number) & mapRead ? size : 0)],
  ['WebGL2RenderingContext', 'readPixels', last],
  ['WebGL2RenderingContext', 'getBufferSubData', (_, [, , data]) => lengthOf(data)],
];

/** Counts the transferring calls of a method; returns a function that restores it. */
function watch([owner, name, bytes]: (typeof uploads)[number], into: Crossings): () => void {
  const { prototype } = (globalThis as Record<string, unknown>)[owner] as {
    prototype: Record<string, Method>;
  };
  const own = prototype[name] as Method;
  prototype[name] = function (this: { readonly size: number }, ...args: never[]) {
    const size = bytes(this, args);
    if (size > 0) into.calls += 1;
    into.bytes += size;
    return own.apply(this, args);
  };
  return () => {
    prototype[name] = own;
  };
}

/** Runs something in a page, and returns what it sent to the GPU and fetched from it. */
export async function transfersOf(run: () => Promise<unknown>): Promise<Transfers> {
  const counted = { uploads: { calls: 0, bytes: 0 }, reads: { calls: 0, bytes: 0 } };
  const restore = [
    ...uploads.map((one) => watch(one, counted.uploads)),
    ...reads.map((one) => watch(one, counted.reads)),
  ];
  try {
    await run();
  } finally {
    for (const back of restore.reverse()) back();
  }
  return counted;
}

const [rows, columns, prototypes] = [8, 16, 1024];
const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * i + 1));

/** Declares tests, in a page, that a model's parameters stay on the device during training. */
export function describeTransfers(name: string, make: () => Promise<Backend>): void {
  it(`a gradient step on ${name} fetches its loss at most, and sends no parameters`, async () => {
    const backend = await make();
    const initMode = {
      prototypes: { data: numbers(prototypes * columns), shape: [prototypes, columns] as const },
      targets: { data: numbers(prototypes), shape: [prototypes, 1] as const },
    };
    const steps = (count: number): Promise<Transfers> =>
      transfersOf(async () => {
        const model = new FastKMeansRegressor({ backend, initMode, batchSize: rows });
        const X = { data: numbers(count * rows * columns), shape: [count * rows, columns] as const };
        await model.finetune(X, numbers(count * rows), { epochs: 1, evalFraction: 0 });
      });
    await steps(1);
    const [two, six] = [await steps(2), await steps(6)];
    const perStep = (of: (transfers: Transfers) => number): number => (of(six) - of(two)) / 4;
    expect(
      perStep(({ reads: { calls } }) => calls),
      'reads',
    ).toBe(1);
    expect(
      perStep(({ reads: { bytes } }) => bytes),
      'bytes read',
    ).toBeLessThanOrEqual(16);
    // The batch, dropout, and the parameters of kernels; the prototypes alone take three times as much.
    expect(
      perStep(({ uploads: { bytes } }) => bytes),
      'bytes sent',
    ).toBeLessThan((4 * prototypes * columns) / 3);
    await backend.dispose();
  });
}

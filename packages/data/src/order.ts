// Steps between a reader and a trainer: shuffling rows within a buffer, and reading batches ahead.

import type { FlatMatrix, SourceBatch } from '@fkm/core';

/** mulberry32 (Ettinger): good enough to shuffle a buffer, and the same on every machine. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function permutation(n: number, seed: number): Uint32Array {
  const random = generator(seed);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return order;
}

type Values = Float32Array | Float64Array | string[];

/** Values by row of several batches, [·, width], in a given order. */
function taken<V extends Values>(parts: readonly V[], width: number, order: Uint32Array, size: number): V {
  const first = parts[0] as V;
  const into = (
    Array.isArray(first)
      ? new Array(order.length)
      : new (first.constructor as Float32ArrayConstructor)(order.length * width)
  ) as Float32Array;
  order.forEach((row, i) => {
    const part = parts[Math.floor(row / size)] as unknown as Float32Array;
    const at = (row % size) * width;
    for (let j = 0; j < width; j++) into[i * width + j] = part[at + j] as number;
  });
  return into as unknown as V;
}

/** The rows of batches of `size`, shuffled, in batches of the same sizes. A shuffle depends only on its seed. */
function* mixed(batches: readonly SourceBatch[], size: number, seed: number): Generator<SourceBatch> {
  const counts = batches.map(({ X }) => X.shape[0]);
  const order = permutation(
    counts.reduce((a, b) => a + b, 0),
    seed,
  );
  let begin = 0;
  for (const count of counts) {
    const rows = order.subarray(begin, begin + count);
    begin += count;
    const flat = (matrices: readonly FlatMatrix[]): FlatMatrix => {
      const width = (matrices[0] as FlatMatrix).shape[1];
      return {
        data: taken(
          matrices.map(({ data }) => data),
          width,
          rows,
          size,
        ),
        shape: [count, width],
      };
    };
    const { y, sampleWeight, featureMask } = batches[0] as SourceBatch;
    const all = <K extends keyof SourceBatch>(name: K): NonNullable<SourceBatch[K]>[] =>
      batches.map((batch) => batch[name] as NonNullable<SourceBatch[K]>);
    yield {
      X: flat(all('X')),
      ...(y === undefined
        ? {}
        : {
            y:
              'shape' in y
                ? flat(all('y') as FlatMatrix[])
                : taken(all('y') as unknown as Values[], 1, rows, size),
          }),
      ...(sampleWeight ? { sampleWeight: taken(all('sampleWeight') as Float32Array[], 1, rows, size) } : {}),
      ...(featureMask ? { featureMask: flat(all('featureMask') as FlatMatrix[]) } : {}),
    } as SourceBatch;
  }
}

/** Shuffles the rows of `per` batches at a time; the first is number `first`, a multiple of `per`. */
export async function* shuffled(
  batches: AsyncIterable<SourceBatch>,
  per: number,
  size: number,
  seed: number,
  first: number,
): AsyncGenerator<SourceBatch> {
  let buffer: SourceBatch[] = [];
  let block = first / per;
  const mix = (): Generator<SourceBatch> => mixed(buffer, size, Math.imul(seed + 1, 0x9e3779b1) + block++);
  for await (const batch of batches) {
    buffer.push(batch);
    if (buffer.length < per) continue;
    yield* mix();
    buffer = [];
  }
  if (buffer.length > 0) yield* mix();
}

/** Requests `ahead` batches while the consumer works on one. */
export async function* prefetched<T>(batches: AsyncGenerator<T>, ahead: number): AsyncGenerator<T> {
  // An async generator answers its calls in order, so requesting early is enough.
  const asked: Promise<IteratorResult<T>>[] = [];
  const ask = (): void => {
    const next = batches.next();
    // A consumer that stops early ignores later errors.
    next.catch(() => undefined);
    asked.push(next);
  };
  try {
    for (let i = 0; i < ahead; i++) ask();
    for (;;) {
      ask();
      const { value, done } = await (asked.shift() as Promise<IteratorResult<T>>);
      if (done) return;
      yield value;
    }
  } finally {
    await batches.return(undefined);
  }
}

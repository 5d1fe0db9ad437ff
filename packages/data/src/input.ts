// Bytes from wherever they are: files of Node, URLs, blobs, responses, streams; opened anew where that is possible.

import type { ArrowInput } from './arrow.js';
import { backendError, dataError, messageOf, optionError } from './errors.js';

export type ByteStream = AsyncIterable<Uint8Array>;

export interface Bytes {
  open(): Promise<ByteStream>;
  /** They can be opened more than once. */
  readonly again: boolean;
}

export const isUrl = (input: unknown): boolean =>
  input instanceof URL || (typeof input === 'string' && /^(https?|data|blob):/i.test(input));

/** Errors: OptionError for what holds no bytes. */
export function bytesOf(input: ArrowInput, call: string): Bytes {
  if (typeof input === 'function') return { again: true, open: async () => iterated(input()) };
  if (isUrl(input)) return { again: true, open: () => fetched(String(input), call) };
  if (typeof input === 'string') return { again: true, open: () => opened(input, call) };
  if (input instanceof Uint8Array) return { again: true, open: async () => single(input) };
  if (input instanceof Blob) return { again: true, open: async () => iterated(input.stream()) };
  const stream = input instanceof Response ? input.body : input;
  if (
    typeof stream !== 'object' ||
    stream === null ||
    !('getReader' in stream || Symbol.asyncIterator in stream)
  ) {
    throw optionError(
      `${call}: the input should be a path, a URL, bytes, or a stream of them, got ${typeof input}.`,
      {
        option: 'input',
      },
    );
  }
  let used = false;
  return {
    again: false,
    async open() {
      if (used)
        throw optionError(
          `${call}: this stream has been read; pass a URL, or a function that opens it anew.`,
          {
            option: 'input',
          },
        );
      used = true;
      return iterated(stream);
    },
  };
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Not every browser iterates its streams. */
async function* iterated(stream: ReadableStream<Uint8Array> | ByteStream): AsyncGenerator<Uint8Array> {
  if (!('getReader' in stream)) {
    yield* stream;
    return;
  }
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function fetched(url: string, call: string): Promise<ByteStream> {
  const response = await fetch(url).catch((error: unknown) => {
    throw dataError(`${call}: '${url}' cannot be fetched: ${messageOf(error)}.`, { url });
  });
  if (response.ok && response.body) return iterated(response.body);
  throw dataError(`${call}: '${url}' answered ${response.status} ${response.statusText}.`, {
    url,
    status: response.status,
  });
}

async function opened(path: string, call: string): Promise<ByteStream> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const fs = process?.getBuiltinModule?.('node:fs') as typeof import('node:fs') | undefined;
  if (!fs) throw backendError(`${call}: this runtime has no files; pass a URL, a Blob, or a stream.`);
  const handle = await fs.promises.open(path).catch((error: unknown) => {
    throw optionError(`${call}: '${path}' cannot be read: ${messageOf(error)}.`, {
      option: 'input',
      value: path,
    });
  });
  return handle.createReadStream({ highWaterMark: 1 << 20 });
}

// Bytes from files (Node), URLs, blobs, responses and streams, opened again where that is possible.

import { interruptible } from '@fkm/core';
import { backendError, dataError, messageOf, optionError } from './errors.js';

/** Bytes, a place that holds them, or a function that opens them for every iteration. An opened stream serves one iteration. */
export type ArrowInput =
  | Uint8Array
  | string
  | URL
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | (() => ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>);

/** Bytes in pieces; `return` closes their origin, even during a pending wait. */
export type ByteStream = AsyncGenerator<Uint8Array, void, void>;

type Stream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Bytes {
  /** Opens the bytes; the signal ends a wait for them and closes their origin. */
  open(signal?: AbortSignal): Promise<ByteStream>;
  /** Whether they can be opened more than once. */
  readonly again: boolean;
}

export const isUrl = (input: unknown): boolean =>
  input instanceof URL || (typeof input === 'string' && /^(https?|data|blob):/i.test(input));

/** Errors: OptionError for input without bytes. */
export function bytesOf(input: ArrowInput, call: string): Bytes {
  if (typeof input === 'function') return { again: true, open: async (signal) => iterated(input(), signal) };
  if (isUrl(input)) return { again: true, open: (signal) => fetched(String(input), call, signal) };
  if (typeof input === 'string') return { again: true, open: (signal) => opened(input, call, signal) };
  if (input instanceof Uint8Array) return { again: true, open: async () => single(input) };
  if (input instanceof Blob) return { again: true, open: async (signal) => iterated(input.stream(), signal) };
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
    async open(signal) {
      if (used)
        throw optionError(
          `${call}: this stream has been read; pass a URL, or a function that opens it anew.`,
          {
            option: 'input',
          },
        );
      used = true;
      return iterated(stream, signal);
    },
  };
}

/** Bytes of a file read at a time. */
const piece = 2 ** 20;

async function* single(bytes: Uint8Array): ByteStream {
  yield bytes;
}

/** Bytes until the signal is aborted, which closes the stream even while it is silent. */
const iterated = (stream: Stream, signal: AbortSignal | undefined): ByteStream =>
  interruptible({ [Symbol.asyncIterator]: () => closable(stream) }, signal);

/**
 * An iterator whose `return` closes the stream at once. A stream's own iterator first waits for bytes, and not every browser has
 * one.
 */
function closable(stream: Stream): AsyncIterator<Uint8Array> {
  if ('getReader' in stream) {
    const reader = stream.getReader();
    return {
      next: async () => {
        const { value, done } = await reader.read();
        return done ? { done, value: undefined } : { done, value };
      },
      return: async () => {
        await reader.cancel().catch(() => undefined);
        return { done: true, value: undefined };
      },
    };
  }
  const iterator = stream[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    return: async () => {
      // A Node stream.
      (stream as { destroy?: () => void }).destroy?.();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}

async function fetched(url: string, call: string, signal: AbortSignal | undefined): Promise<ByteStream> {
  const response = await fetch(url, { signal: signal ?? null }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw dataError(`${call}: '${url}' cannot be fetched: ${messageOf(error)}.`, { url });
  });
  if (response.ok && response.body) return iterated(response.body, signal);
  throw dataError(`${call}: '${url}' answered ${response.status} ${response.statusText}.`, {
    url,
    status: response.status,
  });
}

async function opened(path: string, call: string, signal: AbortSignal | undefined): Promise<ByteStream> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const fs = process?.getBuiltinModule?.('node:fs') as typeof import('node:fs') | undefined;
  if (!fs) throw backendError(`${call}: this runtime has no files; pass a URL, a Blob, or a stream.`);
  const unreadable = (error: unknown): never => {
    throw optionError(`${call}: '${path}' cannot be read: ${messageOf(error)}.`, {
      option: 'input',
      value: path,
    });
  };
  const handle = await fs.promises.open(path).catch(unreadable);
  const closed = async (): Promise<IteratorReturnResult<undefined>> => {
    await handle.close();
    return { done: true, value: undefined };
  };
  const pieces: AsyncIterator<Uint8Array> = {
    async next() {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(piece)).catch(unreadable);
      return bytesRead === 0 ? closed() : { done: false, value: buffer.subarray(0, bytesRead) };
    },
    return: closed,
  };
  return interruptible({ [Symbol.asyncIterator]: () => pieces }, signal);
}

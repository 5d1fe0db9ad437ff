// Decodes bytes as text: unpacks gzip, follows byte order marks, and reports bytes that are not in the encoding.

import type { Rule } from '@fkm/core/internal';
import { dataError, messageOf } from './errors.js';
import type { ByteStream } from './input.js';

/** A name from the Encoding Standard. */
export const charsetRule: Rule = {
  allowed: "a name such as 'utf-8', 'windows-1252' or 'utf-16le'",
  accepts: (value) => {
    try {
      return typeof value === 'string' && new TextDecoder(value) !== null;
    } catch {
      return false;
    }
  },
};

/** Text from bytes, in pieces. Errors: DataError for bytes that are not in the encoding. */
export async function* textOf(
  bytes: ByteStream,
  charset: string | undefined,
  call: string,
): AsyncGenerator<string> {
  const plain = unpacked(bytes, call);
  try {
    const head = await firstBytes(plain, 4);
    const label = markedCharset(head) ?? charset ?? likelyCharset(head);
    const decoder = new TextDecoder(label, { fatal: true });
    const decoded = (part?: Uint8Array): string => {
      let text: string;
      try {
        text = part ? decoder.decode(part, { stream: true }) : decoder.decode();
      } catch {
        throw dataError(
          `${call}: there are bytes that are not ${label}; pass the encoding of the file, such as charset: 'windows-1252'.`,
          { charset: label },
        );
      }
      if (text.includes('\0'))
        throw dataError(
          `${call}: there are NUL characters, as where UTF-16 is read as ${label}, or a file that is no text; pass its encoding, such as charset: 'utf-16le'.`,
          { charset: label },
        );
      return text;
    };
    yield decoded(head);
    for await (const part of plain) yield decoded(part);
    yield decoded();
  } finally {
    await plain.return(undefined);
  }
}

/** The encoding by the byte order mark, which takes precedence. */
function markedCharset([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  return a === 0xef && b === 0xbb && c === 0xbf ? 'utf-8' : undefined;
}

/** UTF-8, unless the first character has a zero byte as in UTF-16. */
function likelyCharset([a, b, c, d]: Uint8Array): string {
  if (a && b === 0 && (c === undefined || c || d)) return 'utf-16le';
  return a === 0 && b ? 'utf-16be' : 'utf-8';
}

/** At least `count` bytes, if there are as many. */
async function firstBytes(bytes: AsyncGenerator<Uint8Array>, count: number): Promise<Uint8Array> {
  let head = new Uint8Array(0);
  while (head.length < count) {
    const { value, done } = await bytes.next();
    if (done) break;
    head = joined(head, value);
  }
  return head;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The bytes, unpacked if they are gzip. Errors: DataError for damaged gzip. */
async function* unpacked(bytes: ByteStream, call: string): AsyncGenerator<Uint8Array> {
  async function* rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const { value, done } = await bytes.next();
      if (done) return;
      yield value;
    }
  }
  try {
    const all = rest();
    const head = await firstBytes(all, 2);
    if (head[0] !== 0x1f || head[1] !== 0x8b) {
      if (head.length > 0) yield head;
      yield* all;
      return;
    }
    const stream = new DecompressionStream('gzip');
    const writer = stream.writable.getWriter();
    // Stopping early makes the next write reject.
    void (async () => {
      try {
        await writer.write(head as Uint8Array<ArrayBuffer>);
        for await (const part of all) await writer.write(part as Uint8Array<ArrayBuffer>);
        await writer.close();
      } catch (error) {
        await writer.abort(error).catch(() => undefined);
      }
    })();
    const reader = stream.readable.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read().catch((error: unknown) => {
          if ((error as { kind?: string }).kind !== undefined) throw error;
          throw dataError(`${call}: the gzip is damaged: ${messageOf(error)}.`);
        });
        if (done) break;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  } finally {
    await bytes.return();
  }
}

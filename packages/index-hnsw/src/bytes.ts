// The frame of both engines' bytes: magic number, version, and a digest of the rest. Little-endian.

import { FormatError } from '@fkm/core';
import { digestWords } from '@fkm/core/deploy';
import { scope } from './check.js';

/** Bytes before the content: magic 8, version 4, digest 16. */
export const frameBytes = 28;
/** The version that is written. Version 1 had a checksum of 32 bits, which two flipped signs left unchanged. */
const version = 2;
const before = { version: 1, frameBytes: 16 } as const;

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Writes the frame around existing content. */
export function seal(bytes: Uint8Array, magic: string, written: number = version): Uint8Array {
  const view = viewOf(bytes);
  for (let i = 0; i < 8; i++) bytes[i] = magic.charCodeAt(i);
  view.setUint32(8, written, true);
  digestWords(bytes.subarray(frameBytes)).forEach((word, i) => {
    view.setUint32(12 + 4 * i, word, true);
  });
  return bytes;
}

/** The content of intact bytes. Errors: FormatError for bytes that are foreign, newer, or damaged. */
export function contentOf(bytes: Uint8Array, magic: string): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw refusal('a Uint8Array is expected', {});
  const own =
    bytes.length >= before.frameBytes && [...magic].every((char, i) => char.charCodeAt(0) === bytes[i]);
  if (!own) throw refusal(`they do not begin with '${magic}'`, { length: bytes.length });
  const view = viewOf(bytes);
  const written = view.getUint32(8, true);
  if (written > version) {
    throw refusal(`they are of version ${written}, and this package reads up to ${version}; update it`, {
      version: written,
      expected: version,
    });
  }
  if (written === 0) throw refusal('there is no version 0', { version: written });
  const content = bytes.subarray(written === before.version ? before.frameBytes : frameBytes);
  const whole =
    written === before.version
      ? view.getUint32(12, true) === checksum(bytes)
      : bytes.length >= frameBytes &&
        digestWords(content).every((word, i) => view.getUint32(12 + 4 * i, true) === word);
  if (!whole) throw refusal('they are damaged: their digest does not match', { length: bytes.length });
  return content;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const refusal = (reason: string, details: Readonly<Record<string, unknown>>): FormatError =>
  new FormatError(`load: these bytes are not an index that can be read: ${reason}.`, details, scope);

/** The checksum of version 1: FNV-1a over the 32-bit words after the frame; remaining bytes count as a word each. */
export function checksum(bytes: Uint8Array): number {
  const { frameBytes } = before;
  const words = (bytes.length - frameBytes) >> 2;
  let hash = Math.imul(0x811c9dc5 ^ bytes.length, 0x01000193);
  if (littleEndian && bytes.byteOffset % 4 === 0) {
    const content = new Uint32Array(bytes.buffer, bytes.byteOffset + frameBytes, words);
    for (let i = 0; i < words; i++) hash = Math.imul(hash ^ (content[i] as number), 0x01000193);
  } else {
    const view = viewOf(bytes);
    for (let i = 0; i < words; i++) {
      hash = Math.imul(hash ^ view.getUint32(frameBytes + 4 * i, true), 0x01000193);
    }
  }
  for (let i = frameBytes + 4 * words; i < bytes.length; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  }
  return hash >>> 0;
}

type Words = Float32Array | Int32Array;

/** Writes numbers at a byte offset, little-endian on any machine. */
export function writeWords(bytes: Uint8Array, at: number, words: Words): void {
  if (littleEndian) {
    bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), at);
    return;
  }
  const view = viewOf(bytes);
  const source = new Int32Array(words.buffer, words.byteOffset, words.length);
  for (let i = 0; i < source.length; i++) view.setInt32(at + 4 * i, source[i] as number, true);
}

/** Fills an array with the numbers from a byte offset on. */
export function readWords(bytes: Uint8Array, at: number, words: Words): void {
  if (littleEndian) {
    new Uint8Array(words.buffer, words.byteOffset, words.byteLength).set(
      bytes.subarray(at, at + words.byteLength),
    );
    return;
  }
  const view = viewOf(bytes);
  const target = new Int32Array(words.buffer, words.byteOffset, words.length);
  for (let i = 0; i < target.length; i++) target[i] = view.getInt32(at + 4 * i, true);
}

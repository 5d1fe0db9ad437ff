// The digests of a file's parts, as one JSON text in its metadata, so that an error can name the damaged part. Damage to the text itself
// shows too: a changed digit is a wrong digest, a changed name a missing part.

import { cut } from '../errors.js';
import { digestOf } from './digest.js';

/** The parts of a file: texts by name, and tensors. */
export interface Digested {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly bytes: Uint8Array;
  }[];
}

/** The key of this text in a checkpoint's metadata. */
export const digestName = 'digest';

type Digests = Readonly<Record<'metadata' | 'tensors', Readonly<Record<string, string>>>>;

function digestsOf({ metadata, tensors }: Digested): Digests {
  return {
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([name, text]) => [name, digestOf(new TextEncoder().encode(text))]),
    ),
    tensors: Object.fromEntries(
      tensors.map(({ name, dtype, shape, bytes }) => [
        name,
        digestOf(bytes, `${dtype}${JSON.stringify(shape)}`),
      ]),
    ),
  };
}

/** The text to store beside these parts. */
export const digestText = (parts: Digested): string => JSON.stringify(digestsOf(parts));

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The first part that does not match the digests written with it, as half a sentence; null if all match. `digests` is the parsed text. A
 * text without a digest counts as damage unless tools may add it (`free`).
 */
export function damageOf(
  digests: unknown,
  parts: Digested,
  free: (name: string) => boolean = () => false,
): string | null {
  const { metadata, tensors } = (isTable(digests) ? digests : {}) as Partial<Record<string, unknown>>;
  if (!isTable(metadata) || !isTable(tensors)) return 'the digests in its metadata are damaged';
  const now = digestsOf(parts);
  const differing = (written: Readonly<Record<string, unknown>>, found: Digests['tensors']) =>
    Object.keys({ ...written, ...found }).filter((name) => written[name] !== found[name]);
  const text = differing(metadata, now.metadata).find((name) => Object.hasOwn(metadata, name) || !free(name));
  if (text !== undefined) return `its metadata '${cut(text)}' is not what was written`;
  const [tensor] = differing(tensors, now.tensors);
  return tensor === undefined ? null : `its tensor '${cut(tensor)}' is not what was written`;
}

// What of a model is no initialiser, as metadata of the file: texts, and small tensors as base64. Written by `exportOnnx`,
// read by `importOnnx`.

import {
  boundedJson,
  type Checkpoint,
  type Deployment,
  damageOf,
  digestText,
  hasDigests,
  storedTensors,
} from '@fkm/core/deploy';
import type { NdArray } from '@fkm/core/graph';
import { type ExportOptions, prefix } from './export-options.js';

/** How a file was exported: what `exportOnnx` needs to write its graph again, and the version of it that did. */
export type Written = Omit<ExportOptions, 'training' | 'metadata'> & { readonly version?: string };

/** The names of ours: those of a checkpoint's metadata, and four more. */
const own = {
  classes: `${prefix}classes`,
  tensors: `${prefix}tensors`,
  written: `${prefix}export`,
  digest: `${prefix}digest`,
} as const;

/** JSON in ASCII: Java's onnxruntime ends metadata at characters beyond the basic plane. */
const ascii = (json: string): string =>
  json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
const toJson = (value: unknown): string => ascii(JSON.stringify(value));

/** Without `training`, what describes the model and no more; `texts` are the caller's. */
export function metadataOf(
  { constants, ...parts }: Pick<Deployment, 'rest' | 'counters' | 'classes' | 'constants'>,
  written: Written,
  training: boolean,
  texts: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const metadata = { ...describing(parts, written, training), ...texts };
  const tensors = storedTensors(constants);
  return { ...metadata, [own.digest]: ascii(digestText({ metadata, tensors })) };
}

function describing(
  { rest, counters, classes }: Pick<Deployment, 'rest' | 'counters' | 'classes'>,
  written: Written,
  training: boolean,
): Record<string, string> {
  // The names of many classes are long: once in a file is enough.
  const { state: _, ...texts } = rest.metadata;
  const tensors = rest.tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, toBase64(bytes)]);
  return {
    ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [prefix + name, ascii(text)])),
    [own.classes]: toJson(classes),
    [own.written]: toJson(written),
    ...(training ? { [`${prefix}state`]: toJson(counters), [own.tensors]: toJson(tensors) } : {}),
  };
}

/** What `metadataOf` was given, or what is wrong with the texts. */
export function readMetadata(
  texts: ReadonlyMap<string, string>,
): { readonly rest: Checkpoint; readonly written: Written } | string {
  const state = boundedJson(texts.get(`${prefix}state`));
  const [classes, written] = [boundedJson(texts.get(own.classes)), boundedJson(texts.get(own.written))];
  const list = boundedJson(texts.get(own.tensors));
  if (!isObject(state) || !Array.isArray(classes)) return 'the state in its metadata is damaged';
  if (!isObject(written)) return 'the options of the export in its metadata are damaged';
  const tensors = Array.isArray(list) ? list.map(tensorOf) : [null];
  if (!tensors.every((tensor) => tensor !== null)) return 'the tensors in its metadata are damaged';
  const metadata = Object.fromEntries(
    [...texts]
      .filter(([name]) => name.startsWith(prefix) && !Object.values<string>(own).includes(name))
      .map(([name, text]) => [name.slice(prefix.length), text]),
  );
  return {
    rest: { metadata: { ...metadata, state: JSON.stringify({ ...state, classes }) }, tensors },
    written,
  };
}

/** The texts that the caller of `exportOnnx` gave, of a file with digests. */
export const textsOfCaller = (texts: ReadonlyMap<string, string>): Record<string, string> => {
  const { metadata = {} } = (boundedJson(texts.get(own.digest)) ?? {}) as { metadata?: object };
  const names = Object.keys(metadata).filter((name) => !name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name, texts.get(name) as string]));
};

/** What differs from the digests that were written, as half a sentence; null where nothing does, and in older files, which have none. */
export function damageIn(
  texts: ReadonlyMap<string, string>,
  constants: Readonly<Record<string, NdArray>>,
): string | null {
  const { [own.digest]: digests, ...metadata } = Object.fromEntries(texts);
  if (digests === undefined)
    return hasDigests(`${texts.get(`${prefix}version`)}`) ? 'its metadata has no digests' : null;
  return damageOf(
    boundedJson(digests),
    { metadata, tensors: storedTensors(constants) },
    (name) => !name.startsWith(prefix),
  );
}

/** The file has no state to go on from. */
export const isForInferenceOnly = (texts: ReadonlyMap<string, string>): boolean =>
  texts.has(`${prefix}kind`) && !texts.has(`${prefix}state`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function tensorOf(entry: unknown): Checkpoint['tensors'][number] | null {
  const [name, dtype, shape, text] = Array.isArray(entry) ? (entry as unknown[]) : [];
  if (typeof name !== 'string' || typeof dtype !== 'string' || typeof text !== 'string') return null;
  const bytes = fromBase64(text);
  // Shapes are for `load` to judge, as all that a file says.
  return bytes && Array.isArray(shape) ? { name, dtype, shape: shape as number[], bytes } : null;
}

/** Characters at a time: arguments of one call are limited. */
const block = 8192;

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += block) {
    text += String.fromCharCode(...bytes.subarray(at, at + block));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

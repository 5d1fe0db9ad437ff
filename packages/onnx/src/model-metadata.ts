// The parts of a model that are not initialisers, as metadata: texts, and small tensors as base64. Written by `exportOnnx`, read by
// `importOnnx`.

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

/** How a file was exported: the options that reproduce its graph, and the version that wrote it. */
export type Written = Omit<ExportOptions, 'training' | 'metadata'> & { readonly version?: string };

/** Our metadata names: those of a checkpoint, and four more. */
const own = {
  classes: `${prefix}classes`,
  tensors: `${prefix}tensors`,
  written: `${prefix}export`,
  digest: `${prefix}digest`,
} as const;

/** JSON in ASCII, since onnxruntime for Java truncates metadata at characters beyond the basic plane. */
const ascii = (json: string): string =>
  json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
const toJson = (value: unknown): string => ascii(JSON.stringify(value));

/** The metadata of a model; without `training`, only its description. `texts` are the caller's. */
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
  // Names of many classes are long, so they are stored only once.
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

/** The caller's texts in a file with digests. */
export const textsOfCaller = (texts: ReadonlyMap<string, string>): Record<string, string> => {
  const { metadata = {} } = (boundedJson(texts.get(own.digest)) ?? {}) as { metadata?: object };
  const names = Object.keys(metadata).filter((name) => !name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name, texts.get(name) as string]));
};

/** The first difference from the stored digests, as half a sentence; null if there is none, and for older files without digests. */
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

/** Whether the file lacks the state for further training. */
export const isForInferenceOnly = (texts: ReadonlyMap<string, string>): boolean =>
  texts.has(`${prefix}kind`) && !texts.has(`${prefix}state`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function tensorOf(entry: unknown): Checkpoint['tensors'][number] | null {
  const [name, dtype, shape, text] = Array.isArray(entry) ? (entry as unknown[]) : [];
  if (typeof name !== 'string' || typeof dtype !== 'string' || typeof text !== 'string') return null;
  const bytes = fromBase64(text);
  // `load` checks the shapes, as everything else in the file.
  return bytes && Array.isArray(shape) ? { name, dtype, shape: shape as number[], bytes } : null;
}

/** Characters at a time, since a call takes a limited number of arguments. */
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

// What of a model is no initialiser, as metadata of the file: texts, and small tensors as base64. Written by `exportOnnx`,
// read by `importOnnx`.

import { boundedJson, type Checkpoint, type Deployment } from '@fkm/core/deploy';
import { type ExportOptions, prefix } from './export-options.js';

/** How a file was exported: what `exportOnnx` needs to write its graph again. */
export type Written = Omit<ExportOptions, 'training' | 'metadata'>;

/** The names of ours: those of a checkpoint's metadata, and three more. */
const own = { classes: `${prefix}classes`, tensors: `${prefix}tensors`, written: `${prefix}export` } as const;

/** Without `training`, what describes the model and no more. */
export function metadataOf(
  { rest, classes }: Pick<Deployment, 'rest' | 'classes'>,
  written: Written,
  training: boolean,
): Record<string, string> {
  const { state, ...texts } = rest.metadata;
  // The names of many classes are long: once in a file is enough.
  const { classes: _, ...counters } = JSON.parse(state as string) as Record<string, unknown>;
  const tensors = rest.tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, toBase64(bytes)]);
  return {
    ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [prefix + name, text])),
    [own.classes]: JSON.stringify(classes),
    [own.written]: JSON.stringify(written),
    ...(training
      ? { [`${prefix}state`]: JSON.stringify(counters), [own.tensors]: JSON.stringify(tensors) }
      : {}),
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

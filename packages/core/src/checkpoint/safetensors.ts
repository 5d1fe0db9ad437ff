// The safetensors format: 8 bytes of header length, a JSON header with offsets, then little-endian tensors, readable by any
// safetensors reader. The header's metadata holds texts, among them the digests of all other texts and tensors.

import { bytesPerElement, type DType, sizeOf } from '../dtype.js';
import { cut, DataError, FormatError, shown } from '../errors.js';
import { marksOf, mostMarks } from '../state/bounded-json.js';
import { damageOf, digestName, digestText } from '../state/digests.js';

/** A tensor with its safetensors name and little-endian bytes. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The content of a checkpoint. */
export interface Checkpoint {
  /** Texts by name: 'format', 'version', 'kind', and the JSON texts 'options', 'state' and optionally 'encoding'. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly StoredTensor[];
}

/** The safetensors codes of our types. */
export const codes: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  bool: 'BOOL',
};
/** Only checkpoints use float64, for the ages. */
export const float64 = 'F64';

/** Limit of the safetensors format: its readers refuse longer headers. */
const headerLimit = 100_000_000;

/** Bytes of an element, by safetensors code. */
const widths: ReadonlyMap<string, number> = new Map([
  [float64, 8],
  ...Object.entries(codes).map(([dtype, code]) => [code, bytesPerElement[dtype as DType]] as const),
]);

export const fail = (what: string): never => {
  throw new FormatError(`load: ${what}; pass the bytes of save().`);
};

/**
 * The bytes of a file with these parts and their digests. Equal parts give equal bytes. Errors: DataError if names exceed the
 * header's limit.
 */
export function writeSafetensors({
  metadata: { [digestName]: _, ...metadata },
  tensors,
}: Checkpoint): Uint8Array {
  // Sorted by decreasing alignment, so that every tensor can be viewed in place.
  const width = ({ dtype }: StoredTensor): number => widths.get(dtype) ?? 1;
  const all = [...tensors].sort((a, b) => width(b) - width(a));
  let size = 0;
  const entries = all.map(({ name, dtype, shape, bytes }): [string, object] => {
    const begin = size;
    size += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, size] }];
  });
  const texts = { ...metadata, [digestName]: digestText({ metadata, tensors }) };
  const header = JSON.stringify(Object.fromEntries([['__metadata__', texts], ...entries]));
  const json = new TextEncoder().encode(header);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > headerLimit) {
    throw new DataError(
      `save: the names of classes and categories take ${padded} bytes, ${headerLimit} are the most that a file can have; use shorter ones.`,
      { bytes: padded, allowed: headerLimit },
    );
  }
  const bytes = new Uint8Array(8 + padded + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, 8, 8 + padded);
  bytes.set(json, 8);
  let at = 8 + padded;
  for (const tensor of all) {
    bytes.set(tensor.bytes, at);
    at += tensor.bytes.length;
  }
  return bytes;
}

/** A file in memory. */
export type FileBytes = Uint8Array | ArrayBuffer;

const isBuffer = (value: unknown): value is ArrayBuffer =>
  /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));

/**
 * The bytes of a view or of a whole buffer, not copied. A Buffer of Node is a view, whose slices are views too. Errors:
 * FormatError.
 */
function viewOf(bytes: unknown): Uint8Array {
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isBuffer(bytes)) return new Uint8Array(bytes);
  const remedy = typeof bytes === 'string' ? ', a text; loadFile(path) reads files' : '';
  return fail(`these are no checkpoint bytes but ${shown(bytes)}${remedy}`);
}

/** Tags of the fields that may follow ir_version in a ModelProto. */
const onnxTags = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];

/**
 * Whether this is an ONNX file: it starts with field 1, ir_version, a small number. Read as a header length, that would exceed any
 * file.
 */
const isOnnx = ([field, version = 0, next = 0]: Uint8Array): boolean =>
  field === 0x08 && version > 0 && version < 0x40 && onnxTags.includes(next);

/**
 * Reads what `writeSafetensors` wrote, with tensors as views. `check` gets the metadata and returns whether the file must have
 * digests; until then nothing is trusted. Errors: FormatError.
 */
export function readSafetensors(
  bytes: FileBytes,
  check: (metadata: Checkpoint['metadata']) => { readonly digests: boolean },
): Checkpoint {
  const file = viewOf(bytes);
  if (file.length < 8) return fail(`these are no checkpoint bytes: ${file.length} of them`);
  if (isOnnx(file)) return fail('this is an ONNX file, which importOnnx of @fkm/onnx reads');
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (length > headerLimit || length > file.length - 8)
    return fail(`the header claims ${length} bytes of ${file.length}`);
  const header = parse(new TextDecoder().decode(file.subarray(8, 8 + length)), 'header');
  const metadata = textsOf(header);
  const { digests } = check(metadata);
  const body = file.subarray(8 + length);
  const tensors = placesOf(header, body).map(({ begin, end, ...tensor }) => ({
    ...tensor,
    bytes: body.subarray(begin, end),
  }));
  const { [digestName]: text, ...others } = metadata;
  if (text === undefined) {
    if (digests) return fail('the file is damaged: its metadata has no digests');
  } else {
    const damage = damageOf(parse(text, 'digests'), { metadata: others, tensors });
    if (damage !== null) return fail(`the file is damaged: ${damage}`);
  }
  return { metadata, tensors };
}

/** The metadata as texts by name; empty if there are none. Errors: FormatError. */
function textsOf({ __metadata__: metadata }: Record<string, unknown>): Checkpoint['metadata'] {
  const texts = (typeof metadata === 'object' ? metadata : null) ?? {};
  for (const [name, text] of Object.entries(texts)) {
    if (typeof text !== 'string') return fail(`the metadata ${cut(name)} is no text`);
  }
  return texts as Checkpoint['metadata'];
}

/** The object in a JSON text. Errors: FormatError if it is not one. */
export function parse(text: unknown, what: string, most: number = mostMarks): Record<string, unknown> {
  if (typeof text !== 'string') return fail(`there is no text of the ${what}`);
  if (marksOf(text, most) > most) return fail(`the ${what} has more than ${most} brackets and colons`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail(`the ${what} is no JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail(`the ${what} is no object`);
  return value as Record<string, unknown>;
}

/** The place of a tensor in the file. */
interface Place extends Omit<StoredTensor, 'bytes'> {
  readonly begin: number;
  readonly end: number;
}

/** The places of all tensors, in order. They fill the body without gaps or overlaps, so no byte is copied twice. */
function placesOf(header: Readonly<Record<string, unknown>>, body: Uint8Array): readonly Place[] {
  const places = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => placeOf(name, entry, body))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let filled = 0;
  for (const { name, begin, end } of places) {
    if (begin !== filled)
      return fail(`tensor ${cut(name)} begins at ${begin}, the one before ends at ${filled}`);
    filled = end;
  }
  return filled === body.length ? places : fail(`the tensors fill ${filled} bytes of ${body.length}`);
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function placeOf(name: string, entry: unknown, body: Uint8Array): Place {
  const { dtype, shape, data_offsets: place } = (entry ?? {}) as Partial<Record<string, unknown>>;
  const width = typeof dtype === 'string' ? widths.get(dtype) : undefined;
  if (typeof dtype !== 'string' || width === undefined) {
    return fail(`tensor ${cut(name)} has the type ${typeof dtype === 'string' ? cut(dtype) : typeof dtype}`);
  }
  const [begin, end] = Array.isArray(place) ? (place as unknown[]) : [];
  if (!whole(begin) || !whole(end) || begin > end || end > body.length) {
    return fail(`tensor ${cut(name)} lies outside of the file`);
  }
  if (!Array.isArray(shape) || !shape.every(whole) || sizeOf(shape) * width !== end - begin) {
    return fail(`tensor ${cut(name)} does not fill its place`);
  }
  return { name, dtype, shape, begin, end };
}

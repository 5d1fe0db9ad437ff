// Checkpoints in the safetensors format: 8 bytes of header length, a JSON header with offsets, little-endian tensors.
// Options and counters travel as JSON in the header's metadata, so that any safetensors reader sees the weights.

import { allocate, bytesPerElement, type DType, type NdArray, sizeOf } from '../dtype.js';
import { FormatError } from '../errors.js';
import type { RegressorOptions, Resolved } from './options.js';
import type { ModelState } from './state.js';

const formatName = 'fkm';
/** A newer major version is refused. */
const version = { major: 1, minor: 0 } as const;
const headerLimit = 2 ** 26;

const codes: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  bool: 'BOOL',
};
/** float64 appears in checkpoints alone: the ages. */
const float64 = 'F64';

interface Saved {
  readonly kind: string;
  readonly options: Resolved;
  readonly state: ModelState | null;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const float64State = ['ages', 'coordinateAges', 'spread', 'variances'] as const;

/** Equal models give equal bytes. */
export function encodeModel({ kind, options, state }: Saved): Uint8Array {
  const tensors: { name: string; dtype: string; shape: readonly number[]; data: ArrayBufferView }[] = [];
  if (state) {
    for (const name of Object.keys(state.arrays).sort()) {
      const { dtype, shape, data } = state.arrays[name] as NdArray;
      tensors.push({
        name,
        dtype: codes[dtype],
        shape,
        data: data instanceof Float64Array ? Float32Array.from(data) : data,
      });
    }
    for (const name of float64State) {
      const data = state[name];
      if (data) tensors.push({ name: `state.${name}`, dtype: float64, shape: [data.length], data });
    }
  }
  const { backend: _, ...plain } = options;
  const header: Record<string, unknown> = {
    __metadata__: {
      format: formatName,
      version: `${version.major}.${version.minor}`,
      kind,
      options: JSON.stringify(plain, (_key, value) =>
        ArrayBuffer.isView(value)
          ? Array.from(value as Float32Array)
          : value === Number.POSITIVE_INFINITY
            ? 'Infinity'
            : value,
      ),
      state: JSON.stringify(
        state && {
          random: state.random,
          step: state.step,
          batches: state.batches,
          rawColumns: state.rawColumns,
        },
      ),
    },
  };
  // Largest alignment first, so that every tensor can be viewed in place.
  tensors.sort((a, b) => Number(b.dtype === float64) - Number(a.dtype === float64));
  let offset = 0;
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  let at = 8 + json.length;
  for (const { data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

const fail = (what: string): never => {
  throw new FormatError(`load: ${what}; pass the bytes of save().`);
};

/** Reads what `encodeModel` wrote. Errors: FormatError. */
export function decodeModel(
  bytes: Uint8Array,
  kind: string,
): { options: Omit<RegressorOptions, 'backend'>; state: ModelState | null } {
  if (!(bytes instanceof Uint8Array) || bytes.length < 8) return fail('these are no checkpoint bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > headerLimit || length > bytes.length - 8)
    return fail(`the header claims ${length} bytes of ${bytes.length}`);
  const header = parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)), 'header');
  const metadata = header.__metadata__ as Readonly<Record<string, string>> | undefined;
  if (metadata?.format !== formatName) return fail('this safetensors file was not written by fkm');
  if (Number.parseInt(metadata.version ?? '', 10) !== version.major) {
    throw new FormatError(
      `load: the checkpoint has version ${metadata.version}, this package reads ${version.major}.x; update @fkm/core.`,
      { version: metadata.version },
    );
  }
  if (metadata.kind !== kind) return fail(`the checkpoint holds a ${metadata.kind}, not a ${kind}`);
  const options = parse(metadata.options ?? '', 'options', (_key, value) =>
    value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
  );
  const scalars = parse(metadata.state ?? '', 'state');
  const body = bytes.subarray(8 + length);
  const arrays: Record<string, NdArray> = {};
  const wide: Record<string, Float64Array> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const raw = tensorBytes(name, entry as Entry, body);
    const { dtype: code, shape } = entry as Entry;
    if (code === float64) wide[name.replace(/^state\./, '')] = new Float64Array(raw.slice().buffer);
    else {
      const dtype =
        (Object.keys(codes) as DType[]).find((key) => codes[key] === code) ??
        fail(`${name} has the dtype ${code}`);
      const data = allocate(dtype, sizeOf(shape));
      new Uint8Array(data.buffer).set(raw);
      arrays[name] = { data, shape, dtype };
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)) as Omit<
    RegressorOptions,
    'backend'
  >;
  if (scalars === null) return { options: given, state: null };
  const { ages, spread } = wide;
  if (!ages || !spread || !arrays.prototypes) return fail('ages, spread or prototypes are missing');
  const state = scalars as unknown as Pick<ModelState, 'random' | 'step' | 'batches' | 'rawColumns'>;
  return {
    options: given,
    state: {
      ...state,
      arrays,
      ages,
      spread,
      coordinateAges: wide.coordinateAges ?? null,
      variances: wide.variances ?? null,
    },
  };
}

function parse(
  text: string,
  what: string,
  reviver?: (key: string, value: unknown) => unknown,
): Record<string, unknown> {
  try {
    return JSON.parse(text, reviver) as Record<string, unknown>;
  } catch {
    return fail(`the ${what} is no JSON`);
  }
}

function tensorBytes(name: string, entry: Entry, body: Uint8Array): Uint8Array {
  const [begin, end] = Array.isArray(entry?.data_offsets) ? entry.data_offsets : [];
  const width =
    entry.dtype === float64
      ? 8
      : bytesPerElement[(Object.keys(codes) as DType[]).find((key) => codes[key] === entry.dtype) as DType];
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!whole(begin) || !whole(end) || begin > end || end > body.length || !entry.shape?.every(whole)) {
    return fail(`tensor ${name} lies outside of the file`);
  }
  if (sizeOf(entry.shape) * width !== end - begin) return fail(`tensor ${name} does not fill its place`);
  return body.subarray(begin, end);
}

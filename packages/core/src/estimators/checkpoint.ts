// Checkpoints in the safetensors format: 8 bytes of header length, a JSON header with offsets, little-endian tensors.
// Options and counters travel as JSON in the header's metadata, so that any safetensors reader sees the weights.

import { allocate, bytesPerElement, type DType, type NdArray, sizeOf, type TypedArray } from '../dtype.js';
import { FormatError } from '../errors.js';
import type { HeadFamily } from '../heads/head.js';
import type { AnyOptions, OptionName, Resolved, Task } from '../model/options.js';
import type { ModelState } from '../model/state.js';
import { checkState } from './checked-state.js';
import { optionNames } from './rules.js';

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
  readonly kind: Task;
  readonly options: Resolved;
  readonly state: ModelState | null;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const float64State = ['ages', 'coordinateAges', 'moments', 'spread', 'variances'] as const;

/** The options that the estimator has, without the backend. */
export const ownOptions = (task: Task, options: Resolved): Partial<AnyOptions> =>
  Object.fromEntries(
    Object.entries(options).filter(
      ([name]) => name !== 'backend' && optionNames[task].includes(name as OptionName),
    ),
  );

/** Equal models give equal bytes. */
export function encodeModel({ kind, options, state }: Saved): Uint8Array {
  const tensors: { name: string; dtype: string; shape: readonly number[]; data: TypedArray }[] = [];
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
  const plain = ownOptions(kind, options);
  // A given grid can be large: its arrays travel as tensors, and the options name it.
  for (const [name, { data, shape }] of Object.entries(givenGrid(options))) {
    const wide = data instanceof Float64Array;
    tensors.push({ name: `${gridPrefix}${name}`, dtype: wide ? float64 : codes.float32, shape, data });
  }
  const header: Record<string, unknown> = {
    __metadata__: {
      format: formatName,
      version: `${version.major}.${version.minor}`,
      kind,
      options: JSON.stringify(
        { ...plain, initMode: nameOfGrid(options), ...ownersOfGrid(options) },
        (_key, value) =>
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
          trained: state.trained,
          batches: state.batches,
          rawColumns: state.rawColumns,
          outputs: state.outputs,
          classes: state.classes,
          scaling: state.scaling,
          joint: state.joint,
        },
      ),
    },
  };
  // Largest alignment first, so that every tensor can be viewed in place.
  tensors.sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
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

const gridPrefix = 'initMode.';

/** What the options say in place of a given grid. */
const nameOfGrid = ({ initMode }: Resolved): string | undefined =>
  typeof initMode === 'object' ? 'given' : initMode;

/** Owners can be strings, which are no tensor: they travel with the options. */
const ownersOfGrid = ({ initMode }: Resolved): object =>
  typeof initMode === 'object' && initMode.owners ? { initModeOwners: initMode.owners } : {};

/** Takes the owners out of the options again. */
function givenOwners(options: Record<string, unknown>): object {
  const { initModeOwners: owners } = options;
  delete options.initModeOwners;
  return owners === undefined ? {} : { owners };
}

/** Arrays of a given grid; checked when the options were, so its matrices are flat. */
function givenGrid({
  initMode,
}: Resolved): Record<string, { data: Float32Array | Float64Array; shape: readonly number[] }> {
  if (typeof initMode !== 'object') return {};
  const { ages, owners: _, ...matrices } = initMode;
  const flat = matrices as unknown as Record<string, { data: Float32Array; shape: readonly number[] }>;
  return { ...flat, ...(ages ? { ages: { data: Float64Array.from(ages), shape: [ages.length] } } : {}) };
}

const fail = (what: string): never => {
  throw new FormatError(`load: ${what}; pass the bytes of save().`);
};

/** Reads what `encodeModel` wrote. Errors: FormatError. */
export function decodeModel(
  bytes: Uint8Array,
  family: HeadFamily,
): { options: Omit<AnyOptions, 'backend'>; state: ModelState | null } {
  if (!(bytes instanceof Uint8Array) || bytes.length < 8) return fail('these are no checkpoint bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > headerLimit || length > bytes.length - 8)
    return fail(`the header claims ${length} bytes of ${bytes.length}`);
  const header = parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)), 'header');
  const metadata = header.__metadata__ as Readonly<Record<string, unknown>> | undefined;
  if (metadata?.format !== formatName) return fail('this safetensors file was not written by fkm');
  if (Number.parseInt(String(metadata.version), 10) !== version.major) {
    throw new FormatError(
      `load: the checkpoint has version ${metadata.version}, this package reads ${version.major}.x; update @fkm/core.`,
      { version: metadata.version },
    );
  }
  if (metadata.kind !== family.task)
    return fail(`the checkpoint holds a ${metadata.kind}, not a ${family.task}`);
  const options = parse(metadata.options, 'options', (_key, value) =>
    value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
  ) as unknown as Omit<AnyOptions, 'backend'>;
  const { arrays, wide, grid } = readTensors(header, bytes.subarray(8 + length));
  if ((options.initMode as unknown) === 'given')
    Object.assign(options, { initMode: { ...grid, ...givenOwners(options as Record<string, unknown>) } });
  if (metadata.state === 'null') return { options, state: null };
  const scalars = parse(metadata.state, 'state');
  const state = checkState({ arrays, wide, scalars, options: options as Resolved, family });
  return typeof state === 'string' ? fail(state) : { options, state };
}

/** Errors: FormatError where the text is not the JSON of an object. */
function parse(
  text: unknown,
  what: string,
  reviver?: (key: string, value: unknown) => unknown,
): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(String(text), reviver);
  } catch {
    return fail(`the ${what} is no JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail(`the ${what} is no object`);
  return value as Record<string, unknown>;
}

function readTensors(
  header: Readonly<Record<string, unknown>>,
  body: Uint8Array,
): { arrays: Record<string, NdArray>; wide: Record<string, Float64Array>; grid: Record<string, unknown> } {
  const arrays: [string, NdArray][] = [];
  const wide: [string, Float64Array][] = [];
  const grid: [string, unknown][] = [];
  let used = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, raw } = tensorBytes(name, entry, body);
    used += raw.length;
    if (name.startsWith(gridPrefix)) {
      const copy = raw.slice().buffer;
      const part = name.slice(gridPrefix.length);
      grid.push(
        dtype === null ? [part, new Float64Array(copy)] : [part, { data: new Float32Array(copy), shape }],
      );
    } else if (dtype === null)
      wide.push([name.replace(/^state\./, ''), new Float64Array(raw.slice().buffer)]);
    else {
      const data = allocate(dtype, sizeOf(shape));
      new Uint8Array(data.buffer).set(raw);
      arrays.push([name, { data, shape, dtype }]);
    }
  }
  if (used !== body.length) return fail(`the tensors fill ${used} bytes of ${body.length}`);
  return {
    arrays: Object.fromEntries(arrays),
    wide: Object.fromEntries(wide),
    grid: Object.fromEntries(grid),
  };
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The bytes of a tensor; dtype null stands for float64. */
function tensorBytes(
  name: string,
  entry: unknown,
  body: Uint8Array,
): { dtype: DType | null; shape: readonly number[]; raw: Uint8Array } {
  const { dtype: code, shape, data_offsets: place } = (entry ?? {}) as Partial<Record<keyof Entry, unknown>>;
  const dtype = code === float64 ? null : (Object.keys(codes) as DType[]).find((key) => codes[key] === code);
  if (dtype === undefined) return fail(`tensor ${name} has the type ${code}`);
  const [begin, end] = Array.isArray(place) ? (place as unknown[]) : [];
  if (!whole(begin) || !whole(end) || begin > end || end > body.length) {
    return fail(`tensor ${name} lies outside of the file`);
  }
  const width = dtype === null ? 8 : bytesPerElement[dtype];
  if (!Array.isArray(shape) || !shape.every(whole) || sizeOf(shape) * width !== end - begin) {
    return fail(`tensor ${name} does not fill its place`);
  }
  return { dtype, shape, raw: body.subarray(begin, end) };
}

// Checkpoints in the safetensors format: 8 bytes of header length, a JSON header with offsets, little-endian tensors.
// Options and counters travel as JSON in the header's metadata, so that any safetensors reader sees the weights.

import { allocate, bytesPerElement, type DType, type NdArray, sizeOf, type TypedArray } from '../dtype.js';
import { FormatError } from '../errors.js';
import type { HeadFamily } from '../heads/head.js';
import { marksOf, mostMarks } from '../model/bounded-json.js';
import { encodingText } from '../model/encoding.js';
import type { AnyOptions, OptionName, Resolved, Task } from '../model/options.js';
import type { ModelState } from '../model/state.js';
import { checkState } from './checked-state.js';
import { optionNames } from './rules.js';

const formatName = 'fkm';
/** A newer major version is refused; a newer minor one is read where it holds nothing that is new. */
const version = { major: 1, minor: 0 } as const;
const headerLimit = 2 ** 26;

/** What safetensors calls ours. */
export const codes: Readonly<Record<DType, string>> = {
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
  /** Where a run over a source stands, as JSON. */
  readonly stream?: string | undefined;
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

/** The options as JSON: equal ones give equal texts. */
export const optionsText = (task: Task, options: Resolved): string =>
  JSON.stringify(
    { ...ownOptions(task, options), initMode: nameOfGrid(options), ...ownersOfGrid(options) },
    (_key, value) =>
      ArrayBuffer.isView(value)
        ? Array.from(value as Float32Array)
        : value === Number.POSITIVE_INFINITY
          ? 'Infinity'
          : value,
  );

/** Equal models give equal bytes. */
export function encodeModel({ kind, options, state, stream }: Saved): Uint8Array {
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
      options: optionsText(kind, options),
      ...(stream === undefined ? {} : { stream }),
      ...(state?.encoding ? { encoding: encodingText(state.encoding) } : {}),
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
  if (owners === undefined) return {};
  return Array.isArray(owners) ? { owners } : fail('the owners of the given grid are no list');
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

/** What a file says, its options not yet checked. */
interface Decoded {
  readonly options: Omit<AnyOptions, 'backend'>;
  /** The state of a model with these options, which have to be whole by then; null before the first. Errors: FormatError. */
  readonly state: ((options: Resolved) => ModelState) | null;
  /** The metadata: `options`, `encoding`, `stream` … */
  readonly texts: Readonly<Record<string, string>>;
  /** What to throw where the options turn out to be none. */
  damaged(what: string): FormatError;
}

/** Reads what `encodeModel` wrote, in memory of a few times the file. Errors: FormatError. */
export function decodeModel(bytes: Uint8Array, family: HeadFamily): Decoded {
  if (!(bytes instanceof Uint8Array) || bytes.length < 8) return fail('these are no checkpoint bytes');
  // A Buffer of Node is a Uint8Array whose slices are no copies.
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (length > headerLimit || length > file.length - 8)
    return fail(`the header claims ${length} bytes of ${file.length}`);
  const header = parse(new TextDecoder().decode(file.subarray(8, 8 + length)), 'header');
  const metadata = metadataOf(header);
  if (metadata.kind !== family.task)
    return fail(`the checkpoint holds a ${metadata.kind}, not a ${family.task}`);
  const options = parse(metadata.options, 'options', (_key, value) =>
    value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
  ) as unknown as Omit<AnyOptions, 'backend'>;
  const { arrays, wide, grid } = readTensors(header, file.subarray(8 + length));
  if ((options.initMode as unknown) === 'given')
    Object.assign(options, { initMode: { ...grid, ...givenOwners(options as Record<string, unknown>) } });
  const scalars = metadata.state === 'null' ? null : parse(metadata.state, 'state');
  if (scalars && metadata.encoding !== undefined)
    scalars.encoding = parse(metadata.encoding, 'encoding', undefined, mostMarksOfColumns);
  const damaged = (what: string): FormatError => damage(what, metadata.version as string);
  const read = (resolved: Resolved): ModelState => {
    const state = checkState({ arrays, wide, scalars: scalars ?? {}, options: resolved, family });
    if (typeof state === 'string') throw damaged(state);
    return state;
  };
  return { options, state: scalars && read, texts: metadata, damaged };
}

/** What is unknown here may be what a newer minor version knows. */
const damage = (what: string, written: string): FormatError =>
  Number(written.split('.')[1]) > version.minor
    ? new FormatError(
        `load: ${what}; the checkpoint has version ${written}, this package ${version.major}.${version.minor}: update @fkm/core.`,
        { version: written },
      )
    : new FormatError(`load: ${what}; pass the bytes of save().`);

/** Texts by name, of a version that is read. Errors: FormatError. */
function metadataOf({ __metadata__: metadata }: Record<string, unknown>): Readonly<Record<string, string>> {
  const texts = (typeof metadata === 'object' ? metadata : null) ?? {};
  for (const [name, text] of Object.entries(texts)) {
    if (typeof text !== 'string') return fail(`the metadata ${name} is no text`);
  }
  const { format, version: written } = texts as Readonly<Record<string, string>>;
  if (format !== formatName) return fail('this safetensors file was not written by fkm');
  if (!/^\d+\.\d+$/.test(`${written}`) || Number.parseInt(`${written}`, 10) !== version.major) {
    throw new FormatError(
      `load: the checkpoint has version ${written}, this package reads ${version.major}.x; update @fkm/core.`,
      { version: written },
    );
  }
  return texts as Readonly<Record<string, string>>;
}

/** Of an encoding, with an object for each of as many columns as a wide table has. */
const mostMarksOfColumns = 2 ** 18;

/** Errors: FormatError where the text is not the JSON of an object. */
function parse(
  text: unknown,
  what: string,
  reviver?: (key: string, value: unknown) => unknown,
  most: number = mostMarks,
): Record<string, unknown> {
  if (typeof text !== 'string') return fail(`there is no text of the ${what}`);
  if (marksOf(text, most) > most) return fail(`the ${what} has more than ${most} brackets and colons`);
  let value: unknown;
  try {
    value = JSON.parse(text, reviver);
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
  for (const { name, dtype, shape, begin, end } of placesOf(header, body)) {
    const copy = body.slice(begin, end).buffer;
    const part = name.startsWith(gridPrefix) ? name.slice(gridPrefix.length) : null;
    if (dtype === null && part !== null) grid.push([part, new Float64Array(copy)]);
    else if (dtype === null) wide.push([name.replace(/^state\./, ''), new Float64Array(copy)]);
    else if (part !== null && dtype !== 'float32') return fail(`tensor ${name} has the type ${codes[dtype]}`);
    else if (part !== null) grid.push([part, { data: new Float32Array(copy), shape }]);
    else {
      const data = allocate(dtype, sizeOf(shape));
      new Uint8Array(data.buffer).set(body.subarray(begin, end));
      arrays.push([name, { data, shape, dtype }]);
    }
  }
  return {
    arrays: Object.fromEntries(arrays),
    wide: Object.fromEntries(wide),
    grid: Object.fromEntries(grid),
  };
}

/** Where a tensor is; dtype null stands for float64. */
interface Place {
  readonly name: string;
  readonly dtype: DType | null;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The tensors in their order, which fill the body without a gap and share no byte of it: nothing is copied twice. */
function placesOf(header: Readonly<Record<string, unknown>>, body: Uint8Array): readonly Place[] {
  const places = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => placeOf(name, entry, body))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let filled = 0;
  for (const { name, begin, end } of places) {
    if (begin !== filled) return fail(`tensor ${name} begins at ${begin}, the one before ends at ${filled}`);
    filled = end;
  }
  return filled === body.length ? places : fail(`the tensors fill ${filled} bytes of ${body.length}`);
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function placeOf(name: string, entry: unknown, body: Uint8Array): Place {
  const { dtype: code, shape, data_offsets: place } = (entry ?? {}) as Partial<Record<keyof Entry, unknown>>;
  const dtype = code === float64 ? null : (Object.keys(codes) as DType[]).find((key) => codes[key] === code);
  if (dtype === undefined)
    return fail(`tensor ${name} has the type ${typeof code === 'string' ? code : typeof code}`);
  const [begin, end] = Array.isArray(place) ? (place as unknown[]) : [];
  if (!whole(begin) || !whole(end) || begin > end || end > body.length) {
    return fail(`tensor ${name} lies outside of the file`);
  }
  const width = dtype === null ? 8 : bytesPerElement[dtype];
  if (!Array.isArray(shape) || !shape.every(whole) || sizeOf(shape) * width !== end - begin) {
    return fail(`tensor ${name} does not fill its place`);
  }
  return { name, dtype, shape, begin, end };
}

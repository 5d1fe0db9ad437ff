// Encodes models as checkpoints and decodes them: options and counters are JSON in the metadata, arrays are tensors.

import { allocate, type DType, type NdArray, sizeOf, type TypedArray } from '../dtype.js';
import { cut, FormatError } from '../errors.js';
import { onHost } from '../heads/calibration.js';
import type { HeadFamily } from '../heads/head.js';
import { mostMarks } from '../state/bounded-json.js';
import { encodingText } from '../state/encoding.js';
import type { AnyOptions, OptionName, Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import { originOf } from '../training/context.js';
import { checkState } from './checked-state.js';
import {
  type Checkpoint,
  codes,
  type FileBytes,
  fail,
  float64,
  parse,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from './safetensors.js';

const formatName = 'fkm';
/**
 * Version of the format. A newer major version is refused; a newer minor one is read as long as the file holds nothing unknown.
 * Files of version 1.0 have no digests; in later files a missing digest is damage.
 */
const version = { major: 1, minor: 1 } as const;
const firstWithDigests = 1;
/** The first minor version whose thresholds apply to the probabilities that users read; in 1.0 they apply to those in the loss. */
const firstCalibrated = 1;

interface Saved {
  readonly family: HeadFamily;
  readonly options: Resolved;
  readonly state: ModelState | null;
  /** The position of a run over a source, as JSON. */
  readonly stream?: string | undefined;
}

const float64State = ['ages', 'coordinateAges', 'moments', 'spread', 'variances', 'targetCenter'] as const;

/** The options of this estimator, without the backend. */
export function ownOptions(family: HeadFamily, options: Resolved): Partial<AnyOptions> {
  const names = family.options();
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => name !== 'backend' && names.includes(name as OptionName)),
  );
}

/** The options as JSON: equal options have equal texts. */
export const optionsText = (family: HeadFamily, options: Resolved): string =>
  JSON.stringify(
    { ...ownOptions(family, options), initMode: nameOfGrid(options), ...ownersOfGrid(options) },
    (_key, value) =>
      ArrayBuffer.isView(value)
        ? Array.from(value as Float32Array)
        : value === Number.POSITIVE_INFINITY
          ? 'Infinity'
          : value,
  );

/** The bytes of a checkpoint; equal models give equal bytes. */
export const encodeModel = (saved: Saved): Uint8Array => writeSafetensors(partsOf(saved));

const stored = (
  name: string,
  dtype: string,
  shape: readonly number[],
  { buffer, byteOffset, byteLength }: TypedArray,
): StoredTensor => ({ name, dtype, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) });

/** Everything in a state that is not an array, in the order of checkpoints. */
export const scalarsOf = (
  state: ModelState,
): Pick<
  ModelState,
  | 'random'
  | 'step'
  | 'trained'
  | 'given'
  | 'batches'
  | 'rawColumns'
  | 'outputs'
  | 'classes'
  | 'scaling'
  | 'joint'
  | 'unit'
> => ({
  random: state.random,
  step: state.step,
  trained: state.trained,
  given: state.given,
  batches: state.batches,
  rawColumns: state.rawColumns,
  outputs: state.outputs,
  classes: state.classes,
  scaling: state.scaling,
  joint: state.joint,
  unit: state.unit,
});

/** The parts of a checkpoint; arrays are not copied. */
export function partsOf({ family, options, state, stream }: Saved): Checkpoint {
  const tensors: StoredTensor[] = [];
  if (state) {
    for (const name of Object.keys(state.arrays).sort()) {
      const { dtype, shape, data } = state.arrays[name] as NdArray;
      const narrow = data instanceof Float64Array ? Float32Array.from(data) : data;
      tensors.push(stored(name, codes[dtype], shape, narrow));
    }
    for (const name of float64State) {
      const data = state[name];
      if (data) tensors.push(stored(`state.${name}`, float64, [data.length], data));
    }
  }
  // A given grid can be large, so its arrays are tensors; the options only name it.
  for (const [name, { data, shape }] of Object.entries(givenGrid(options))) {
    const dtype = data instanceof Float64Array ? float64 : codes.float32;
    tensors.push(stored(`${gridPrefix}${name}`, dtype, shape, data));
  }
  const metadata = {
    format: formatName,
    version: `${version.major}.${version.minor}`,
    kind: family.task,
    options: optionsText(family, options),
    ...(stream === undefined ? {} : { stream }),
    ...(state?.encoding ? { encoding: encodingText(state.encoding) } : {}),
    state: JSON.stringify(state && scalarsOf(state)),
  };
  return { metadata, tensors };
}

const gridPrefix = 'initMode.';

/** The placeholder for a given grid in the options. */
const nameOfGrid = ({ initMode }: Resolved): string | undefined =>
  typeof initMode === 'object' ? 'given' : initMode;

/** Owners of a given grid can be strings, which are not tensors: they are stored with the options. */
const ownersOfGrid = ({ initMode }: Resolved): object =>
  typeof initMode === 'object' && initMode.owners ? { initModeOwners: initMode.owners } : {};

/** Removes the owners from the options and returns them. */
function givenOwners(options: Record<string, unknown>): object {
  const { initModeOwners: owners } = options;
  delete options.initModeOwners;
  if (owners === undefined) return {};
  return Array.isArray(owners) ? { owners } : fail('the owners of the given grid are no list');
}

/** Arrays of a given grid. They were checked with the options, so matrices are flat. */
function givenGrid({
  initMode,
}: Resolved): Record<string, { data: Float32Array | Float64Array; shape: readonly number[] }> {
  if (typeof initMode !== 'object') return {};
  const { ages, owners: _, ...matrices } = initMode;
  const flat = matrices as unknown as Record<string, { data: Float32Array; shape: readonly number[] }>;
  return { ...flat, ...(ages ? { ages: { data: Float64Array.from(ages), shape: [ages.length] } } : {}) };
}

/** The content of a file; its options are not checked yet. */
interface Decoded {
  readonly options: Omit<AnyOptions, 'backend'>;
  /** The state of a model with these checked options; null if the model had no state. Errors: FormatError. */
  readonly state: ((options: Resolved) => ModelState) | null;
  /** The metadata: `options`, `encoding`, `stream` … */
  readonly texts: Readonly<Record<string, string>>;
  /** The error for options that turn out to be damaged. */
  damaged(what: string): FormatError;
}

/** Decodes what `encodeModel` wrote. Memory is a small multiple of the file. Errors: FormatError. */
export function decodeModel(bytes: FileBytes, family: HeadFamily): Decoded {
  const { metadata, tensors } = readSafetensors(bytes, (texts) => {
    checkKind(texts, family);
    return { digests: hasDigests(texts.version as string) };
  });
  // JSON has no infinite numbers; these are always whole options, never parts of a label.
  const options = Object.fromEntries(
    Object.entries(parse(metadata.options, 'options')).map(([name, value]) => [
      name,
      value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
    ]),
  ) as unknown as Omit<AnyOptions, 'backend'>;
  const { arrays, wide, grid } = arraysOf(tensors);
  if ((options.initMode as unknown) === 'given')
    Object.assign(options, { initMode: { ...grid, ...givenOwners(options as Record<string, unknown>) } });
  const scalars = metadata.state === 'null' ? null : parse(metadata.state, 'state');
  if (scalars && metadata.encoding !== undefined)
    scalars.encoding = parse(metadata.encoding, 'encoding', mostMarksOfColumns(metadata.encoding));
  const damaged = (what: string): FormatError => damage(what, metadata.version as string);
  const read = (resolved: Resolved): ModelState => {
    const state = checkState({ arrays, wide, scalars: scalars ?? {}, options: resolved, family });
    if (typeof state === 'string') throw damaged(state);
    const cutsRead = minorOf(metadata.version as string) >= firstCalibrated;
    return cutsRead ? state : withReadThresholds(state, family, resolved);
  };
  return { options, state: scalars && read, texts: metadata, damaged };
}

/**
 * Converts the thresholds of an old file, which apply to probabilities in the loss, to those that users read; decisions stay the
 * same.
 */
function withReadThresholds(state: ModelState, family: HeadFamily, options: Resolved): ModelState {
  const { thresholds, targets } = state.arrays;
  const { labels } = family.head(options, targets !== undefined);
  if (!thresholds || !labels) return state;
  const data = onHost(thresholds.data, (p) => labels.undo(p, originOf(state)));
  return { ...state, arrays: { ...state.arrays, thresholds: { ...thresholds, data } } };
}

const minorOf = (written: string): number => Number(written.split('.')[1]);

/** The error for content that this version does not know. A newer minor version may know it. */
const damage = (what: string, written: string): FormatError =>
  minorOf(written) > version.minor
    ? new FormatError(
        `load: ${what}; the checkpoint has version ${cut(written)}, this package ${version.major}.${version.minor}: update @fkm/core.`,
        { version: written },
      )
    : new FormatError(`load: ${what}; pass the bytes of save().`);

/** Whether files of this version must have digests. */
export const hasDigests = (written: string): boolean => minorOf(written) >= firstWithDigests;

/** Errors: FormatError if the file has another major version or holds another kind of model. */
function checkKind({ format, version: written, kind }: Checkpoint['metadata'], { task }: HeadFamily): void {
  if (format !== formatName) fail('this safetensors file was not written by fkm');
  if (!/^\d+\.\d+$/.test(`${written}`) || Number.parseInt(`${written}`, 10) !== version.major) {
    throw new FormatError(
      `load: the checkpoint has version ${cut(`${written}`)}, this package reads ${version.major}.x; update @fkm/core.`,
      { version: written },
    );
  }
  if (kind !== task) fail(`the checkpoint holds a ${cut(`${kind}`)}, not a ${task}`);
}

/**
 * Limit of brackets and colons in an encoding, which has an object for each column. The densest valid text has 7.5 characters a
 * mark.
 */
const mostMarksOfColumns = ({ length }: string): number => Math.max(mostMarks, length / 6);

const dtypes: ReadonlyMap<string, DType> = new Map(
  Object.entries(codes).map(([dtype, code]) => [code, dtype as DType]),
);

/** Copies the tensors into aligned arrays. Errors: FormatError. */
function arraysOf(tensors: readonly StoredTensor[]): {
  arrays: Record<string, NdArray>;
  wide: Record<string, Float64Array>;
  grid: Record<string, unknown>;
} {
  const arrays: [string, NdArray][] = [];
  const wide: [string, Float64Array][] = [];
  const grid: [string, unknown][] = [];
  for (const { name, dtype: code, shape, bytes } of tensors) {
    const part = name.startsWith(gridPrefix) ? name.slice(gridPrefix.length) : null;
    const dtype = dtypes.get(code);
    if (dtype === undefined) {
      const data = new Float64Array(bytes.slice().buffer);
      if (part !== null) grid.push([part, part === 'ages' ? data : { data, shape }]);
      else wide.push([name.replace(/^state\./, ''), data]);
    } else if (part === null) {
      const data = allocate(dtype, sizeOf(shape));
      new Uint8Array(data.buffer).set(bytes);
      arrays.push([name, { data, shape, dtype }]);
    } else if (dtype === 'float32')
      grid.push([part, { data: new Float32Array(bytes.slice().buffer), shape }]);
    else return fail(`tensor ${cut(name)} has the type ${code}`);
  }
  return {
    arrays: Object.fromEntries(arrays),
    wide: Object.fromEntries(wide),
    grid: Object.fromEntries(grid),
  };
}

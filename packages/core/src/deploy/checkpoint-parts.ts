// A checkpoint taken apart and put together again, for formats that keep some of its tensors elsewhere. What comes back from
// a file goes through `load`, which checks it: here nothing is trusted, and nothing judged.

import { isFloat, type NdArray, ndarray } from '../dtype.js';
import { codes } from '../estimators/checkpoint.js';
import { boundedJson } from '../model/bounded-json.js';
import { halvedNames, widened } from '../model/storage.js';
import { parameterNames, readingNames, scalerNames } from '../training/graphs.js';

/** A tensor as safetensors names and stores it, little-endian. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface Checkpoint {
  /** Texts by name: 'format', 'version', 'kind', and 'options', 'state' and maybe 'encoding' as JSON. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly StoredTensor[];
}

/** Made of others: no part of a checkpoint. */
const derivedNames = ['members', 'labelWeights'];

/** What a checkpoint has under the name that it has as a constant of a deployment. */
export const constantNames: readonly string[] = [...scalerNames, ...parameterNames, ...readingNames].filter(
  (name) => !derivedNames.includes(name),
);

/** The parts of what `save()` gave. */
export function fromCheckpoint(bytes: Uint8Array): Checkpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = 8 + Number(view.getBigUint64(0, true));
  const header: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes.subarray(8, body)));
  const { __metadata__: metadata, ...entries } = header;
  const tensors = Object.entries(
    entries as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>,
  ).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => ({
      name,
      dtype,
      shape,
      bytes: bytes.subarray(body + begin, body + end),
    }),
  );
  return { metadata: metadata as Checkpoint['metadata'], tensors };
}

/** Bytes for `load`: the parts, with constants of a deployment among the tensors, in the numbers that the model stores. */
export function toCheckpoint(
  { metadata, tensors }: Checkpoint,
  constants: Readonly<Record<string, NdArray>>,
): Uint8Array {
  const storedAs = dtypeOf(metadata);
  const own = Object.entries(constants)
    .filter(([name]) => constantNames.includes(name))
    .map(([name, array]) => {
      const { data, shape, dtype } = inStoredNumbers(name, array, storedAs);
      return {
        name,
        dtype: codes[dtype],
        shape,
        bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      };
    });
  const all = [...tensors, ...own];
  let size = 0;
  const entries = all.map(({ name, dtype, shape, bytes }) => {
    const begin = size;
    size += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, size] }];
  });
  const header = JSON.stringify(Object.fromEntries([...entries, ['__metadata__', metadata]]));
  const json = new TextEncoder().encode(header);
  const padded = Math.ceil(json.length / 8) * 8;
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

/** What the options say of prototypes and targets, which a file may have in other numbers; `load` says what is wrong with them. */
function dtypeOf({ options }: Checkpoint['metadata']): 'float32' | 'float16' | 'bfloat16' {
  const { dtype } = (boundedJson(options) ?? {}) as { readonly dtype?: unknown };
  return dtype === 'float16' || dtype === 'bfloat16' ? dtype : 'float32';
}

function inStoredNumbers(
  name: string,
  array: NdArray,
  storedAs: 'float32' | 'float16' | 'bfloat16',
): NdArray {
  const wanted = halvedNames.includes(name) ? storedAs : 'float32';
  if (!isFloat(array.dtype) || array.dtype === wanted) return array;
  return ndarray(widened(array).data, array.shape, wanted);
}

// Bytes for `load` from the parts of a checkpoint some of whose tensors were kept elsewhere. What comes back from a file goes
// through `load`, which checks it: here nothing is trusted, and nothing judged.

import { isFloat, type NdArray, ndarray } from '../dtype.js';
import { boundedJson } from '../state/bounded-json.js';
import { halvedNames, widened } from '../state/storage.js';
import { parameterNames, readingNames, scalerNames } from '../training/graphs.js';
import { type Checkpoint, codes, type StoredTensor, writeSafetensors } from './safetensors.js';

/** Made of others: no part of a checkpoint. */
const derivedNames = ['members', 'labelWeights', 'inverseUnit'];

/** What a checkpoint has under the name that it has as a constant of a deployment. */
export const constantNames: readonly string[] = [...scalerNames, ...parameterNames, ...readingNames].filter(
  (name) => !derivedNames.includes(name),
);

/** Bytes for `load`: the parts, with constants of a deployment among the tensors, in the numbers that the model stores. */
export function toCheckpoint(
  { metadata, tensors }: Checkpoint,
  constants: Readonly<Record<string, NdArray>>,
): Uint8Array {
  const storedAs = dtypeOf(metadata);
  const own = Object.entries(constants).map(([name, array]) => [
    name,
    inStoredNumbers(name, array, storedAs),
  ]);
  return writeSafetensors({ metadata, tensors: [...tensors, ...storedTensors(Object.fromEntries(own))] });
}

/** Constants of a deployment as tensors, in place: those that a checkpoint has. */
export const storedTensors = (constants: Readonly<Record<string, NdArray>>): StoredTensor[] =>
  Object.entries(constants)
    .filter(([name]) => constantNames.includes(name))
    .map(([name, { data, shape, dtype }]) => ({
      name,
      dtype: codes[dtype],
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }));

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

// Builds the bytes for `load` from the parts of a checkpoint, some of whose tensors were kept elsewhere, as in an ONNX file.
// Nothing is checked here: `load` checks everything.

import { isFloat, type NdArray, ndarray } from '../dtype.js';
import { boundedJson } from '../state/bounded-json.js';
import { halvedNames, widened } from '../state/storage.js';
import { parameterNames, readingNames, scalerNames } from '../training/graphs.js';
import { type Checkpoint, codes, type StoredTensor, writeSafetensors } from './safetensors.js';

/** Arrays computed from others, which checkpoints do not hold. */
const derivedNames = ['members', 'labelWeights', 'inverseUnit'];

/** Names that an array has both in a checkpoint and as a constant of a deployment. */
export const constantNames: readonly string[] = [...scalerNames, ...parameterNames, ...readingNames].filter(
  (name) => !derivedNames.includes(name),
);

/** Bytes for `load`: the parts, with the constants of a deployment as tensors in the model's stored types. */
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

/** The constants that belong into a checkpoint, as tensors that are not copied. */
export const storedTensors = (constants: Readonly<Record<string, NdArray>>): StoredTensor[] =>
  Object.entries(constants)
    .filter(([name]) => constantNames.includes(name))
    .map(([name, { data, shape, dtype }]) => ({
      name,
      dtype: codes[dtype],
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }));

/**
 * The stored type of prototypes and targets by the options; the file may have them in another. `load` reports what is wrong with
 * the options.
 */
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

// Storage of a model between calls. Arrays in float16 or bfloat16 are rounded copies; training moves float32 masters beside them, since the
// steps of a stream are often smaller than a half can resolve.

import { type DType, decodeHalf, isHalf, type NdArray, ndarray } from '../dtype.js';
import { DataError } from '../errors.js';
import type { ModelState } from './state.js';

/** Types that can store prototypes and targets. */
export type StoredDType = 'float32' | 'float16' | 'bfloat16';

type Arrays = ModelState['arrays'];

/** The arrays that are stored in halves; all others are small. */
export const halvedNames: readonly string[] = ['prototypes', 'targets'];

const prefix = 'master.';
export const masterName = (name: string): string => `${prefix}${name}`;

/** For each half: the bits of infinity without a sign, and the largest finite number. */
const limits = {
  float16: { infinity: 0x7c00, largest: 65504 },
  bfloat16: { infinity: 0x7f80, largest: 3.39e38 },
} as const;

/**
 * The state with prototypes and targets in `dtype`, and their float32 masters. Errors: DataError for numbers beyond the range of a half.
 */
export function stored(state: ModelState, dtype: StoredDType, call: string): ModelState {
  if (dtype === 'float32') return state;
  const arrays: Record<string, NdArray> = { ...state.arrays };
  for (const name of halvedNames) {
    const master = arrays[name];
    if (!master || master.dtype === dtype) continue;
    const half = ndarray(master.data, master.shape, dtype);
    const { infinity, largest } = limits[dtype];
    const at = half.data.findIndex((bits) => (bits & 0x7fff) === infinity);
    if (at >= 0) {
      const [row, value] = [Math.floor((at * (half.shape[0] as number)) / half.data.length), master.data[at]];
      throw new DataError(
        `${call}: ${name} reach ${value} in row ${row}, ${dtype} ends at ${largest}; scale the rows, or store them in dtype 'float32'.`,
        { argument: name, row, value },
      );
    }
    arrays[name] = half;
    arrays[masterName(name)] = master;
  }
  return { ...state, arrays };
}

/** The state for training: masters in place of halves, or widened halves if there are no masters. */
export function trainable(state: ModelState): ModelState {
  return {
    ...state,
    arrays: mapped(
      withoutMasters(state).arrays,
      (array, name) => state.arrays[masterName(name)] ?? widened(array),
    ),
  };
}

/** The state without masters, which prediction does not read. */
export function withoutMasters(state: ModelState): ModelState {
  const arrays = Object.fromEntries(
    Object.entries(state.arrays).filter(([name]) => !name.startsWith(prefix)),
  );
  return { ...state, arrays };
}

/** Arrays in types that the backend has: other halves are widened to float32, exactly. */
export const widenedFor = (arrays: Arrays, dtypes: readonly DType[]): Arrays =>
  mapped(arrays, (array) => (dtypes.includes(array.dtype) ? array : widened(array)));

/** A half as float32, everything else as it is. */
export const widened = (array: NdArray): NdArray =>
  isHalf(array.dtype) ? ndarray(decodeHalf(array.data, array.dtype), array.shape) : array;

const mapped = (arrays: Arrays, change: (array: NdArray, name: string) => NdArray): Arrays =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, change(array, name)]));

// Copies of user input for calls that continue after they have returned: callers may overwrite their buffers for the next call.

/** Whether memory is shared between workers: runtimes refuse it, or read it while it changes. Works across realms. */
export const isShared = (view: ArrayBufferView): boolean =>
  Object.prototype.toString.call(view.buffer) === '[object SharedArrayBuffer]';

/** The array in unshared memory, copied only if it is shared. */
export const unshared = <A extends Float32Array | Float64Array | Int32Array | Uint32Array>(array: A): A =>
  isShared(array) ? (array.slice() as A) : array;

type TypedArray = Float32Array;

/**
 * A deep copy of rows, targets, weights and options: arrays are copied, also inside arrays and objects; everything else is kept.
 */
export function ownCopy<T>(value: T): T {
  if (ArrayBuffer.isView(value))
    return (value instanceof DataView ? value : (value as unknown as TypedArray).slice()) as T;
  if (Array.isArray(value)) {
    // Most arrays are long lists of numbers or strings.
    const nested = value.some((item) => typeof item === 'object');
    return (nested ? value.map(ownCopy) : value.slice()) as T;
  }
  if (typeof value !== 'object' || value === null) return value;
  const plain = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  // Results of calls are matrices, but not plain objects.
  if (!plain && !('shape' in value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, ownCopy(part)])) as T;
}

// Copies of what callers hand in, for calls that go on after they have returned: whoever fills a buffer anew for the next call
// must not change this one.

/** Memory that workers share, which runtimes refuse or read while it changes; of any realm. */
export const isShared = (view: ArrayBufferView): boolean =>
  Object.prototype.toString.call(view.buffer) === '[object SharedArrayBuffer]';

/** The array in memory of one thread: a copy where others share it. */
export const unshared = <A extends Float32Array | Float64Array | Int32Array | Uint32Array>(array: A): A =>
  isShared(array) ? (array.slice() as A) : array;

type TypedArray = Float32Array;

/** Rows, targets, weights and options as they are now: arrays copied, in arrays and objects too, all else as it is. */
export function ownCopy<T>(value: T): T {
  if (ArrayBuffer.isView(value))
    return (value instanceof DataView ? value : (value as unknown as TypedArray).slice()) as T;
  if (Array.isArray(value)) {
    // Most are long lists of numbers or strings.
    const nested = value.some((item) => typeof item === 'object');
    return (nested ? value.map(ownCopy) : value.slice()) as T;
  }
  if (typeof value !== 'object' || value === null) return value;
  const plain = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  // Results are matrices of a class.
  if (!plain && !('shape' in value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, ownCopy(part)])) as T;
}

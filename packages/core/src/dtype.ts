// Element types and the arrays that hold them. float16 and bfloat16 live as their bits in a Uint16Array.

/** Element type of a tensor. */
export type DType = 'float32' | 'float16' | 'bfloat16' | 'int32' | 'bool';

/** Every array that can back a tensor. Float64Array appears on the float64 reference backend, and in answers. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/** Sizes of the axes; `BATCH` stands for the symbolic number of rows. */
export type Shape = readonly number[];

/** Row-major array with its shape: scalars have shape `[]`. */
export interface NdArray<A extends TypedArray = TypedArray> {
  readonly data: A;
  readonly shape: Shape;
  readonly dtype: DType;
}

export const isFloat = (dtype: DType): boolean =>
  dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';

export const isHalf = (dtype: DType): dtype is 'float16' | 'bfloat16' =>
  dtype === 'float16' || dtype === 'bfloat16';

export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  bool: 1,
};

/** Product of the axes: 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** A zeroed array of the given type, with float16 and bfloat16 as bits. */
export function allocate(dtype: DType, size: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(size);
    case 'int32':
      return new Int32Array(size);
    case 'bool':
      return new Uint8Array(size);
    default:
      return new Uint16Array(size);
  }
}

/** An `NdArray` from plain numbers or a typed array, converted to `dtype`. */
export function ndarray(values: ArrayLike<number>, shape: Shape, dtype: DType = 'float32'): NdArray {
  const data = allocate(dtype, values.length);
  if (isHalf(dtype)) encodeHalf(values, dtype, data as Uint16Array);
  else if (dtype === 'bool') for (let i = 0; i < values.length; i++) data[i] = values[i] ? 1 : 0;
  else data.set(values);
  return { data, shape, dtype };
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** Bits of the bfloat16 nearest to x, ties to even. */
export function toBfloat16(x: number): number {
  word[0] = x;
  const u = bits[0] as number;
  if (Number.isNaN(x)) return (u >>> 16) | 0x40;
  return (u + 0x7fff + ((u >>> 16) & 1)) >>> 16;
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return word[0] as number;
}

/** Bits of the IEEE float16 nearest to x, ties to even, overflow to infinity. */
export function toFloat16(x: number): number {
  word[0] = x;
  const u = bits[0] as number;
  const sign = (u >>> 16) & 0x8000;
  const magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent by 127 − 15, round the 13 dropped bits to even.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal: adding 0.5 lets the float adder round to multiples of 2^-24, ties to even.
  bits[0] = magnitude;
  word[0] = (word[0] as number) + 0.5;
  return sign | ((bits[0] as number) - 0x3f000000);
}

export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Writes numbers as half-precision bits. */
export function encodeHalf(
  values: ArrayLike<number>,
  dtype: 'float16' | 'bfloat16',
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const encode = dtype === 'float16' ? toFloat16 : toBfloat16;
  for (let i = 0; i < values.length; i++) out[i] = encode(values[i] as number);
  return out;
}

/** Reads half-precision bits back into float32. */
export function decodeHalf(half: ArrayLike<number>, dtype: 'float16' | 'bfloat16'): Float32Array {
  const decode = dtype === 'float16' ? fromFloat16 : fromBfloat16;
  const out = new Float32Array(half.length);
  for (let i = 0; i < half.length; i++) out[i] = decode(half[i] as number);
  return out;
}

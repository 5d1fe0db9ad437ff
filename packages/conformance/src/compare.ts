// Compares the results of a backend with those of the reference: types first, then numbers.

import {
  type Backend,
  type DType,
  decodeHalf,
  formatShape,
  type NdArray,
  type Port,
  type TypedArray,
  type Value,
} from '@fkm/core/graph';
import { expect } from 'vitest';

/** Relative error allowed for each dtype: room for fast exponentials and other orders of summation. */
export type Precision = Readonly<Record<DType, number>>;

export const usualPrecision: Precision = { float32: 1e-5, float16: 4e-3, bfloat16: 3e-2, int32: 0, bool: 0 };

const hostArray = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  bool: Uint8Array,
} satisfies { [D in DType]: unknown };

export const decode = (data: TypedArray, dtype: DType): TypedArray =>
  dtype === 'float16' || dtype === 'bfloat16' ? decodeHalf(data, dtype) : data;

interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
  readonly signedZero: boolean;
}

function close(got: number, want: number, { relative, absolute, signedZero }: Tolerance): boolean {
  if (Object.is(got, want)) return true;
  if (got === want) return !signedZero || got !== 0;
  return Number.isFinite(want) && Math.abs(got - want) <= absolute + relative * Math.abs(want);
}

/** Allowed deviations of the numbers. */
export interface Allowance {
  readonly precision: Precision;
  /** Size of the added terms. */
  readonly scale?: number;
  readonly signedZero?: boolean;
}

/** Expects a value to have the type and shape of the reference's array, and its numbers within the allowance. */
export async function expectValue(
  backend: Backend,
  value: Value | undefined,
  wanted: NdArray,
  port: Port,
  { precision, scale = 1, signedZero = false }: Allowance,
): Promise<void> {
  if (!value) throw new Error(`output ${port.name} is missing.`);
  const { dtype } = port.variable;
  expect(value.dtype, `dtype of ${port.name}`).toBe(dtype);
  expect([...value.shape], `shape of ${port.name}`).toEqual([...wanted.shape]);
  const data = await value.read();
  const double = dtype === 'float32' && backend.flags.precision === 'float64';
  // In float64, an input that is passed through keeps its original array.
  if (!(double && data instanceof Float64Array)) {
    expect(data, `array of ${port.name}`).toBeInstanceOf(hostArray[dtype]);
  }
  expect(data.length, `length of ${port.name}`).toBe(wanted.data.length);

  const [got, want] = [decode(data, dtype), decode(wanted.data, dtype)];
  const tolerance = { relative: precision[dtype], absolute: precision[dtype] * 0.1 * scale, signedZero };
  for (let i = 0; i < want.length; i++) {
    // Overflow and rounding to float32 belong to the dtype, not to the backend.
    const exact = dtype === 'float32' && !double ? Math.fround(want[i] as number) : (want[i] as number);
    if (!close(got[i] as number, exact, tolerance)) {
      const where = `${port.name}[${i}] of ${dtype}${formatShape(wanted.shape)}`;
      throw new Error(`${where} is ${got[i]}, should be ${exact}.\n got: ${head(got)}\nwant: ${head(want)}`);
    }
  }
}

const head = (data: TypedArray): string =>
  `${Array.from(data.subarray(0, 24)).join(', ')}${data.length > 24 ? ' …' : ''}`;

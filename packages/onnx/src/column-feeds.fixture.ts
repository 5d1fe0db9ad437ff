// The cells of columns as tests send them to a runtime: plain JSON, and the arrays that its tensors take.

/** Cells of one input, as JSON can carry them: null is NaN, and dates are texts of int64. */
export interface Feed {
  readonly type: 'string' | 'float32' | 'int64';
  readonly data: readonly (string | number | null)[];
}
export type Feeds = Readonly<Record<string, Feed>>;

/** The arrays that tensors of any runtime take. */
export function arrayOf({ type, data }: Feed): string[] | Float32Array | BigInt64Array {
  if (type === 'string') return data as string[];
  if (type === 'int64') return BigInt64Array.from(data as string[], BigInt);
  return Float32Array.from(data as (number | null)[], (value) => value ?? Number.NaN);
}

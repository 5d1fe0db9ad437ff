// The results of calls: arrays with a shape that convert to plain arrays and to JSON.

import { type DType, decodeHalf, isHalf, type NdArray, type Shape, type TypedArray } from './dtype.js';

/** Numbers nested as deep as the shape has axes. */
export type Nested<T> = T | readonly Nested<T>[];

function nested<T>(items: ArrayLike<T>, shape: Shape, axis = 0, begin = 0): Nested<T> {
  if (axis === shape.length) return items[begin] as T;
  let step = 1;
  for (let i = axis + 1; i < shape.length; i++) step *= shape[i] as number;
  return Array.from({ length: shape[axis] as number }, (_, i) =>
    nested(items, shape, axis + 1, begin + i * step),
  );
}

/** Row-major numbers of a result. `P` is the type of `toArray()`. */
export class ResultArray<A extends TypedArray = TypedArray, P = Nested<number>> implements NdArray<A> {
  readonly data: A;
  readonly shape: Shape;
  readonly dtype: DType;

  constructor({ data, shape, dtype }: NdArray<A>) {
    this.data = data;
    this.shape = shape;
    this.dtype = dtype;
  }

  /** The numbers as nested arrays: [N] as number[], [N, C] as number[][]. Halves are decoded. */
  toArray(): P {
    const { data, dtype } = this;
    return nested<number>(isHalf(dtype) ? decodeHalf(data, dtype) : data, this.shape) as P;
  }

  /** What `JSON.stringify` writes: `toArray()`. */
  toJSON(): P {
    return this.toArray();
  }
}

/** Labels of rows [N] under the caller's names. `D` is the type that holds them. */
export class ResultLabels<L extends string | number, D = ArrayLike<L>> {
  readonly data: D;
  readonly shape: readonly [number];

  constructor(data: D & { readonly length: number }) {
    this.data = data;
    this.shape = [data.length];
  }

  /** The labels as a plain array [N]. */
  toArray(): L[] {
    return Array.from(this.data as ArrayLike<L>);
  }

  /** What `JSON.stringify` writes: `toArray()`. */
  toJSON(): L[] {
    return this.toArray();
  }
}

/** The array with a `toJSON` that gives a plain array; `JSON.stringify` writes a bare typed array as an object of indices. */
export function withJson<A extends TypedArray>(array: A): A {
  return Object.defineProperty(array, 'toJSON', { value: () => Array.from(array) });
}

const inspected = Symbol.for('nodejs.util.inspect.custom');

/** Makes `console.log` print what `toString` returns in Node, Bun and Deno, in place of private fields. */
export function printsItsName(value: object): void {
  Object.defineProperty(value, inspected, { value: () => value.toString() });
}

// The oracle itself, against definitions written another way: index arithmetic spelled out, sort, filter and reduce.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DType, type NdArray, ndarray, type Shape, sizeOf } from '../dtype.js';
import { evaluateGraph } from './evaluate.js';
import * as op from './ops.js';
import { type Tensor, trace } from './trace.js';

const number = fc.constantFrom(-3, -2, -1, -0.5, 0, 0.25, 1, 2, 4);
const dim = fc.integer({ min: 1, max: 5 });

/** An array of the shape whose values come from the stream. */
const arrayOf = (shape: Shape, stream: Iterator<number>, dtype: DType = 'float32'): NdArray =>
  ndarray(
    Array.from({ length: sizeOf(shape) }, () => stream.next().value as number),
    shape,
    dtype,
  );

function run(inputs: readonly NdArray[], build: (...x: Tensor[]) => Tensor): NdArray {
  const specs = Object.fromEntries(inputs.map((x, i) => [`x${i}`, { shape: x.shape, dtype: x.dtype }]));
  const graph = trace('f', specs, (x) => ({ y: build(...Object.values(x)) }));
  return evaluateGraph(graph, inputs)[0] as NdArray;
}

/** Element at a multi-index; axes of size 1 and missing leading axes broadcast. */
function at(x: NdArray, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  const flat = x.shape.reduce((total, size, i) => total * size + (size === 1 ? 0 : (own[i] as number)), 0);
  return x.data[flat] as number;
}

function* indicesOf(shape: Shape): Generator<number[]> {
  if (shape.length === 0) return yield [];
  for (const rest of indicesOf(shape.slice(0, -1))) {
    for (let i = 0; i < (shape[shape.length - 1] as number); i++) yield [...rest, i];
  }
}

const check = (property: fc.IRawProperty<unknown>, numRuns = 200): void =>
  fc.assert(property as fc.IProperty<unknown>, { numRuns });

it('binary ops and select broadcast as numpy does', () => {
  const shape = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 });
  const masks = fc.tuple(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4));
  check(
    fc.property(
      shape,
      masks,
      masks,
      fc.infiniteStream(number),
      (full, [keepA, dropA], [keepB, dropB], stream) => {
        const thin = (keep: readonly boolean[], drop: number): Shape =>
          full.map((d, i) => (keep[i] ? d : 1)).slice(Math.min(drop, full.length));
        const [a, b] = [arrayOf(thin(keepA, dropA), stream), arrayOf(thin(keepB, dropB), stream)];
        const y = run([a, b], (p, q) => op.sub(p, q));
        expect(Array.from(y.data)).toEqual(Array.from(indicesOf(y.shape), (i) => at(a, i) - at(b, i)));
        const z = run([a, b], (p, q) => op.select(op.lt(p, 0), p, q));
        expect(Array.from(z.data)).toEqual(
          Array.from(indicesOf(z.shape), (i) => (at(a, i) < 0 ? at(a, i) : at(b, i))),
        );
      },
    ),
  );
});

it('matmul is Σ over k of a[i,k]·b[k,j], transposed or not, leading axes broadcast', () => {
  const lead = fc.constantFrom<[Shape, Shape]>([[], []], [[3], []], [[], [2]], [[2], [2]], [[2, 1], [3]]);
  check(
    fc.property(
      dim,
      dim,
      dim,
      fc.boolean(),
      fc.boolean(),
      lead,
      fc.infiniteStream(number),
      (m, k, n, transposeA, transposeB, [la, lb], stream) => {
        const a = arrayOf([...la, ...(transposeA ? [k, m] : [m, k])], stream);
        const b = arrayOf([...lb, ...(transposeB ? [n, k] : [k, n])], stream);
        const y = run([a, b], (p, q) => op.matmul(p, q, { transposeA, transposeB }));
        const wanted = Array.from(indicesOf(y.shape), (index) => {
          const [front, i, j] = [index.slice(0, -2), index.at(-2) as number, index.at(-1) as number];
          let total = 0;
          for (let t = 0; t < k; t++) {
            total +=
              at(a, [...front, ...(transposeA ? [t, i] : [i, t])]) *
              at(b, [...front, ...(transposeB ? [j, t] : [t, j])]);
          }
          return total;
        });
        expect(Array.from(y.data)).toEqual(wanted.map(Math.fround));
      },
    ),
  );
});

const cube = fc.tuple(dim, dim, dim);

it('sum and reduceMax collect what shares the kept axes', () => {
  check(
    fc.property(
      cube,
      fc.subarray([0, 1, 2], { minLength: 1 }),
      fc.boolean(),
      fc.infiniteStream(number),
      (shape, axes, keepDims, stream) => {
        const x = arrayOf(shape, stream);
        const groups = new Map<string, number[]>();
        for (const index of indicesOf(shape)) {
          const key = index.filter((_, i) => !axes.includes(i)).join();
          groups.set(key, [...(groups.get(key) ?? []), at(x, index)]);
        }
        const total = run([x], (t) => op.sum(t, axes, { keepDims }));
        const best = run([x], (t) => op.reduceMax(t, axes, { keepDims }));
        expect(Array.from(total.data)).toEqual([...groups.values()].map((g) => g.reduce((p, q) => p + q, 0)));
        expect(Array.from(best.data)).toEqual([...groups.values()].map((g) => Math.max(...g)));
      },
    ),
  );
});

it('argMax is the first index of the largest, topK the sorted front', () => {
  check(
    fc.property(cube, fc.nat(2), fc.infiniteStream(number), (shape, axis, stream) => {
      const x = arrayOf(shape, stream);
      const best = run([x], (t) => op.argMax(t, axis));
      const wanted = Array.from(indicesOf(best.shape), (rest) => {
        const line = Array.from({ length: shape[axis] as number }, (_, i) =>
          at(x, [...rest.slice(0, axis), i, ...rest.slice(axis)]),
        );
        return line.indexOf(Math.max(...line));
      });
      expect(Array.from(best.data)).toEqual(wanted);

      const k = 1 + (axis % shape[2]);
      const indices = run([x], (t) => op.topK(t, k).indices);
      const values = run([x], (t) => op.topK(t, k).values);
      for (const lead of indicesOf(shape.slice(0, 2))) {
        const line = Array.from({ length: shape[2] }, (_, i) => ({ i, value: at(x, [...lead, i]) }));
        const sorted = line.sort((p, q) => q.value - p.value || p.i - q.i).slice(0, k);
        sorted.forEach(({ i, value }, rank) => {
          expect([at(indices, [...lead, rank]), at(values, [...lead, rank])]).toEqual([i, value]);
        });
      }
    }),
  );
});

it('transpose, slice, concat, gather and broadcast move elements by their index', () => {
  const permutation = fc.shuffledSubarray([0, 1, 2], { minLength: 3 });
  check(
    fc.property(cube, permutation, fc.nat(2), fc.infiniteStream(number), (shape, order, axis, stream) => {
      const x = arrayOf(shape, stream);
      const all = (y: NdArray, from: (index: number[]) => number): void => {
        expect(Array.from(y.data)).toEqual(Array.from(indicesOf(y.shape), from));
      };
      all(
        run([x], (t) => op.transpose(t, order)),
        (index) =>
          at(
            x,
            order.map((_, i) => index[order.indexOf(i)] as number),
          ),
      );

      const size = shape[axis] as number;
      const begin = size >> 1;
      const moved = (index: number[], by: number): number[] => index.map((i, d) => (d === axis ? i + by : i));
      all(
        run([x], (t) => op.slice(t, axis, begin, size)),
        (index) => at(x, moved(index, begin)),
      );
      all(
        run([x], (t) => op.concat([op.neg(t), t], axis)),
        (index) => ((index[axis] as number) < size ? -at(x, index) : at(x, moved(index, -size))),
      );

      const picks = ndarray([size - 1, 0, size >> 1, 0], [2, 2], 'int32');
      all(
        run([x, picks], (t, p) => op.gather(t, p, axis)),
        (index) => {
          const pick = at(picks, index.slice(axis, axis + 2));
          return at(x, [...index.slice(0, axis), pick, ...index.slice(axis + 2)]);
        },
      );
      const wide = [2, ...shape.map((d, i) => (i === axis ? 3 : d))];
      all(
        run([x], (t) => op.broadcast(op.slice(t, axis, 0, 1), wide)),
        (index) => {
          const inner = index.slice(1);
          inner[axis] = 0;
          return at(x, inner);
        },
      );
    }),
    100,
  );
});

it('scatter adds each update to its row', () => {
  check(
    fc.property(
      dim,
      dim,
      fc.array(fc.nat(4), { maxLength: 8 }),
      fc.infiniteStream(number),
      (rows, width, picks, stream) => {
        const x = arrayOf([rows, width], stream);
        const where = ndarray(
          picks.map((p) => p % rows),
          [picks.length],
          'int32',
        );
        const updates = arrayOf([picks.length, width], stream);
        const y = run([x, where, updates], (a, b, c) => op.scatter(a, b, c));
        const wanted = Array.from(indicesOf(x.shape), ([row, column]) =>
          picks.reduce(
            (total, p, i) => total + (p % rows === row ? at(updates, [i, column as number]) : 0),
            at(x, [row as number, column as number]),
          ),
        );
        expect(Array.from(y.data)).toEqual(wanted);
      },
    ),
  );
});

describe('dtypes', () => {
  it('integers divide and cast toward zero', () => {
    const [a, b] = [ndarray([7, -7, 7], [3], 'int32'), ndarray([2, 2, -2], [3], 'int32')];
    expect(Array.from(run([a, b], (x, y) => op.div(x, y)).data)).toEqual([3, -3, -3]);
    expect(Array.from(run([ndarray([1.9, -1.9], [2])], (x) => op.cast(x, 'int32')).data)).toEqual([1, -1]);
  });

  it('half types round once an op and add up in double', () => {
    // 2048 + 1 is no float16; summed in float16, ones would never get past 2048.
    const ones = ndarray(new Array<number>(4096).fill(1), [4096], 'float16');
    expect(run([ones], (x) => op.cast(op.sum(x), 'float32')).data[0]).toBe(4096);
    const x = ndarray([2048], [1], 'float16');
    expect(run([x], (t) => op.cast(op.sub(op.add(t, 1), t), 'float32')).data[0]).toBe(0);
  });

  it('float32 rounds, and float64 precision does not', () => {
    const graph = trace('f', { x: { shape: [1], dtype: 'float32' } }, ({ x }) => ({
      y: op.sub(op.add(x, 1), x),
    }));
    const inputs = [ndarray([2 ** 24], [1])];
    expect(evaluateGraph(graph, inputs)[0]?.data[0]).toBe(0);
    expect(evaluateGraph(graph, inputs, 'float64')[0]?.data[0]).toBe(1);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocate,
  decodeHalf,
  encodeHalf,
  fromBfloat16,
  fromFloat16,
  ndarray,
  sizeOf,
  toBfloat16,
  toFloat16,
} from './dtype.js';

const half = {
  float16: { to: toFloat16, from: fromFloat16, infinity: 0x7c00, nan: (h: number) => (h & 0x7fff) > 0x7c00 },
  bfloat16: {
    to: toBfloat16,
    from: fromBfloat16,
    infinity: 0x7f80,
    nan: (h: number) => (h & 0x7fff) > 0x7f80,
  },
};

const float32 = fc.float({ noNaN: true });

for (const dtype of ['float16', 'bfloat16'] as const) {
  const { to, from, infinity, nan } = half[dtype];

  describe(dtype, () => {
    it('round-trips each of its 65,536 bit patterns', () => {
      for (let h = 0; h < 65536; h++) {
        const x = from(h);
        if (nan(h)) {
          if (!Number.isNaN(x) || !nan(to(x))) throw new Error(`NaN 0x${h.toString(16)} gives ${x}`);
        } else if (to(x) !== h)
          throw new Error(`0x${h.toString(16)} is ${x} and comes back as 0x${to(x).toString(16)}`);
      }
    });

    it('orders its patterns as their values', () => {
      for (let h = 0; h < infinity; h++) {
        if (!(from(h) < from(h + 1)) || from(h | 0x8000) !== -from(h))
          throw new Error(`at 0x${h.toString(16)}`);
      }
    });

    it('gives the nearest value, at a tie the even pattern', () => {
      fc.assert(
        fc.property(float32, (x) => {
          const h = to(x) & 0x7fff;
          // Past the largest finite value, rounding goes on as if there were a next one: that one is infinity.
          const at = (p: number): number =>
            p === infinity ? 2 * from(infinity - 1) - from(infinity - 2) : from(p);
          if (h === infinity) return Math.abs(x) >= (at(infinity) + at(infinity - 1)) / 2;
          const off = (p: number): number => Math.abs(Math.abs(x) - at(p));
          return [h - 1, h + 1]
            .filter((p) => p >= 0)
            .every((p) => off(h) < off(p) || (off(h) === off(p) && h % 2 === 0));
        }),
        { numRuns: 2000 },
      );
    });

    it('rounds halfway cases to even', () => {
      for (let h = 1; h < infinity - 1; h++) {
        const middle = (from(h) + from(h + 1)) / 2;
        // bfloat16 subnormals halve below float32's own: their middle is still exact in float32.
        if (to(middle) !== h + (h % 2) || to(-middle) !== h + (h % 2) + 0x8000) {
          throw new Error(`halfway above 0x${h.toString(16)} gives 0x${to(middle).toString(16)}`);
        }
      }
    });

    it('keeps the sign of zero, infinities and NaN', () => {
      expect([to(0), to(-0)]).toEqual([0, 0x8000]);
      expect([to(Number.POSITIVE_INFINITY), to(Number.NEGATIVE_INFINITY)]).toEqual([
        infinity,
        infinity | 0x8000,
      ]);
      expect(Object.is(from(0x8000), -0)).toBe(true);
      expect(nan(to(Number.NaN))).toBe(true);
    });

    it('keeps a NaN whose payload is all ones', () => {
      const [a, b] = new Float32Array(Uint32Array.of(0x7fffffff, 0xffffffff).buffer);
      expect([a, b].every((x) => nan(to(x as number)))).toBe(true);
    });

    it('encodes and decodes arrays as it does numbers', () => {
      const values = [1.5, -2.25, 1e30, 1e-30, Number.NaN];
      expect(Array.from(encodeHalf(values, dtype))).toEqual(values.map(to));
      expect(Array.from(decodeHalf(values.map(to), dtype))).toEqual(values.map((x) => from(to(x))));
    });
  });
}

it('float16 overflows where the standard says', () => {
  expect([65504, 65519.99, 65520, 1e30].map((x) => fromFloat16(toFloat16(x)))).toEqual([
    65504,
    65504,
    Infinity,
    Infinity,
  ]);
  expect([2 ** -24, 2 ** -25, 2 ** -25 * 1.001].map((x) => toFloat16(x))).toEqual([1, 0, 1]);
});

describe('ndarray', () => {
  it('converts numbers to each dtype', () => {
    expect(ndarray([1.5, -2], [2]).data).toEqual(Float32Array.of(1.5, -2));
    expect(ndarray([1.5, -2], [2], 'int32').data).toEqual(Int32Array.of(1, -2));
    expect(ndarray([0, 3, 0.5], [3], 'bool').data).toEqual(Uint8Array.of(0, 1, 1));
    expect(ndarray([1], [], 'float16').data).toEqual(Uint16Array.of(0x3c00));
    expect(ndarray([1], [], 'bfloat16').data).toEqual(Uint16Array.of(0x3f80));
  });

  it('allocates zeros of the array that backs the dtype', () => {
    const kinds = (['float32', 'float16', 'bfloat16', 'int32', 'bool'] as const).map((d) => allocate(d, 3));
    expect(kinds.map((a) => a.constructor.name)).toEqual([
      'Float32Array',
      'Uint16Array',
      'Uint16Array',
      'Int32Array',
      'Uint8Array',
    ]);
    for (const array of kinds) expect(Array.from(array)).toEqual([0, 0, 0]);
  });

  it('counts one element for a scalar and none for an empty axis', () => {
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([0, 3])]).toEqual([1, 6, 0]);
  });
});

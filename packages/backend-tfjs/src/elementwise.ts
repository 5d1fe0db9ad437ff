// Lowerings of elementwise ops for which tfjs has no exact kernel.

import type { Equation, OpName } from '@fkm/core/graph';
import { countOf } from './device.js';
import type { Run } from './kernel-types.js';
import { bindShape, broadcastLayout, perRows } from './layout.js';
import { type Context, input, type Lowering, numberOf, output } from './lower.js';
import type { Binary, Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

type Elementwise = Exclude<OpName, 'composite'>;

/** f(x, y) with its broadcasting layout, computed once for each number of rows. */
function paired(
  equation: Equation,
  f: (a: TensorInfo, b: TensorInfo, at: ReturnType<typeof broadcastLayout>) => TensorInfo,
): Run {
  const [x, y] = [input(equation, 0).shape, input(equation, 1).shape];
  const layout = perRows([x, y], (rows) => broadcastLayout(bindShape(x, rows), bindShape(y, rows)));
  return ([a, b], rows) => [f(a as TensorInfo, b as TensorInfo, layout(rows))];
}

export const binary =
  <O extends Elementwise>(kernel: string): Lowering<O> =>
  (equation, { primitives }) =>
    paired(equation, primitives.binary(kernel));

export const unary =
  <O extends Elementwise>(kernel: string): Lowering<O> =>
  (_, { primitives: { device } }) => {
    const call = device.kernel(kernel);
    return ([x]) => [
      device.view(
        call({ x: device.view(x as TensorInfo, [countOf(x as TensorInfo)]) }),
        (x as TensorInfo).shape,
      ),
    ];
  };

/** −x; wasm computes Neg in float32 for every dtype. */
export const neg: Lowering<'neg'> = (equation, context) => {
  if (input(equation, 0).dtype !== 'int32') return unary<'neg'>('Neg')(equation, context);
  const negate = negateIntegers(context);
  return ([x]) => [negate(x as TensorInfo)];
};

/** |x|; both devices compute Abs in float32 for every dtype. */
export const abs: Lowering<'abs'> = (equation, context) => {
  if (input(equation, 0).dtype !== 'int32') return unary<'abs'>('Abs')(equation, context);
  const { device, binary: lookup } = context.primitives;
  const [negate, larger] = [negateIntegers(context), lookup('Maximum')];
  return ([x]) => [device.using(negate(x as TensorInfo), (minus) => larger(x as TensorInfo, minus))];
};

function negateIntegers({ primitives }: Context): (x: TensorInfo) => TensorInfo {
  const sub = primitives.binary('Sub');
  return (x) => primitives.device.using(primitives.fill([], 0, 'int32'), (zero) => sub(zero, x));
}

/**
 * x / y; for int32 truncated, and 0 where y is 0, as in the reference. In wasm, x/0 and −2³¹/−1 trap, so such divisors are replaced
 * by 1, and the quotient is multiplied by 0 or −1.
 */
export const div: Lowering<'div'> = (equation, { primitives, constants }) => {
  const { device, fill } = primitives;
  const whole = input(equation, 1).dtype === 'int32';
  const quotient = whole && device.quirks.fractions ? truncated(primitives) : primitives.binary('RealDiv');
  const divisor = constants[1]?.data;
  if (!whole || divisor?.every((y) => y !== 0 && y !== -1)) {
    return paired(equation, quotient);
  }
  const [equal, multiply] = [primitives.binary('Equal'), primitives.binary('Multiply')];
  /** y with one number replaced by another. */
  const replace = (y: TensorInfo, number: number, by: number, other: TensorInfo): TensorInfo =>
    device.using(fill([], number, 'int32'), (n) =>
      device.using(equal(y, n), (found) =>
        device.using(fill([], by, 'int32'), (value) => primitives.select(found, value, other, y.shape)),
      ),
    );
  const safe = (y: TensorInfo): TensorInfo =>
    device.using(replace(y, 0, 1, y), (nonZero) => replace(nonZero, -1, 1, nonZero));
  const factor = (y: TensorInfo): TensorInfo =>
    device.using(fill([], 1, 'int32'), (one) =>
      device.using(replace(y, 0, 0, one), (nonZero) => replace(y, -1, -1, nonZero)),
    );
  return paired(equation, (x, y, at) =>
    device.using(safe(y), (by) =>
      device.using(quotient(x, by, at), (q) => device.using(factor(y), (f) => multiply(q, f))),
    ),
  );
};

/** sign(x)·sign(y)·⌊|x| / |y|⌋ */
function truncated({ device, binary: lookup }: Primitives): Binary {
  const [multiply, floor] = [lookup('Multiply'), lookup('FloorDiv')];
  const flatly = (name: string): ((x: TensorInfo) => TensorInfo) => {
    const call = device.kernel(name);
    return (x) => device.view(call({ x: device.view(x, [countOf(x)]) }), x.shape);
  };
  const [abs, sign] = [flatly('Abs'), flatly('Sign')];
  const of =
    (f: (x: TensorInfo) => TensorInfo, combine: Binary): Binary =>
    (x, y, at) =>
      device.using(f(x), (a) => device.using(f(y), (b) => combine(a, b, at)));
  const [size, signs] = [of(abs, floor), of(sign, multiply)];
  return (x, y, at) =>
    device.using(size(x, y, at), (a) => device.using(signs(x, y, at), (s) => multiply(a, s)));
}

/** max or min; NaN if an operand is NaN. */
export const extremum =
  <O extends 'max' | 'min'>(op: O): Lowering<O> =>
  (equation, { primitives, constants }) => {
    const { device } = primitives;
    const kernel = primitives.binary(op === 'max' ? 'Maximum' : 'Minimum');
    const { dtype, shape } = output(equation);
    if (!device.quirks.losesNaN || dtype !== 'float32') return paired(equation, kernel);

    const findNaN = device.kernel('IsNan');
    /** `best`, or NaN where x is NaN; both have the same shape. */
    const keepNaN = (x: TensorInfo, best: TensorInfo, wanted: readonly number[]): TensorInfo =>
      device.using(findNaN({ x }), (lost) => primitives.select(lost, x, best, wanted));

    const limit = constants.findIndex((value) => Number.isFinite(numberOf(value)));
    if (limit >= 0 && input(equation, 1 - limit).shape.join() === shape.join()) {
      // ClipByValue is about thirty times as fast as Maximum with a number.
      const clip = device.kernel('ClipByValue');
      const bound = numberOf(constants[limit]) as number;
      const attrs = {
        clipValueMin: op === 'max' ? bound : Number.NEGATIVE_INFINITY,
        clipValueMax: op === 'max' ? Number.POSITIVE_INFINITY : bound,
      };
      return (operands) => {
        const x = operands[1 - limit] as TensorInfo;
        return [device.using(clip({ x }, attrs), (clipped) => keepNaN(x, clipped, x.shape))];
      };
    }
    return paired(equation, (a, b, at) =>
      // The kernel returns a unless a < b (a > b), so only a NaN in b is lost.
      device.using(primitives.expand(b, at.shape), (wide) =>
        device.using(kernel(a, b, at), (best) => keepNaN(wide, best, at.shape)),
      ),
    );
  };

export const select: Lowering<'select'> = (equation, { primitives, constants }) => {
  const { device, fill } = primitives;
  const { shape } = output(equation);
  const bound = perRows([shape], (rows) => bindShape(shape, rows));
  const [whenTrue, whenFalse] = [numberOf(constants[1]), numberOf(constants[2])];
  /** A constant is filled in, which is faster than repeating it. */
  const operand = (x: TensorInfo, number: number | undefined, wanted: readonly number[]): TensorInfo =>
    number === undefined ? device.share(x) : fill(wanted, number, x.dtype);
  return ([c, x, y], rows) => {
    const wanted = bound(rows);
    return [
      device.using(operand(x as TensorInfo, whenTrue, wanted), (t) =>
        device.using(operand(y as TensorInfo, whenFalse, wanted), (e) =>
          primitives.select(c as TensorInfo, t, e, wanted),
        ),
      ),
    ];
  };
};

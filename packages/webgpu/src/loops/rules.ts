// The WGSL of each op in a loop, with workarounds for infinities and NaN, which shaders may assume not to exist.

import type { DType, Equation, OpName, Var } from '@fkm/core/graph';
import { result } from './sizes.js';

const computed: Readonly<Record<string, string>> = { float32: 'f32', int32: 'i32', bool: 'bool' };

/** The beginning of every kernel. */
export const head = `struct Params { rows: u32, unknown: u32, lowest: u32, infinite: u32 }
fn isUnknown(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn larger(x: f32, y: f32) -> f32 {
  return select(max(x, y), bitcast<f32>(params.unknown), isUnknown(x) || isUnknown(y));
}
fn smaller(x: f32, y: f32) -> f32 {
  return select(min(x, y), bitcast<f32>(params.unknown), isUnknown(x) || isUnknown(y));
}
// Compilers may take it that no number is NaN or infinite.
fn power(x: f32) -> f32 {
  let low = select(exp(x), 0f, x < -104f);
  return select(select(low, bitcast<f32>(params.infinite), x > 88.8f), x, isUnknown(x));
}
fn logarithm(x: f32) -> f32 {
  let positive = select(log(x), bitcast<f32>(params.lowest), x == 0f);
  let finite = select(positive, x, bitcast<u32>(x) == params.infinite || isUnknown(x));
  return select(finite, bitcast<f32>(params.unknown), x < 0f);
}
`;

/** A number in WGSL. */
export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype === 'int32') return value === -(2 ** 31) ? '(-2147483647i - 1i)' : `${value}i`;
  // Compilers may fold −0 to 0; Chromium's even folds a cast of its bits. So it is derived from the bits of −∞ at run time.
  return Object.is(value, -0) ? 'bitcast<f32>(params.lowest & 0x80000000u)' : `${Math.fround(value)}f`;
}

export type Rule = (x: readonly string[], equation: Equation, i: string) => string;

const infix =
  (operator: string): Rule =>
  ([a, b]) =>
    `${a} ${operator} ${b}`;
const ofFloats =
  (float: Rule, other: Rule): Rule =>
  (x, equation, i) =>
    (result(equation).dtype === 'float32' ? float : other)(x, equation, i);

const casts: Rule = ([x], equation) => {
  const from = (equation.inputs[0] as Var).dtype;
  const to = result(equation).dtype;
  if (from === to) return `${x}`;
  // 0 < |x|, since x ≠ 0 would be true for NaN.
  if (to === 'bool') return from === 'float32' ? `0f < abs(${x})` : `${x} != 0i`;
  return `${computed[to]}(${x})`;
};

/** The ops that loops compute elementwise. */
export const rules: { readonly [O in OpName]?: Rule } = {
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  neg: ([x]) => `-${x}`,
  exp: ([x]) => `power(${x})`,
  log: ([x]) => `logarithm(${x})`,
  sqrt: ([x]) => `sqrt(${x})`,
  abs: ([x]) => `abs(${x})`,
  max: ofFloats(
    ([a, b]) => `larger(${a}, ${b})`,
    ([a, b]) => `max(${a}, ${b})`,
  ),
  min: ofFloats(
    ([a, b]) => `smaller(${a}, ${b})`,
    ([a, b]) => `min(${a}, ${b})`,
  ),
  eq: infix('=='),
  lt: infix('<'),
  and: infix('&&'),
  not: ([x]) => `!${x}`,
  select: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
  cast: casts,
  broadcast: ([x]) => `${x}`,
  transpose: ([x]) => `${x}`,
  oneHot: ([x], equation, i) => {
    const { depth, dtype } = (equation as Equation<'oneHot'>).attrs;
    const found = `${x} == i32((${i}) % ${depth}u)`;
    return dtype === 'bool' ? found : `select(${literal(0, dtype)}, ${literal(1, dtype)}, ${found})`;
  },
};

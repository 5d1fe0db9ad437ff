// Parts of dates as nodes: the civil calendar in int64 arithmetic, after Howard Hinnant's `civil_from_days`. Everything is shifted
// by whole periods of 400 years until it is positive, for ONNX divides towards zero.

import type { DatePart } from '@fkm/core';
import { circleOf, periods } from '@fkm/core/internal';
import { TensorProto_DataType } from './generated/onnx_pb.js';
import type { GraphWriter } from './writer.js';

const msPerHour = 3_600_000;
const msPerDay = 24 * msPerHour;
const daysPerEra = 146_097;
const yearsPerEra = 400;
/** Periods of 400 years that the first of all dates lies before 1970. */
const eras = 685;
/** Days from 1 March of the year 0 to 1970. */
const daysBefore1970 = 719_468;

/** The range of Date, in ms since 1970. */
export const farthest = 8.64e15;

/** Values [B, 1] of int64 that parts are computed of, each written once. */
function calendar(
  writer: GraphWriter,
  ms: string,
): Record<'year' | 'month' | 'day' | 'weekday' | 'hour', () => string> {
  const at = (op: string, a: string, b: number): string => writer.node(op, [a, writer.int64(b)]);
  const once = (make: () => string): (() => string) => {
    let name: string | undefined;
    return () => {
      name ??= make();
      return name;
    };
  };
  const shifted = once(() => at('Add', ms, eras * daysPerEra * msPerDay));
  const days = once(() => at('Div', shifted(), msPerDay));
  const sinceMarch = once(() => at('Add', days(), daysBefore1970));
  const era = once(() => at('Div', sinceMarch(), daysPerEra));
  const dayOfEra = once(() => at('Mod', sinceMarch(), daysPerEra));
  const yearOfEra = once(() => {
    const day = dayOfEra();
    const without = writer.node('Sub', [day, at('Div', day, 1460)]);
    const with100 = writer.node('Add', [without, at('Div', day, 36_524)]);
    return at('Div', writer.node('Sub', [with100, at('Div', day, 146_096)]), 365);
  });
  /** From 1 March, 0 … 365. */
  const dayOfYear = once(() => {
    const year = yearOfEra();
    const leap = writer.node('Sub', [at('Div', year, 4), at('Div', year, 100)]);
    return writer.node('Sub', [dayOfEra(), writer.node('Add', [at('Mul', year, 365), leap])]);
  });
  /** From March, 0 … 11. */
  const monthFromMarch = once(() => at('Div', at('Add', at('Mul', dayOfYear(), 5), 2), 153));
  const month = once(() => at('Mod', at('Add', monthFromMarch(), 2), 12));
  return {
    month,
    year: once(() => {
      const fromMarch = writer.node('Add', [yearOfEra(), at('Mul', era(), yearsPerEra)]);
      const afterNewYear = writer.node('Cast', [at('Less', month(), 2)], { to: TensorProto_DataType.INT64 });
      return at('Sub', writer.node('Add', [fromMarch, afterNewYear]), eras * yearsPerEra);
    }),
    day: once(() => {
      const before = at('Div', at('Add', at('Mul', monthFromMarch(), 153), 2), 5);
      return writer.node('Sub', [dayOfYear(), before]);
    }),
    // 1970 began on a Thursday, and periods of 400 years are whole weeks.
    weekday: once(() => at('Mod', at('Add', days(), 4), 7)),
    hour: once(() => at('Div', at('Mod', shifted(), msPerDay), msPerHour)),
  };
}

/** Values [B, 1] or [B, 2] of float32, one a part, of ms since 1970 [B, 1] int64 within the range of Date. */
export function dateParts(
  writer: GraphWriter,
  column: string,
  ms: string,
  parts: readonly DatePart[],
  origin: number,
): readonly string[] {
  const places = calendar(writer, ms);
  return parts.map((part) => {
    const name = writer.named(`${column} ${part}`);
    if (part === 'days') {
      const since = writer.node('Sub', [ms, writer.int64(origin)]);
      const wide = writer.node('Cast', [since], { to: TensorProto_DataType.DOUBLE });
      const days = writer.node('Div', [wide, writer.doubles(Float64Array.of(msPerDay))]);
      return writer.node('Cast', [days], { to: TensorProto_DataType.FLOAT }, name);
    }
    const place = places[part]();
    if (part === 'year') return writer.node('Cast', [place], { to: TensorProto_DataType.FLOAT }, name);
    const period = periods[part];
    const circle = writer.constant(
      { data: circleOf(period), shape: [period, 2], dtype: 'float32' },
      writer.named(`${column} ${part} circle`),
    );
    // Not Gather: onnxruntime's quantize_dynamic would round the table to 8 bits.
    return writer.node('GatherND', [circle, place], {}, name, {
      docString: `sine and cosine of the ${part} of ${column}, of ${period}`,
    });
  });
}

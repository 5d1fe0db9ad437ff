// Dates in UTC: read from what cells hold, and taken apart into numbers that a distance can compare.

import type { DatePart } from '../state/table-encoding.js';

const msPerDay = 86_400_000;

/** ISO 8601 as tables have it: a day, and maybe a time with seconds and an offset. Without an offset the time is in UTC. */
const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d{2}):?(\d{2}))?)?$/;

/** ms since 1970 of an ISO text; NaN of another text, and of a day or an hour that there is none. */
export function msOfText(text: string): number {
  const found = iso.exec(text.trim());
  if (!found) return Number.NaN;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((digits) => Number(digits ?? 0));
  const at = Date.UTC(year as number, (month as number) - 1, day, hour, minute, second);
  const date = new Date(at);
  if (date.getUTCMonth() + 1 !== month || date.getUTCDate() !== day) return Number.NaN;
  if ((hour as number) > 23 || (minute as number) > 59 || (second as number) > 59) return Number.NaN;
  const milliseconds = Math.floor(Number(`0.${found[7] ?? 0}`) * 1000);
  const offset = (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * 60_000;
  return at + milliseconds - (found[8] === '-' ? -offset : offset);
}

/** Places of a part with a period, from 0: of months, days of a month, weekdays from Sunday, hours. */
export const periods: Readonly<Record<Exclude<DatePart, 'year' | 'days'>, number>> = {
  month: 12,
  day: 31,
  weekday: 7,
  hour: 24,
};

/** The number of a part: a year, days since `origin`, or a place of `periods`. */
export function partOf(part: DatePart, ms: number, origin: number): number {
  const date = new Date(ms);
  switch (part) {
    case 'year':
      return date.getUTCFullYear();
    case 'month':
      return date.getUTCMonth();
    case 'day':
      return date.getUTCDate() - 1;
    case 'weekday':
      return date.getUTCDay();
    case 'hour':
      return date.getUTCHours();
    case 'days':
      return (ms - origin) / msPerDay;
  }
}

/** Sine and cosine of each place of a period [P, 2], float32. */
export function circleOf(period: number): Float32Array {
  const circle = new Float32Array(2 * period);
  for (let place = 0; place < period; place++) {
    const angle = (2 * Math.PI * place) / period;
    circle[2 * place] = Math.sin(angle);
    circle[2 * place + 1] = Math.cos(angle);
  }
  return circle;
}

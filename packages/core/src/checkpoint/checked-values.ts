// Whether the numbers of a state that was read from a file are ones that a model can have: finite, and in the range of what
// they mean, so that no file makes a model that answers NaN. Names, types and shapes were checked before.

import { decodeHalf, isHalf, type NdArray } from '../dtype.js';

/** What an array may hold. */
interface Rule {
  readonly says: string;
  readonly accepts: (value: number) => boolean;
}

const finite: Rule = { says: 'is no finite number', accepts: Number.isFinite };
const least = (least: number): Rule => ({
  says: `is no finite number of at least ${least}`,
  accepts: (value) => value >= least && value < Number.POSITIVE_INFINITY,
});
const within = (low: number, high: number): Rule => ({
  says: `is not within ${low} and ${high}`,
  accepts: (value) => value >= low && value <= high,
});

/** Beyond it e^x is infinite in float32. */
const mostLogarithm = 88.72;

/** What is more than a finite number, or less. */
const rules: Readonly<Record<string, Rule>> = {
  logBandwidth: {
    says: 'is no finite number whose power of e is finite',
    accepts: (value) => value <= mostLogarithm && value > Number.NEGATIVE_INFINITY,
  },
  frozen: within(0, 1),
  thresholds: within(0, 1),
  sharpness: within(0.1, 10),
  'scaler.inverse': least(0),
  'scaler.unit': within(2 ** -126, 2 ** 127),
  // The search for a quantile ends at an infinite knot.
  'scaler.knots': {
    says: 'is no number, or an infinite one below all others',
    accepts: (value) => value > Number.NEGATIVE_INFINITY,
  },
  'target.deviation': least(0),
  'state.ages': least(0),
  'state.coordinateAges': least(0),
  'state.spread': least(0),
};

/** Second moments of Adam, under which square roots are taken. */
const ruleOf = (name: string): Rule =>
  name.startsWith('adam.v.') ? least(0) : Object.hasOwn(rules, name) ? (rules[name] as Rule) : finite;

const numbersOf = ({ data, dtype }: NdArray): ArrayLike<number> =>
  isHalf(dtype) ? decodeHalf(data, dtype) : data;

function wrongIn(name: string, values: ArrayLike<number>): string | null {
  const { says, accepts } = ruleOf(name);
  for (let i = 0; i < values.length; i++) {
    if (!accepts(values[i] as number)) return `${name} is ${values[i]} at place ${i}, which ${says}`;
  }
  return null;
}

/** Knots [D', size] rise within a column, as a binary search wants. */
function fallIn(knots: NdArray | undefined, columns: number): string | null {
  const { data } = knots ?? { data: [] };
  const size = data.length / columns;
  for (let i = 1; i < data.length; i++) {
    if (i % size > 0 && (data[i] as number) < (data[i - 1] as number))
      return `scaler.knots falls at place ${i}`;
  }
  return null;
}

/** What is wrong with the numbers of a state, as half a sentence; null where nothing is. `wide` are its float64 arrays by name. */
export function wrongNumber(
  arrays: Readonly<Record<string, NdArray>>,
  wide: Readonly<Record<string, Float64Array>>,
): string | null {
  for (const [name, array] of Object.entries(arrays)) {
    const wrong = wrongIn(name, numbersOf(array));
    if (wrong !== null) return wrong;
  }
  for (const [name, values] of Object.entries(wide)) {
    const wrong = wrongIn(`state.${name}`, values);
    if (wrong !== null) return wrong;
  }
  const [low, high] = [arrays['target.low']?.data ?? [], arrays['target.high']?.data ?? []];
  for (let t = 0; t < low.length; t++) {
    if ((low[t] as number) > (high[t] as number)) return `target.low is above target.high at place ${t}`;
  }
  return fallIn(arrays['scaler.knots'], arrays['scaler.columns']?.data.length ?? 1);
}

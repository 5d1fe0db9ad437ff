// Checks that the numbers of a state read from a file are ones that a model can have: finite, and within the range of their
// meaning, so that no file makes a model that answers NaN. Names, types and shapes were checked before.

import { decodeHalf, isHalf, type NdArray } from '../dtype.js';

/** The allowed values of an array. */
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

/** Largest x for which e^x is finite in float32. */
const mostLogarithm = 88.72;

/** Arrays whose values have to be more than finite, or may be less. */
const rules: Readonly<Record<string, Rule>> = {
  logBandwidth: {
    says: 'is not a logarithm of a finite float32',
    accepts: (value) => value <= mostLogarithm && value > Number.NEGATIVE_INFINITY,
  },
  frozen: within(0, 1),
  thresholds: within(0, 1),
  sharpness: within(0.1, 10),
  'scaler.inverse': least(0),
  'scaler.unit': within(2 ** -126, 2 ** 127),
  // Each column of knots is padded with Infinity, where the search for a quantile ends.
  'scaler.knots': {
    says: 'is neither a number nor a final Infinity',
    accepts: (value) => value > Number.NEGATIVE_INFINITY,
  },
  'target.deviation': least(0),
  'state.ages': least(0),
  'state.coordinateAges': least(0),
  'state.spread': least(0),
};

/** Second moments of Adam have to be >= 0, since square roots are taken of them. */
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

/** Knots [D', size] have to rise within a column, for the binary search. */
function fallIn(knots: NdArray | undefined, columns: number): string | null {
  const { data } = knots ?? { data: [] };
  const size = data.length / columns;
  for (let i = 1; i < data.length; i++) {
    if (i % size > 0 && (data[i] as number) < (data[i - 1] as number))
      return `scaler.knots falls at place ${i}`;
  }
  return null;
}

/** What is wrong with the numbers of a state, as half a sentence; null if nothing is. `wide` holds its float64 arrays by name. */
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

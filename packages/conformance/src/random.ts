// Values for cases, seeded by the case's key, so that a failure repeats.

/** Draws `size` values; `random` gives numbers in [0, 1). */
export type Domain = (size: number, random: () => number) => number[];

/** mulberry32 (Ettinger 2017, public domain), seeded with FNV-1a of a text. */
export function seeded(text: string): () => number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const draw =
  (value: (random: () => number) => number): Domain =>
  (size, random) =>
    Array.from({ length: size }, () => value(random));

export const uniform = (low: number, high: number): Domain => draw((random) => low + (high - low) * random());

/** Integers from low to high, both included. */
export const integers = (low: number, high: number): Domain =>
  draw((random) => low + Math.floor((high - low + 1) * random()));

/** Both signs, at least 0.2 away from zero: no pole or kink within reach of a finite difference. */
export const nonZero: Domain = draw((random) => (random() < 0.5 ? -1 : 1) * (0.2 + 1.8 * random()));

export const bools: Domain = integers(0, 1);

/** Multiples of 1/8 around zero in random order, each once: no ties, and exact in every float type for up to 256 values. */
export const distinct: Domain = (size, random) => {
  const values = Array.from({ length: size }, (_, i) => (i - (size >> 1)) / 8);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] as number, values[i] as number];
  }
  return values;
};

/** `distinct`, all below zero, so that padding with zeros shows as a wrong maximum. */
export const negative: Domain = (size, random) => distinct(size, random).map((x) => x - size / 8 - 1);

/** These values, repeated. */
export const listed =
  (values: readonly number[]): Domain =>
  (size) =>
    Array.from({ length: size }, (_, i) => values[i % values.length] as number);

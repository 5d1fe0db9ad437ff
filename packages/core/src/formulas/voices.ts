// How loudly each prototype speaks: with gaussian routing as the weight of its part in a mixture, so that what few or light rows
// taught does not outweigh what many did. Rows that differ in nothing but their targets are answered by their weighted mean.

/** The share of the mean voice that the quietest has: it can still be taught. */
const quietest = 1e-6;

/** Logarithm of what rows taught each prototype with, `weights` [K], over the mean of its head: where `bias` starts. */
export function voicesOf(weights: Float64Array, heads: number): Float64Array {
  const perHead = weights.length / heads;
  const voices = new Float64Array(weights.length);
  for (let begin = 0; begin < weights.length; begin += perHead) {
    const own = weights.subarray(begin, begin + perHead);
    const mean = own.reduce((a, b) => a + b, 0) / perHead;
    if (mean > 0)
      voices.set(
        own.map((w) => Math.log(Math.max(w / mean, quietest))),
        begin,
      );
  }
  return voices;
}

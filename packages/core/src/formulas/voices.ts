// Initial biases of gaussian routing: each prototype gets the weight of its component in a mixture, so that prototypes of few or
// light rows do not outweigh those of many. Rows that are equal except in their targets are then answered by their weighted mean.

/** Least weight of a prototype, relative to the mean: it stays trainable. */
const quietest = 1e-6;

/** Logarithm of the weights [K] of rows that taught each prototype, relative to the mean of its head: the initial `bias`. */
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

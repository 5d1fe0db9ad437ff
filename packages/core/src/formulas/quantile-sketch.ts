// The distribution of weighted values in a few points, which streams add to: what quantiles of the rows of a prototype, and of all
// rows that are scored, are read off (after the merging digest of Dunning and Ertl 2019).

/** Sums of float32 weights are known so far: less than it is no row. */
const rounding = 1e-6;

/** Of 0 … 1, where the tails want narrower points. */
const scaled = (share: number): number => Math.asin(2 * Math.min(1, share) - 1);

/**
 * Adds values of weights to a sketch of at most M points, [2M]: their values in rising order, then their weights; a weight of 0 is no
 * point. Values lie in the mean of their point, which holds 3/M of the weight at most, and less of it towards both ends. Equal values
 * count as one of their weight.
 */
export function addToSketch(
  sketch: Float64Array,
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
): void {
  const most = sketch.length / 2;
  const points = new Map<number, number>();
  const put = (value: number, weight: number): void => {
    if (weight > 0) points.set(value, (points.get(value) ?? 0) + weight);
  };
  for (let i = 0; i < most; i++) put(sketch[i] as number, sketch[most + i] as number);
  for (let i = 0; i < values.length; i++) put(values[i] as number, weights[i] as number);
  const sorted = [...points].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, weight]) => sum + weight, 0);
  // Two neighbours are wider than a step together, and all points are π wide: there are fewer than M.
  const step = (2 * Math.PI) / (most - 1);
  sketch.fill(0);
  let [at, before] = [-1, 0];
  for (const [value, weight] of sorted) {
    const [mean, held] = at < 0 ? [0, 0] : [sketch[at] as number, sketch[most + at] as number];
    const fits = scaled((before + held + weight) / total) - scaled(before / total) <= step;
    if (at >= 0 && fits) {
      sketch[at] = mean + (weight / (held + weight)) * (value - mean);
      sketch[most + at] = held + weight;
      continue;
    }
    before += held;
    at++;
    sketch[at] = value;
    sketch[most + at] = weight;
  }
}

/** The least value that a share τ of the weight is not above, which has the least pinball loss; NaN of an empty sketch. */
export function quantileOf(sketch: Float64Array, tau: number): number {
  const most = sketch.length / 2;
  const weights = sketch.subarray(most);
  let left = tau * weights.reduce((sum, weight) => sum + weight, 0) * (1 - rounding);
  let found = Number.NaN;
  for (let i = 0; i < most && (weights[i] as number) > 0; i++) {
    found = sketch[i] as number;
    left -= weights[i] as number;
    if (left <= 0) break;
  }
  return found;
}

/** τ·(y − q) above the quantile, (1 − τ)·(q − y) below it (Koenker and Bassett 1978). */
export const pinball = (y: number, q: number, tau: number): number => (y - q) * (tau - Number(y < q));

/** Points of the score's sketch: up to a thousand rows it holds every one. */
const scoredPoints = 4096;

/** 1 − Σ pinball of the answers / Σ pinball of the best constants, of rows that come in parts; columns of answers are quantiles. */
export class PinballTally {
  private readonly quantiles: readonly number[];
  private readonly sketch: Float64Array = new Float64Array(2 * scoredPoints);
  private readonly losses: Float64Array;

  constructor(quantiles: readonly number[]) {
    this.quantiles = quantiles;
    this.losses = new Float64Array(quantiles.length);
  }

  /** Rows y [N] and answers [N, Q] of some weight. */
  add(truth: ArrayLike<number>, predicted: ArrayLike<number>, sampleWeight?: ArrayLike<number>): void {
    const { quantiles, losses, sketch } = this;
    const weights = Float64Array.from({ length: truth.length }, (_, i) => sampleWeight?.[i] ?? 1);
    for (let i = 0, at = 0; i < truth.length; i++) {
      quantiles.forEach((tau, q) => {
        const loss = pinball(truth[i] as number, predicted[at++] as number, tau);
        losses[q] = (losses[q] as number) + (weights[i] as number) * loss;
      });
    }
    addToSketch(sketch, truth, weights);
  }

  /** A constant y scores 1 where it is met exactly, else 0. */
  get value(): number {
    const { quantiles, losses, sketch } = this;
    const own = losses.reduce((sum, loss) => sum + loss, 0);
    let constant = 0;
    for (const tau of quantiles) {
      const best = quantileOf(sketch, tau);
      for (let i = 0; i < scoredPoints; i++)
        constant += (sketch[scoredPoints + i] as number) * pinball(sketch[i] as number, best, tau);
    }
    return constant > 0 ? 1 - own / constant : own === 0 ? 1 : 0;
  }
}

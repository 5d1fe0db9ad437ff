// The update of phase 1, on the host in float64: from the sums of a batch to prototypes, ages and targets (docs/method.md §4).

import { comparesDirections, type Distance } from './distances.js';

/** Sums over a batch in float64, gathered over its blocks. */
export interface BatchSums {
  /** Σ w [K] */
  readonly weights: Float64Array;
  /** Σ w·x [K, D], or Σ w·m·x where masked */
  readonly sums: Float64Array;
  /** Σ w·m [K, D], masked only */
  readonly coordinateWeights?: Float64Array | undefined;
  /** The same sums over rows that wrongly chose a prototype first, from which it moves away. */
  readonly push?: Pick<BatchSums, 'weights' | 'sums' | 'coordinateWeights'> | undefined;
}

/** The state of the grid during phase 1: float64 copies, updated in place. */
export interface MovingGrid {
  readonly distance: Distance;
  readonly prototypes: Float64Array;
  readonly ages: Float64Array;
  /** [K, D] once a mask was seen */
  readonly coordinateAges: Float64Array | undefined;
  readonly frozen: ArrayLike<number>;
}

/** Decays ages by 2^(−rows / halfLife). */
export function decay(ages: Float64Array, rows: number, halfLife: number): void {
  const factor = 2 ** (-rows / halfLife);
  for (let i = 0; i < ages.length; i++) ages[i] = (ages[i] as number) * factor;
}

/**
 * age += W, η = W/age, p ← (1−η)·p + η·(mean of its rows). Then p ← p + η·r·(p − mean of the rows that push it), η = W_push/age, at
 * most 1 (LVQ 2, Kohonen 1990). With coordinate ages, η is separate for each coordinate, and coordinates without values stay. With
 * cosine, every prototype that is not frozen is normalised. Returns the largest ‖p′ − p‖ among prototypes that rows chose or pushed.
 */
export function emaUpdate(grid: MovingGrid, batch: BatchSums, repulsion = 0): number {
  const { prototypes, ages, coordinateAges, frozen } = grid;
  const count = ages.length;
  const columns = prototypes.length / count;
  const unit = comparesDirections(grid.distance);
  const push = repulsion > 0 ? batch.push : undefined;
  const before = new Float64Array(columns);
  let largest = 0;
  for (let k = 0; k < count; k++) {
    const weight = batch.weights[k] as number;
    const pushing = push ? (push.weights[k] as number) : 0;
    const held = frozen[k] === 1;
    if (weight <= 0 && pushing <= 0) {
      if (unit && !held) toUnitLength(prototypes, k * columns, columns);
      continue;
    }
    const age = (ages[k] as number) + weight;
    ages[k] = age;
    before.set(prototypes.subarray(k * columns, (k + 1) * columns));
    for (let j = k * columns; j < (k + 1) * columns; j++) {
      const reported = reportedAt(batch, weight, j, coordinateAges);
      if (reported > 0) {
        const total = coordinateAges ? (coordinateAges[j] as number) + reported : age;
        if (coordinateAges) coordinateAges[j] = total;
        const p = prototypes[j] as number;
        if (!held) prototypes[j] = p + (reported / total) * ((batch.sums[j] as number) / reported - p);
      }
      const against = push ? reportedAt(push, pushing, j, coordinateAges) : 0;
      if (push && against > 0 && !held) {
        const total = coordinateAges ? (coordinateAges[j] as number) : age;
        const p = prototypes[j] as number;
        const rate = Math.min(1, against / total) * repulsion;
        prototypes[j] = p + rate * (p - (push.sums[j] as number) / against);
      }
    }
    if (held) continue;
    if (unit) toUnitLength(prototypes, k * columns, columns);
    let shift = 0;
    for (let j = 0; j < columns; j++) {
      const move = (prototypes[k * columns + j] as number) - (before[j] as number);
      shift += move * move;
    }
    largest = Math.max(largest, Math.sqrt(shift));
  }
  return largest;
}

/** The target of a prototype [T] moved by η = `rate` towards the mean target of its rows [T]; it stays where the mean is NaN. */
export const follow = (target: Float64Array, mean: Float64Array, rate: number): Float64Array =>
  target.map((t, j) => (Number.isNaN(mean[j]) ? t : t + rate * ((mean[j] as number) - t)));

/** The weight of the values of coordinate j: with a mask, Σ w·m, else Σ w. */
const reportedAt = (
  { coordinateWeights }: Pick<BatchSums, 'coordinateWeights'>,
  weight: number,
  j: number,
  coordinateAges: Float64Array | undefined,
): number => (coordinateAges && coordinateWeights ? (coordinateWeights[j] as number) : weight);

function toUnitLength(values: Float64Array, begin: number, size: number): void {
  let squares = 0;
  for (let i = begin; i < begin + size; i++) squares += (values[i] as number) ** 2;
  // A zero vector has no direction and stays.
  const length = Math.sqrt(squares) || 1;
  for (let i = begin; i < begin + size; i++) values[i] = (values[i] as number) / length;
}

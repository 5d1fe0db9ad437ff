// The update of phase 1, on the host in float64: the sums of a batch into prototypes, ages and targets (SPEC §4).

import type { Distance } from './similarity.js';

/** What one batch adds up to; Float64, gathered over the blocks of the batch. */
export interface BatchSums {
  /** Σ w [K] */
  readonly weights: Float64Array;
  /** Σ w·x [K, D], or Σ w·m·x where masked */
  readonly sums: Float64Array;
  /** Σ w·m [K, D], masked only */
  readonly coordinateWeights?: Float64Array | undefined;
  /** Mean target of each prototype's rows [K, T]; NaN where no row counts */
  readonly targetMeans: Float64Array;
}

/** The grid as phase 1 moves it; Float64 copies, updated in place. */
export interface MovingGrid {
  readonly distance: Distance;
  readonly prototypes: Float64Array;
  readonly targets: Float64Array;
  readonly ages: Float64Array;
  /** [K, D] once a mask was seen */
  readonly coordinateAges: Float64Array | undefined;
  readonly frozen: ArrayLike<number>;
}

/** Forgets: ages shrink by 2^(−rows / halfLife). */
export function decay(ages: Float64Array, rows: number, halfLife: number): void {
  const factor = 2 ** (-rows / halfLife);
  for (let i = 0; i < ages.length; i++) ages[i] = (ages[i] as number) * factor;
}

/**
 * age += W, η = W/age, p ← (1−η)·p + η·(mean of its rows); targets follow the same η.
 * With coordinate ages η is per coordinate, and what no row reported stays. With cosine every prototype that is not frozen
 * leaves at unit length. Returns the largest ‖p′ − p‖ of those that rows chose.
 */
export function emaUpdate(grid: MovingGrid, batch: BatchSums): number {
  const { prototypes, targets, ages, coordinateAges, frozen } = grid;
  const count = ages.length;
  const [columns, width] = [prototypes.length / count, targets.length / count];
  const unit = grid.distance === 'cosine';
  let largest = 0;
  for (let k = 0; k < count; k++) {
    const weight = batch.weights[k] as number;
    if (weight <= 0) {
      if (unit && frozen[k] !== 1) toUnitLength(prototypes, k * columns, columns);
      continue;
    }
    const age = (ages[k] as number) + weight;
    ages[k] = age;
    const before = prototypes.slice(k * columns, (k + 1) * columns);
    const held = frozen[k] === 1;
    for (let j = k * columns; j < (k + 1) * columns; j++) {
      let [reported, old] = [weight, age];
      if (coordinateAges) {
        reported = batch.coordinateWeights ? (batch.coordinateWeights[j] as number) : weight;
        if (reported <= 0) continue;
        old = (coordinateAges[j] as number) + reported;
        coordinateAges[j] = old;
      }
      const p = prototypes[j] as number;
      if (!held) prototypes[j] = p + (reported / old) * ((batch.sums[j] as number) / reported - p);
    }
    if (held) continue;
    if (unit) toUnitLength(prototypes, k * columns, columns);
    let shift = 0;
    before.forEach((p, j) => {
      shift += ((prototypes[k * columns + j] as number) - p) ** 2;
    });
    largest = Math.max(largest, Math.sqrt(shift));
    for (let j = k * width; j < (k + 1) * width; j++) {
      const [t, mean] = [targets[j] as number, batch.targetMeans[j] as number];
      if (!Number.isNaN(mean)) targets[j] = t + (weight / age) * (mean - t);
    }
  }
  return largest;
}

function toUnitLength(values: Float64Array, begin: number, size: number): void {
  let squares = 0;
  for (let i = begin; i < begin + size; i++) squares += (values[i] as number) ** 2;
  const length = Math.max(Math.sqrt(squares), 1e-9);
  for (let i = begin; i < begin + size; i++) values[i] = (values[i] as number) / length;
}

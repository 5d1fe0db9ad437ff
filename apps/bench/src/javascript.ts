// k-means of other npm packages, with a common interface.

import { kmeans } from 'ml-kmeans';
import skmeans from 'skmeans';

/** Rows in the form of these packages. */
export type Points = readonly (readonly number[])[];

export interface Clustering {
  readonly centers: Points;
  readonly labels: ArrayLike<number>;
}

/** Lloyd's passes from given centers, or from the package's own k-means++ start. */
type KMeans = (points: Points, clusters: number, passes: number, start?: Points) => Clustering;

const copied = (points: Points): number[][] => points.map((point) => [...point]);

export const packages: Readonly<Record<string, KMeans>> = {
  'ml-kmeans 7.0.1': (points, clusters, passes, start) => {
    const { centroids, clusters: labels } = kmeans(points as number[][], clusters, {
      maxIterations: passes,
      initialization: start ? copied(start) : 'kmeans++',
      // With given centers, every pass is made, for timing.
      ...(start ? { tolerance: 0 } : { seed: 0 }),
    });
    return { centers: centroids, labels };
  },
  'skmeans 0.11.3': (points, clusters, passes, start) => {
    const { centroids, idxs } = skmeans(points, clusters, start ? copied(start) : 'kmpp', passes);
    return { centers: centroids, labels: idxs };
  },
};

/** Rows of a matrix as nested arrays. */
export function toPoints(data: Float32Array, columns: number): number[][] {
  return Array.from({ length: data.length / columns }, (_, i) =>
    Array.from(data.subarray(i * columns, (i + 1) * columns)),
  );
}

/** Σ ‖x − c‖² in float64. */
export function inertiaOf(points: Points, { centers, labels }: Clustering): number {
  let sum = 0;
  points.forEach((point, i) => {
    const center = centers[labels[i] as number] as readonly number[];
    point.forEach((x, j) => {
      sum += (x - (center[j] as number)) ** 2;
    });
  });
  return sum;
}

// Distances as lengths, which add up along a path.

import type { HnswDistance } from './distances.js';
import { type Graph, linkLimit, linkStart } from './graph.js';

/** The square root of a squared distance; for cosine the chord between unit vectors. */
export function lengthOf(distance: number, name: HnswDistance): number {
  if (name === 'l1') return distance;
  return Math.sqrt(Math.max(0, name === 'cosine' ? 2 * distance : distance));
}

/** Distance of a point to the nearest of its links on the lowest level; Infinity without links. */
export function nearestLink(graph: Graph, place: number): number {
  const { kernel, ground } = graph;
  const start = linkStart(graph, place, 0);
  let n = 0;
  for (; n < linkLimit(graph, 0) && (ground[start + n] as number) >= 0; n++) {
    kernel.list[n] = ground[start + n] as number;
  }
  kernel.measureFrom(place, n);
  let nearest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < n; i++) nearest = Math.min(nearest, kernel.out[i] as number);
  return nearest;
}

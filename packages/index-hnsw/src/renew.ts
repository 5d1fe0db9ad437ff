// Maintains links after moves and removals: points that leave are taken out, their neighbours are linked to one another, and points
// that only moved are linked again at their new position.

import type { HnswDistance } from './distances.js';
import { type Graph, linkLimit, linkStart, linksOf, live, removed, unlinked } from './graph.js';
import { lengthOf, nearestLink } from './lengths.js';
import type { Linker } from './linker.js';

/** The links of a point are worn once it has moved by more than this share of the distance to its nearest link. */
export const wearLimit = 0.5;

/**
 * Wear of a point's links: the length of its moves since they were chosen, plus the coming `move`, as a share of the distance to
 * its nearest link.
 */
export function wearOf(graph: Graph, place: number, name: HnswDistance, move = 0): number {
  const drift = (graph.drift[place] as number) + move;
  if (drift === 0 || graph.states[place] !== live) return 0;
  // The only point of an index has no links, so no wrong ones: 0.
  return drift / lengthOf(nearestLink(graph, place), name);
}

/** Relinks all worn points and takes removed points out. */
export function renewAll(graph: Graph, linker: Linker, name: HnswDistance, seed: number): void {
  const places: number[] = [];
  for (let place = 0; place < graph.count; place++) {
    if (graph.states[place] === removed || wearOf(graph, place, name) > wearLimit) places.push(place);
  }
  // Mending costs about as much a point as linking it.
  if (2 * places.length > graph.linked) linker.build(seed);
  else if (places.length > 0) renew(graph, linker, places, graph.levels.keys());
}

/** Relinks live points, and mends only the links of their own neighbours. Other links to them still work, with a detour. */
export function renewSome(graph: Graph, linker: Linker, places: readonly number[]): void {
  const neighbours = new Set<number>();
  for (const place of places) {
    for (let level = 0; level <= (graph.levels[place] as number); level++) {
      const links = linksOf(graph, level);
      const start = linkStart(graph, place, level);
      for (let i = start; i < start + linkLimit(graph, level) && (links[i] as number) >= 0; i++) {
        neighbours.add(links[i] as number);
      }
    }
  }
  renew(graph, linker, places, neighbours);
}

function renew(graph: Graph, linker: Linker, places: readonly number[], near: Iterable<number>): void {
  const { states, levels, ground } = graph;
  const leaving = new Uint8Array(graph.count);
  for (const place of places) leaving[place] = 1;
  const cutOff: number[] = [];
  for (const place of near) {
    if (leaving[place] || states[place] === unlinked) continue;
    for (let level = 0; level <= (levels[place] as number); level++) linker.mend(place, level, leaving);
    if (states[place] === live && (ground[linkStart(graph, place, 0)] as number) < 0) cutOff.push(place);
  }
  const returning: number[] = [];
  const unlink = (place: number): void => {
    if (states[place] === live) {
      returning.push(place);
      graph.size--;
    }
    states[place] = unlinked;
    graph.linked--;
  };
  for (const place of places) {
    unlink(place);
    for (let level = 0; level <= (levels[place] as number); level++) {
      const start = linkStart(graph, place, level);
      linksOf(graph, level).fill(-1, start, start + linkLimit(graph, level));
    }
  }
  if (graph.entry >= 0 && leaving[graph.entry]) graph.entry = highest(graph);
  // The entry needs no links of its own: points that return link to it.
  for (const place of cutOff) if (place !== graph.entry) unlink(place);
  for (const place of returning) linker.insert(place);
}

/** A linked point of the highest level; −1 if there is none. */
function highest({ states, levels }: Graph): number {
  let best = -1;
  for (let place = 0; place < levels.length; place++) {
    if (states[place] === unlinked) continue;
    if (best < 0 || (levels[place] as number) > (levels[best] as number)) best = place;
  }
  return best;
}

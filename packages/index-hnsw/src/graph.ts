// The layered graph as flat arrays: who is linked to whom, what each place is, and where the vectors are.
// (Malkov & Yashunin 2018.) It holds no algorithm.

import type { Kernel } from './kernel.js';

/** What a place is. */
export const live = 0;
/** Found no more, but searches still pass through it. */
export const removed = 1;
/** Found no more, and no link leads there. */
export const unlinked = 2;

/** Levels above the ground; with 2 links a node, a graph of 2³¹ has 30. */
export const maxLevel = 30;

export interface Graph {
  readonly kernel: Kernel;
  readonly count: number;
  readonly columns: number;
  /** Links of a node on levels above the ground; twice as many on the ground. */
  readonly m: number;
  /** Top level of each place [K]. */
  readonly levels: Uint8Array;
  readonly states: Uint8Array;
  /** How far each place has moved since its links were chosen [K]: lengths of its moves, added up. */
  readonly drift: Float32Array;
  /** Links on the ground [K, 2m]; −1 ends a list. */
  readonly ground: Int32Array;
  /** Links above: levels 1 … levels[k] of place 0, then of place 1 … [Σ levels, m]. */
  readonly upper: Int32Array;
  /** Sum of the levels of the places before [K]. */
  readonly upperStart: Int32Array;
  /** Where searches begin; −1 without nodes. */
  entry: number;
  /** Places with links, removed ones included. */
  linked: number;
  /** Places that can be found. */
  size: number;
}

/** A graph over the kernel's vectors without links. */
export function emptyGraph(kernel: Kernel, columns: number, m: number, levels: Uint8Array): Graph {
  const count = levels.length;
  const upperStart = new Int32Array(count);
  let blocks = 0;
  for (let place = 0; place < count; place++) {
    upperStart[place] = blocks;
    blocks += levels[place] as number;
  }
  return {
    kernel,
    count,
    columns,
    m,
    levels,
    states: new Uint8Array(count).fill(unlinked),
    drift: new Float32Array(count),
    ground: new Int32Array(count * m * 2).fill(-1),
    upper: new Int32Array(blocks * m).fill(-1),
    upperStart,
    entry: -1,
    linked: 0,
    size: 0,
  };
}

/** Level of each place, P(level ≥ l) = m^−l, from the seed and the place alone. */
export function drawLevels(count: number, m: number, seed: number): Uint8Array {
  const levels = new Uint8Array(count);
  const scale = -1 / Math.log(m);
  for (let place = 0; place < count; place++) {
    levels[place] = Math.min(maxLevel, Math.floor(Math.log(uniform(seed, place)) * scale));
  }
  return levels;
}

/** In (0, 1]: the finaliser of MurmurHash3 (Appleby) over place and seed. */
export function uniform(seed: number, place: number): number {
  let h = Math.imul(place + 1, 0x9e3779b1) ^ seed ^ Math.imul(Math.floor(seed / 2 ** 32) + 1, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32 + 2 ** -33;
}

export const linksOf = (graph: Graph, level: number): Int32Array =>
  level === 0 ? graph.ground : graph.upper;

/** Links of a node on a level, at most. */
export const linkLimit = (graph: Graph, level: number): number => (level === 0 ? graph.m * 2 : graph.m);

/** Where the links of a place on a level begin in `linksOf`. */
export const linkStart = (graph: Graph, place: number, level: number): number =>
  level === 0 ? place * graph.m * 2 : ((graph.upperStart[place] as number) + level - 1) * graph.m;

// The layered graph (Malkov & Yashunin 2018) as flat arrays: links, the state of each point, and vectors. It holds no algorithm.

import type { Kernel } from './kernel.js';

/** The state of a point: it can be found. */
export const live = 0;
/** Not found any more, but searches still pass through it. */
export const removed = 1;
/** Not found any more, and no link leads to it. */
export const unlinked = 2;

/** Most levels above the lowest; with 2 links a node, a graph of 2³¹ points has 30. */
export const maxLevel = 30;

export interface Graph {
  readonly kernel: Kernel;
  readonly count: number;
  readonly columns: number;
  /** Links of a node on upper levels; twice as many on the lowest. */
  readonly m: number;
  /** Top level of each point [K]. */
  readonly levels: Uint8Array;
  readonly states: Uint8Array;
  /** Total length of each point's moves since its links were chosen [K]. */
  readonly drift: Float32Array;
  /** Links on the lowest level [K, 2m]; −1 ends a list. */
  readonly ground: Int32Array;
  /** Links on upper levels: levels 1 … levels[k] of point 0, then of point 1, … [Σ levels, m]. */
  readonly upper: Int32Array;
  /** Sum of the levels of all points before [K]. */
  readonly upperStart: Int32Array;
  /** The point at which searches start; −1 without nodes. */
  entry: number;
  /** Number of points with links, including removed ones. */
  linked: number;
  /** Number of points that can be found. */
  size: number;
}

/** A graph on the kernel's vectors, without links. */
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

/** The level of each point, P(level ≥ l) = m^−l, determined by the seed and the point's index. */
export function drawLevels(count: number, m: number, seed: number): Uint8Array {
  const levels = new Uint8Array(count);
  const scale = -1 / Math.log(m);
  for (let place = 0; place < count; place++) {
    levels[place] = Math.min(maxLevel, Math.floor(Math.log(uniform(seed, place)) * scale));
  }
  return levels;
}

/** A number in (0, 1] from seed and index: the finaliser of MurmurHash3 (Appleby). */
export function uniform(seed: number, place: number): number {
  let h = Math.imul(place + 1, 0x9e3779b1) ^ seed ^ Math.imul(Math.floor(seed / 2 ** 32) + 1, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32 + 2 ** -33;
}

export const linksOf = (graph: Graph, level: number): Int32Array =>
  level === 0 ? graph.ground : graph.upper;

/** Most links of a node on a level. */
export const linkLimit = (graph: Graph, level: number): number => (level === 0 ? graph.m * 2 : graph.m);

/** Where the links of a point on a level start in `linksOf`. */
export const linkStart = (graph: Graph, place: number, level: number): number =>
  level === 0 ? place * graph.m * 2 : ((graph.upperStart[place] as number) + level - 1) * graph.m;

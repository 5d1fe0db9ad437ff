// Links points into the graph: to the nearest that a search finds, pruned so that links point in different directions (algorithms 1
// and 4 of Malkov & Yashunin 2018).

import type { HnswDistance } from './distances.js';
import { type Graph, linkLimit, linkStart, linksOf, live, uniform, unlinked } from './graph.js';
import { batch } from './kernel.js';
import type { Walker } from './walk.js';

export class Linker {
  private readonly graph: Graph;
  private readonly walker: Walker;
  private readonly efConstruction: number;
  /** Candidates for links, ascending by distance. */
  private readonly places: Int32Array;
  private readonly distances: Float32Array;
  private candidates = 0;
  /** Distance up to which points count as equal, which for cosine is rounding. */
  private readonly equal: number;

  constructor(graph: Graph, walker: Walker, efConstruction: number, name: HnswDistance) {
    this.graph = graph;
    this.walker = walker;
    this.efConstruction = efConstruction;
    this.equal = name === 'cosine' ? 1e-6 : 0;
    this.places = new Int32Array(Math.max(efConstruction, batch));
    this.distances = new Float32Array(this.places.length);
  }

  /** Links all live points anew, in an order drawn from the seed: linking sorted rows in their order would mislead searches. */
  build(seed: number): void {
    const { graph } = this;
    const order = Uint32Array.from(graph.levels.keys()).filter((place) => graph.states[place] === live);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(uniform(seed, -i - 2) * i);
      const swap = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swap;
    }
    graph.ground.fill(-1);
    graph.upper.fill(-1);
    graph.states.fill(unlinked);
    graph.entry = -1;
    graph.linked = 0;
    graph.size = 0;
    for (const place of order) this.insert(place);
  }

  /** Links an unlinked point, whose vector is set, and makes it live. */
  insert(place: number): void {
    const { graph, walker } = this;
    const { kernel } = graph;
    graph.states[place] = live;
    graph.drift[place] = 0;
    graph.linked++;
    graph.size++;
    if (graph.entry < 0) {
      graph.entry = place;
      return;
    }
    kernel.query.set(kernel.vectors.subarray(place * kernel.width, (place + 1) * kernel.width));
    const level = graph.levels[place] as number;
    const highest = graph.levels[graph.entry] as number;
    const top = Math.min(level, highest);
    walker.search(graph, top, this.efConstruction, place);
    for (let l = top; l >= 0; l--) {
      if (l < top) walker.descend(graph, l, this.efConstruction, place);
      this.candidates = walker.size;
      this.places.set(walker.places.subarray(0, walker.size));
      this.distances.set(walker.distances.subarray(0, walker.size));
      this.choose(place, l, graph.m);
      const links = linksOf(graph, l);
      const start = linkStart(graph, place, l);
      for (let i = start; i < start + graph.m && (links[i] as number) >= 0; i++) {
        this.linkBack(links[i] as number, place, l);
      }
    }
    if (level > highest) graph.entry = place;
  }

  /**
   * Chooses the links of a point on a level again without those that leave: from the remaining links and from the links of those
   * that leave. Does nothing if no link leads to a leaving point.
   */
  mend(place: number, level: number, leaving: Uint8Array): void {
    const links = linksOf(this.graph, level);
    const start = linkStart(this.graph, place, level);
    const end = start + linkLimit(this.graph, level);
    let torn = false;
    for (let i = start; i < end && (links[i] as number) >= 0 && !torn; i++) {
      torn = leaving[links[i] as number] !== 0;
    }
    if (!torn) return;
    const { list } = this.graph.kernel;
    let n = 0;
    const add = (candidate: number): void => {
      if (candidate === place || leaving[candidate] || n === batch) return;
      for (let i = 0; i < n; i++) if (list[i] === candidate) return;
      list[n++] = candidate;
    };
    for (let i = start; i < end && (links[i] as number) >= 0; i++) {
      const link = links[i] as number;
      add(link);
      if (!leaving[link]) continue;
      const further = linkStart(this.graph, link, level);
      for (let j = further; j < further + end - start && (links[j] as number) >= 0; j++) {
        add(links[j] as number);
      }
    }
    this.rank(place, n);
    this.choose(place, level, end - start);
  }

  /** Links `from` to `to` too; if its list is full, its links are chosen again. */
  private linkBack(from: number, to: number, level: number): void {
    const { graph } = this;
    const links = linksOf(graph, level);
    const start = linkStart(graph, from, level);
    const limit = linkLimit(graph, level);
    const { list } = graph.kernel;
    let length = 0;
    for (; length < limit && (links[start + length] as number) >= 0; length++) {
      if (links[start + length] === to) return;
      list[length] = links[start + length] as number;
    }
    if (length < limit) {
      links[start + length] = to;
      return;
    }
    list[length] = to;
    this.rank(from, length + 1);
    this.choose(from, level, limit);
  }

  /** Makes the first n indices of the kernel's list candidates of `from`. */
  private rank(from: number, n: number): void {
    const { places, distances } = this;
    const { kernel } = this.graph;
    kernel.measureFrom(from, n);
    for (let i = 0; i < n; i++) {
      const distance = kernel.out[i] as number;
      let at = i;
      for (; at > 0 && (distances[at - 1] as number) > distance; at--) {
        distances[at] = distances[at - 1] as number;
        places[at] = places[at - 1] as number;
      }
      distances[at] = distance;
      places[at] = kernel.list[i] as number;
    }
    this.candidates = n;
  }

  /**
   * Writes up to `wanted` candidates as links of a point: nearest first, each nearer to the point than to all links before. A link
   * to an equal point does not exclude others, which are equally far from both; of several equal points, one counts as near. The
   * nearest of the rejected fill up half of the list, so that all equal points are linked.
   */
  private choose(place: number, level: number, wanted: number): void {
    const { graph, places, distances, candidates } = this;
    const { list, out } = graph.kernel;
    let kept = 0;
    for (let c = 0; c < candidates && kept < wanted; c++) {
      const candidate = places[c] as number;
      const distance = distances[c] as number;
      graph.kernel.measureFrom(candidate, kept);
      let near = true;
      for (let i = 0; i < kept && near; i++) {
        const between = out[i] as number;
        near = between > distance || (between === distance && distance > this.equal);
      }
      if (near) list[kept++] = candidate;
    }
    for (let c = 0; c < candidates && 2 * kept < wanted; c++) {
      const candidate = places[c] as number;
      let taken = false;
      for (let i = 0; i < kept && !taken; i++) taken = list[i] === candidate;
      if (!taken) list[kept++] = candidate;
    }
    const links = linksOf(graph, level);
    const start = linkStart(graph, place, level);
    for (let i = 0; i < linkLimit(graph, level); i++) links[start + i] = i < kept ? (list[i] as number) : -1;
  }
}

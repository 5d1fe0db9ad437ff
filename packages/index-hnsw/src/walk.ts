// Searches in the graph: the best that a walk along links finds, or a scan of everything. Allocates nothing a query.

import { type Graph, linkLimit, linkStart, linksOf, live, removed } from './graph.js';
import { batch } from './kernel.js';

/** The best so far, ascending, of which those that were expanded carry their place as ~place. */
export class Walker {
  /** Of the last search. */
  size = 0;
  distances: Float32Array = new Float32Array(0);
  places: Int32Array = new Int32Array(0);
  private visited: Uint8Array = new Uint8Array(0);
  private epoch = 0;

  /** Makes room for results of `ef`, in a graph of `count` places. */
  reserve(ef: number, count: number): void {
    if (this.places.length < ef) {
      this.distances = new Float32Array(ef);
      this.places = new Int32Array(ef);
    }
    if (this.visited.length !== count) {
      this.visited = new Uint8Array(count);
      this.epoch = 0;
    }
  }

  /**
   * From the kernel's query: down to `level` with the nearest one of each level, then the `ef` nearest that links lead to,
   * in `places` and `distances`, ascending. Removed places are among them; `skip` is not (−1: nobody).
   */
  search(graph: Graph, level: number, ef: number, skip = -1): void {
    this.reserve(ef, graph.count);
    this.start(graph, skip);
    for (let above = graph.levels[graph.entry] as number; above > level; above--) {
      this.expand(graph, above, 1);
      this.mark(skip);
    }
    this.expand(graph, level, ef);
  }

  /** Goes on a level below from what the last search found. */
  descend(graph: Graph, level: number, ef: number, skip: number): void {
    this.reserve(ef, graph.count);
    this.mark(skip);
    this.expand(graph, level, ef);
  }

  /** The `ef` nearest of all live places, exactly. */
  scan(graph: Graph, ef: number): void {
    this.reserve(ef, graph.count);
    const { kernel, states, count } = graph;
    const { list, out } = kernel;
    this.size = 0;
    for (let place = 0; place < count; ) {
      let n = 0;
      for (; place < count && n < batch; place++) if (states[place] === live) list[n++] = place;
      kernel.measure(n);
      for (let i = 0; i < n; i++) this.offer(out[i] as number, list[i] as number, ef);
    }
  }

  private start(graph: Graph, skip: number): void {
    const { kernel, entry } = graph;
    kernel.list[0] = entry;
    kernel.measure(1);
    this.places[0] = entry;
    this.distances[0] = kernel.out[0] as number;
    this.size = 1;
    this.mark(skip);
  }

  /** A new epoch, in which what is in the pool was visited. */
  private mark(skip: number): void {
    this.epoch++;
    if (this.epoch === 256) {
      this.visited.fill(0);
      this.epoch = 1;
    }
    if (skip >= 0) this.visited[skip] = this.epoch;
    for (let i = 0; i < this.size; i++) this.visited[this.places[i] as number] = this.epoch;
  }

  private expand(graph: Graph, level: number, ef: number): void {
    const { visited, epoch, places, distances } = this;
    const { kernel } = graph;
    const { list, out } = kernel;
    const links = linksOf(graph, level);
    const limit = linkLimit(graph, level);
    let size = Math.min(this.size, ef);
    let next = 0;
    while (next < size) {
      const place = places[next] as number;
      places[next] = ~place;
      const start = linkStart(graph, place, level);
      let n = 0;
      for (let at = start; at < start + limit; at++) {
        const link = links[at] as number;
        if (link < 0) break;
        if (visited[link] === epoch) continue;
        visited[link] = epoch;
        list[n++] = link;
      }
      kernel.measure(n);
      let lowest = next + 1;
      for (let i = 0; i < n; i++) {
        const distance = out[i] as number;
        let at = size;
        if (size === ef) {
          if (distance >= (distances[size - 1] as number)) continue;
          at--;
        } else size++;
        for (; at > 0 && (distances[at - 1] as number) > distance; at--) {
          distances[at] = distances[at - 1] as number;
          places[at] = places[at - 1] as number;
        }
        distances[at] = distance;
        places[at] = list[i] as number;
        if (at < lowest) lowest = at;
      }
      for (next = lowest; next < size && (places[next] as number) < 0; ) next++;
    }
    for (let i = 0; i < size; i++) {
      const place = places[i] as number;
      if (place < 0) places[i] = ~place;
    }
    this.size = size;
  }

  private offer(distance: number, place: number, ef: number): void {
    const { places, distances } = this;
    let at = this.size;
    if (at === ef) {
      if (distance >= (distances[at - 1] as number)) return;
      at--;
    } else this.size++;
    for (; at > 0 && (distances[at - 1] as number) > distance; at--) {
      distances[at] = distances[at - 1] as number;
      places[at] = places[at - 1] as number;
    }
    distances[at] = distance;
    places[at] = place;
  }

  /** Drops removed places from what was found. */
  keepLive({ states }: Graph): void {
    let kept = 0;
    for (let i = 0; i < this.size; i++) {
      const place = this.places[i] as number;
      if (states[place] === removed) continue;
      this.places[kept] = place;
      this.distances[kept++] = this.distances[i] as number;
    }
    this.size = kept;
  }
}

// Searches in the graph: a walk along links that keeps the best candidates, or a scan. It allocates nothing for a query.

import { type Graph, linkLimit, linkStart, linksOf, live, removed } from './graph.js';
import { batch, type Measure } from './kernel.js';

/**
 * Number of candidates expanded at once, so that their memory accesses overlap. Their links, at most 2 · `maxLinks` each, fit into
 * a batch.
 */
const together = 4;
/** Links of four bytes in a cache line. */
const lineLinks = 16;

/** The best candidates so far, ascending; those already expanded have their index stored as ~index. */
export class Walker {
  /** Number of results of the last search. */
  size = 0;
  distances: Float32Array = new Float32Array(0);
  places: Int32Array = new Int32Array(0);
  /** One bit a point, to stay in a cache [K / 32]. */
  private visited: Int32Array = new Int32Array(0);
  /** Indices whose bits are set, with room for one more [K + 1]. */
  private trail: Int32Array = new Int32Array(1);
  private trailed = 0;
  /** Prefetched values, kept so that the compiler does not drop the loads. */
  ahead = 0;

  /** Reserves memory for results of `ef`, in a graph of `count` points. */
  reserve(ef: number, count: number): void {
    if (this.places.length < ef) {
      this.distances = new Float32Array(ef);
      this.places = new Int32Array(ef);
    }
    if (this.trail.length !== count + 1) {
      this.visited = new Int32Array((count + 31) >>> 5);
      this.trail = new Int32Array(count + 1);
      this.trailed = 0;
    }
  }

  /**
   * Searches from the kernel's query: down to `level` by the nearest point of each level, then the `ef` nearest points that links
   * lead to, into `places` and `distances`, ascending. Includes removed points, but not `skip` (−1: none). Distances are those of
   * `measure`.
   */
  search(graph: Graph, level: number, ef: number, skip = -1, measure: Measure = graph.kernel.measure): void {
    this.reserve(ef, graph.count);
    const { kernel, entry } = graph;
    kernel.list[0] = entry;
    measure(1);
    this.places[0] = entry;
    this.distances[0] = kernel.out[0] as number;
    this.size = 1;
    for (let above = graph.levels[entry] as number; above > level; above--) {
      this.mark(skip);
      this.expand(graph, above, 1, measure);
    }
    this.mark(skip);
    this.expand(graph, level, ef, measure);
  }

  /** Continues one level below from the results of the last search. */
  descend(graph: Graph, level: number, ef: number, skip: number): void {
    this.reserve(ef, graph.count);
    this.mark(skip);
    this.expand(graph, level, ef, graph.kernel.measure);
  }

  /** Keeps the first n results, ordered by their exact distances. */
  measureAgain({ kernel }: Graph, n: number): void {
    const found = Math.min(n, this.size);
    const { list, out } = kernel;
    this.size = 0;
    for (let begin = 0; begin < found; begin += batch) {
      const end = Math.min(found, begin + batch);
      list.set(this.places.subarray(begin, end));
      kernel.measure(end - begin);
      for (let i = 0; i < end - begin; i++) this.offer(out[i] as number, list[i] as number, found);
    }
  }

  /** The `ef` nearest of all live points, exactly. */
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

  /** Resets the visited bits, except for the points in the pool. */
  private mark(skip: number): void {
    const { visited, trail } = this;
    for (let i = 0; i < this.trailed; i++) visited[(trail[i] as number) >>> 5] = 0;
    this.trailed = 0;
    if (skip >= 0) this.visit(skip);
    for (let i = 0; i < this.size; i++) this.visit(this.places[i] as number);
  }

  private visit(place: number): void {
    this.visited[place >>> 5] = (this.visited[place >>> 5] as number) | (1 << place);
    this.trail[this.trailed++] = place;
  }

  private expand(graph: Graph, level: number, ef: number, measure: Measure): void {
    const { visited, trail, places, distances } = this;
    const { list, out } = graph.kernel;
    const links = linksOf(graph, level);
    const limit = linkLimit(graph, level);
    let size = Math.min(this.size, ef);
    let trailed = this.trailed;
    let ahead = 0;
    let next = 0;
    while (next < size) {
      // Prefetches the links of the next likely candidates while these are processed.
      for (let i = next + 1, n = 0; i < size && n < together; i++) {
        const place = places[i] as number;
        if (place < 0) continue;
        const start = linkStart(graph, place, level);
        for (let line = 0; line < limit; line += lineLinks) ahead += links[start + line] as number;
        n++;
      }
      let n = 0;
      for (let expanded = 0; expanded < together && next < size; expanded++) {
        const place = places[next] as number;
        places[next] = ~place;
        const start = linkStart(graph, place, level);
        for (let at = start; at < start + limit; at++) {
          const link = links[at] as number;
          if (link < 0) break;
          // Branchless, since the outcome is unpredictable.
          const word = visited[link >>> 5] as number;
          const unseen = ((word >>> link) & 1) ^ 1;
          visited[link >>> 5] = word | (1 << link);
          trail[trailed] = link;
          trailed += unseen;
          list[n] = link;
          n += unseen;
        }
        for (next++; next < size && (places[next] as number) < 0; ) next++;
      }
      measure(n);
      let lowest = next;
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
    this.trailed = trailed;
    this.ahead = ahead;
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

  /** Drops removed points from the results. */
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

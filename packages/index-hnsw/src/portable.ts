// The portable engine: `PrototypeIndex` on the flat graph. Each call checks all arguments before it changes anything, and runs
// synchronously.

import type { Neighbours, Points } from '@fkm/core';
import { checkPlaces, checkPoints, checkRowAPlace, disposed, notBuilt } from './check.js';
import { Codes } from './codes.js';
import type { HnswDistance } from './distances.js';
import type { HnswIndex, SearchOptions } from './engine.js';
import { readGraph, writeGraph } from './format.js';
import { drawLevels, emptyGraph, type Graph, live, removed, unlinked } from './graph.js';
import { chooseKernel, type KernelName, openKernel } from './kernel.js';
import { lengthOf } from './lengths.js';
import { Linker } from './linker.js';
import { checkSearch, defaultEf, type Settings } from './options.js';
import { renewAll, renewSome, wearLimit, wearOf } from './renew.js';
import { Walker } from './walk.js';

/** Most points relinked by an update: this many, plus the same fraction of the points that it moves. */
const renewals = 16;
const movesARenewal = 16;
/** A scan of this many points takes as long as a walk with one candidate. */
const scannedACandidate = 24;
/** Number of points found along codes that are measured exactly, to determine the `wanted` nearest. */
const measuredAgain = (wanted: number): number => 2 * wanted + 8;

export class PortableIndex implements HnswIndex {
  readonly engine = 'portable';
  readonly kernel: KernelName;
  readonly distance: HnswDistance;
  private settings: Settings;
  private graph: Graph | null = null;
  private linker: Linker | null = null;
  private codes: Codes | null = null;
  private readonly walker: Walker = new Walker();
  private alive = true;

  constructor(settings: Settings) {
    this.settings = settings;
    this.distance = settings.distance;
    this.kernel = chooseKernel(settings.simd);
  }

  get size(): number {
    return this.graph?.size ?? 0;
  }

  async build(points: Points): Promise<void> {
    this.expectAlive('build');
    checkPoints('build', 'points', points);
    const [count, columns] = points.shape;
    const { m, seed } = this.settings;
    const graph = emptyGraph(
      openKernel(this.kernel, this.distance, count, columns),
      columns,
      m,
      drawLevels(count, m, seed),
    );
    for (let place = 0; place < count; place++) {
      this.put(points.data, place, graph.kernel.vectors, place, graph);
    }
    graph.states.fill(live);
    const linker = this.linkerOf(graph);
    linker.build(seed);
    this.hold(graph, linker);
  }

  async search(rows: Points, count: number, options: SearchOptions = {}): Promise<Neighbours> {
    const { graph } = this.built('search');
    checkPoints('search', 'rows', rows, graph.columns);
    const { ef = this.settings.ef ?? defaultEf(graph.size) } = checkSearch(count, options);
    const [n] = rows.shape;
    const indices = new Int32Array(n * count).fill(-1);
    const distances = new Float32Array(n * count).fill(Number.POSITIVE_INFINITY);
    const { walker } = this;
    for (let row = 0; row < n; row++) {
      this.put(rows.data, row, graph.kernel.query, 0, graph);
      this.find(graph, Math.min(count, graph.size), ef);
      const found = Math.min(count, walker.size);
      for (let i = 0; i < found; i++) {
        indices[row * count + i] = walker.places[i] as number;
        // Rounding can make 1 − cosine negative.
        distances[row * count + i] = Math.max(0, walker.distances[i] as number);
      }
    }
    return { indices, distances, shape: [n, count] };
  }

  async update(places: ArrayLike<number>, points: Points): Promise<void> {
    const { graph, linker } = this.built('update');
    checkPlaces('update', places, graph.count);
    checkPoints('update', 'points', points, graph.columns);
    checkRowAPlace(places, points);
    const { kernel, states, drift } = graph;
    const worn = new Map<number, number>();
    for (let i = 0; i < places.length; i++) {
      const place = places[i] as number;
      this.put(points.data, i, kernel.query, 0, graph);
      kernel.list[0] = place;
      kernel.measure(1);
      const move = lengthOf(kernel.out[0] as number, this.distance);
      // Measured at the old position, where links are near: so a point that jumps counts as more worn than one that drifts.
      const wear = wearOf(graph, place, this.distance, move);
      if (wear > wearLimit) worn.set(place, wear);
      drift[place] = (drift[place] as number) + move;
      kernel.vectors.set(kernel.query, place * kernel.width);
      if (states[place] !== removed) continue;
      states[place] = live;
      graph.size++;
    }
    for (let i = 0; i < places.length; i++) {
      const place = places[i] as number;
      if (states[place] === unlinked) linker.insert(place);
    }
    const most = renewals + Math.floor(places.length / movesARenewal);
    const first = [...worn].sort(([a, wearA], [b, wearB]) => wearB - wearA || a - b).slice(0, most);
    if (first.length > 0) {
      renewSome(
        graph,
        linker,
        first.map(([place]) => place),
      );
    }
    this.codes?.update(places);
  }

  async remove(places: ArrayLike<number>): Promise<void> {
    const { graph, linker } = this.built('remove');
    checkPlaces('remove', places, graph.count);
    for (let i = 0; i < places.length; i++) {
      const place = places[i] as number;
      if (graph.states[place] !== live) continue;
      graph.states[place] = removed;
      graph.size--;
    }
    // Otherwise most of a walk would lead through removed points.
    if (graph.size < graph.linked / 2) this.renewAll(graph, linker);
  }

  async refresh(): Promise<void> {
    const { graph, linker } = this.built('refresh');
    this.renewAll(graph, linker);
  }

  async save(): Promise<Uint8Array> {
    const { graph } = this.built('save');
    // Codes are not saved; a loaded index fits its own. Renewed here, so that both find the same.
    if (this.codes?.stale) this.codes.renew();
    const { efConstruction, seed } = this.settings;
    return writeGraph(graph, { distance: this.distance, efConstruction, seed });
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.expectAlive('load');
    const { graph, efConstruction, seed } = readGraph(bytes, this.kernel, this.distance);
    this.settings = { ...this.settings, m: graph.m, efConstruction, seed };
    this.hold(graph, this.linkerOf(graph));
  }

  dispose(): void {
    this.alive = false;
    this.graph = null;
    this.linker = null;
    this.codes = null;
  }

  private hold(graph: Graph, linker: Linker): void {
    this.graph = graph;
    this.linker = linker;
    const coded = graph.kernel.codes;
    this.codes = coded && new Codes(graph, coded, this.distance);
  }

  private renewAll(graph: Graph, linker: Linker): void {
    renewAll(graph, linker, this.distance, this.settings.seed);
    this.codes?.renew();
  }

  /** Leaves at least the `wanted` nearest points of the kernel's query in the walker. */
  private find(graph: Graph, wanted: number, ef: number): void {
    const { walker } = this;
    const coarse = this.codes?.ask() ?? null;
    // Removed points take part in a walk, so it needs more candidates for as many results.
    let candidates = Math.max(wanted, Math.ceil(ef * (graph.linked / Math.max(1, graph.size))));
    for (; candidates * scannedACandidate < graph.size; candidates *= 2) {
      walker.search(graph, 0, candidates, -1, coarse ?? graph.kernel.measure);
      if (graph.linked > graph.size) walker.keepLive(graph);
      if (walker.size < wanted) continue;
      if (coarse) walker.measureAgain(graph, measuredAgain(wanted));
      return;
    }
    walker.scan(graph, Math.max(1, wanted));
  }

  /** Copies a row; for cosine normalised, where zeros stay zeros. */
  private put(from: Float32Array, row: number, to: Float32Array, place: number, graph: Graph): void {
    const { columns, kernel } = graph;
    const start = row * columns;
    const target = place * kernel.width;
    let factor = 1;
    if (this.distance === 'cosine') {
      let squares = 0;
      for (let i = start; i < start + columns; i++) squares += (from[i] as number) ** 2;
      factor = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    }
    for (let i = 0; i < columns; i++) to[target + i] = (from[start + i] as number) * factor;
  }

  private linkerOf(graph: Graph): Linker {
    return new Linker(graph, this.walker, this.settings.efConstruction, this.distance);
  }

  private expectAlive(call: string): void {
    if (!this.alive) throw disposed(call);
  }

  private built(call: string): { graph: Graph; linker: Linker } {
    this.expectAlive(call);
    if (!this.graph || !this.linker) throw notBuilt(call);
    return { graph: this.graph, linker: this.linker };
  }
}

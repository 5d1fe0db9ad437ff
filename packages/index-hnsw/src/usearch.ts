// The engine on usearch: native code with threads, for Node. Peculiarities: a search fails with a different number of threads than
// was used for adding, or with more than its process could run when it was loaded, so one number serves both; ef is fixed when an
// index is created; a point moves by removing and adding it.

import { BackendError, type Neighbours, OptionError, type Points } from '@fkm/core';
import { cut } from '@fkm/core/graph';
import { contentOf, frameBytes, readWords, refusal, seal, viewOf, writeWords } from './bytes.js';
import { checkPlaces, checkPoints, checkRowAPlace, disposed, notBuilt, scope } from './check.js';
import { distanceCodes, distanceOfCode, type HnswDistance } from './distances.js';
import type { HnswIndex, SearchOptions } from './engine.js';
import { checkSearch, defaultEf, maxEf, maxLinks, type Settings } from './options.js';
import { loadBytes, machineThreads, savedBytes } from './usearch-files.js';
import type { UsearchConfig, UsearchIndexLike, UsearchModule } from './usearch-module.js';

const magic = 'fkm-usea';
/** Bytes of the head without the frame. */
const headBytes = 24;
/** Most rounds of adding points again that parallel adding left unreachable; one was enough for all but one build in a hundred. */
const mostRounds = 4;

/** A usearch index, and which points are in it. */
interface Native {
  readonly index: UsearchIndexLike;
  readonly columns: number;
  readonly m: number;
  readonly efConstruction: number;
  readonly ef: number;
  readonly threads: number;
  /** 1 for points that can be found [K]. */
  readonly live: Uint8Array;
  /** The vectors as usearch measures them [K, D]: it does not return them, and a refresh needs them. */
  readonly vectors: Float32Array;
  /** Whether points were added or removed since the build. */
  changed: boolean;
}

export class UsearchIndex implements HnswIndex {
  readonly engine = 'usearch';
  readonly kernel = 'native';
  readonly distance: HnswDistance;
  private readonly settings: Settings;
  private module: UsearchModule | undefined;
  private native: Native | null = null;
  private alive = true;

  constructor(settings: Settings) {
    this.settings = settings;
    this.distance = settings.distance;
    this.module = settings.usearch;
  }

  get size(): number {
    return this.native?.index.size() ?? 0;
  }

  async build(points: Points): Promise<void> {
    this.expectAlive('build');
    checkPoints('build', 'points', points);
    const [count, columns] = points.shape;
    const { m, efConstruction } = this.settings;
    const native = await this.open(count, columns, m, efConstruction);
    native.vectors.set(this.measured(points));
    native.live.fill(1);
    this.addLive(native);
    this.expectAlive('build');
    this.native = native;
  }

  async search(rows: Points, count: number, options: SearchOptions = {}): Promise<Neighbours> {
    const { index, columns, ef, threads } = this.built('search');
    checkPoints('search', 'rows', rows, columns);
    if ((checkSearch(count, options).ef ?? ef) !== ef) {
      throw new OptionError(
        `search: ef is ${options.ef}, but usearch fixes it when an index is made, here at ${ef}. Say it to hnswIndex, or ` +
          "take engine: 'portable'.",
        { option: 'ef', value: options.ef, expected: ef },
        scope,
      );
    }
    const [n] = rows.shape;
    const indices = new Int32Array(n * count).fill(-1);
    const found = new Float32Array(n * count).fill(Number.POSITIVE_INFINITY);
    const wanted = Math.min(count, index.size());
    if (n > 0 && wanted > 0) {
      const matches = index.search(this.measured(rows), wanted, threads);
      for (let row = 0; row < n; row++) {
        const hits = matches.counts ? Number(matches.counts[row]) : matches.keys.length;
        for (let i = 0; i < hits; i++) {
          indices[row * count + i] = Number(matches.keys[row * wanted + i]);
          // Rounding can make 1 − cosine negative.
          found[row * count + i] = Math.max(0, matches.distances[row * wanted + i] as number);
        }
      }
    }
    return { indices, distances: found, shape: [n, count] };
  }

  async update(places: ArrayLike<number>, points: Points): Promise<void> {
    const native = this.built('update');
    const { index, columns, live } = native;
    checkPlaces('update', places, live.length);
    checkPoints('update', 'points', points, columns);
    checkRowAPlace(places, points);
    // If an index occurs twice, its last row counts, since a key cannot be added twice.
    const rowOf = new Map<number, number>();
    for (let row = 0; row < places.length; row++) rowOf.set(places[row] as number, row);
    if (rowOf.size === 0) return;
    const from = this.measured(points);
    const rows = new Float32Array(rowOf.size * columns);
    [...rowOf].forEach(([place, row], i) => {
      const moved = from.subarray(row * columns, (row + 1) * columns);
      rows.set(moved, i * columns);
      native.vectors.set(moved, place * columns);
    });
    const moved = [...rowOf.keys()];
    const old = moved.filter((place) => live[place]);
    if (old.length > 0) index.remove(keysOf(old));
    this.add(native, moved, { data: rows, shape: [moved.length, columns] });
    for (const place of moved) live[place] = 1;
    native.changed = true;
  }

  async remove(places: ArrayLike<number>): Promise<void> {
    const native = this.built('remove');
    const { index, live } = native;
    checkPlaces('remove', places, live.length);
    const leaving = [...new Set(Array.from(places))].filter((place) => live[place]);
    if (leaving.length > 0) index.remove(keysOf(leaving));
    for (const place of leaving) live[place] = 0;
    native.changed = true;
  }

  /** Rebuilds the index if points were added or removed: removals in usearch leave neighbours with fewer links. */
  async refresh(): Promise<void> {
    const { live, vectors, columns, m, efConstruction, changed } = this.built('refresh');
    if (!changed) return;
    const fresh = await this.open(live.length, columns, m, efConstruction);
    fresh.live.set(live);
    fresh.vectors.set(vectors);
    this.addLive(fresh);
    this.expectAlive('refresh');
    this.native = fresh;
  }

  async save(): Promise<Uint8Array> {
    const { index, columns, m, efConstruction, live, vectors, changed } = this.built('save');
    const content = await savedBytes((path) => index.save(path));
    const vectorsAt = frameBytes + headBytes + live.length;
    const bytes = new Uint8Array(vectorsAt + vectors.byteLength + content.length);
    const view = viewOf(bytes);
    [distanceCodes[this.distance], live.length, columns, m, efConstruction, changed ? 1 : 0].forEach(
      (value, i) => {
        view.setUint32(frameBytes + 4 * i, value, true);
      },
    );
    bytes.set(live, frameBytes + headBytes);
    writeWords(bytes, vectorsAt, vectors);
    bytes.set(content, vectorsAt + vectors.byteLength);
    return seal(bytes, magic);
  }

  async load(file: Uint8Array): Promise<void> {
    this.expectAlive('load');
    const bytes = contentOf(file, magic);
    if (bytes.length < headBytes) throw refusal('they end within the head', { length: bytes.length });
    const view = viewOf(bytes);
    const word = (i: number): number => view.getUint32(4 * i, true);
    const [named, count, columns, m, efConstruction, changed] = [0, 1, 2, 3, 4, 5].map(word) as Numbers;
    const written = distanceOfCode(named);
    if (written !== this.distance) {
      throw refusal(`they measure '${written}' and this index '${this.distance}'`, { distance: written });
    }
    const vectorsAt = headBytes + count;
    const contentAt = vectorsAt + count * columns * 4;
    if (bytes.length < contentAt) throw refusal(`they end at ${bytes.length}`, { expected: contentAt });
    if (columns < 1 || m < 2 || m > maxLinks || efConstruction < 1 || efConstruction > maxEf) {
      throw refusal(`D is ${columns}, m ${m}, efConstruction ${efConstruction}`, {
        columns,
        m,
        efConstruction,
      });
    }
    // usearch reserves memory for the machine's threads when it loads; using more at once is an error.
    const threads = Math.min(this.settings.threads, machineThreads());
    const native = await this.open(count, columns, m, efConstruction, threads);
    native.live.set(bytes.subarray(headBytes, vectorsAt));
    native.changed = changed !== 0;
    readWords(bytes, vectorsAt, native.vectors);
    if (native.live.some((flag) => flag > 1)) throw refusal('a place is neither there nor gone', {});
    if (!native.vectors.every(Number.isFinite)) throw refusal('a vector has NaN or Infinity', {});
    try {
      await loadBytes(bytes.subarray(contentAt), (path) => native.index.load(path));
    } catch (error) {
      if (error instanceof BackendError) throw error;
      throw refusal(`usearch says ${cut(error instanceof Error ? error.message : String(error))}`, {});
    }
    expectSame(native);
    this.expectAlive('load');
    this.native = native;
  }

  dispose(): void {
    this.alive = false;
    this.native = null;
  }

  /** Rows as usearch measures them: normalised for cosine, so that inner products are cosines; zeros stay zeros. */
  private measured({ data, shape: [rows, columns] }: Points): Float32Array {
    if (this.distance !== 'cosine') return data;
    const out = new Float32Array(data.length);
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      let squares = 0;
      for (let i = start; i < start + columns; i++) squares += (data[i] as number) ** 2;
      const factor = squares > 0 ? 1 / Math.sqrt(squares) : 0;
      for (let i = start; i < start + columns; i++) out[i] = (data[i] as number) * factor;
    }
    return out;
  }

  private async open(
    count: number,
    columns: number,
    m: number,
    efConstruction: number,
    threads = this.settings.threads,
  ): Promise<Native> {
    this.module ??= await importUsearch();
    const ef = this.settings.ef ?? defaultEf(count);
    const config: UsearchConfig = {
      metric: this.distance === 'cosine' ? 'ip' : 'l2sq',
      dimensions: columns,
      quantization: 'f32',
      connectivity: m,
      expansion_add: efConstruction,
      expansion_search: ef,
      multi: false,
    };
    const index = new this.module.Index(config as never) as UsearchIndexLike;
    const vectors = new Float32Array(count * columns);
    const live = new Uint8Array(count);
    return { index, columns, m, efConstruction, ef, threads, live, vectors, changed: false };
  }

  private addLive(native: Native): void {
    const { live, vectors, columns } = native;
    const places = Array.from(live.keys()).filter((place) => live[place]);
    if (places.length === 0) return;
    const rows = new Float32Array(places.length * columns);
    places.forEach((place, i) => {
      rows.set(vectors.subarray(place * columns, (place + 1) * columns), i * columns);
    });
    this.add(native, places, { data: rows, shape: [places.length, columns] });
  }

  /**
   * Adds rows. Threads that add in parallel leave some points unreachable, up to one in fifty of a small index. Points that a
   * search does not find are added again, one by one, until all are found or no more can be.
   */
  private add(native: Native, places: readonly number[], rows: Points): void {
    const { index, threads } = native;
    index.add(keysOf(places), rows.data, threads);
    if (threads === 1 || places.length === 1) return;
    const columns = rows.shape[1];
    for (let round = 0; round < mostRounds; round++) {
      const lost = this.lost(native, places, rows);
      for (const i of lost) {
        const key = keysOf([places[i] as number]);
        index.remove(key);
        index.add(key, rows.data.subarray(i * columns, (i + 1) * columns), threads);
      }
      if (lost.length === 0) return;
    }
  }

  /** The rows whose own point, or an equal one, is not found by a search. */
  private lost(
    { index, threads }: Native,
    places: readonly number[],
    { data, shape: [, columns] }: Points,
  ): number[] {
    const { keys, distances, counts } = index.search(data, 1, threads);
    return [...places.keys()].filter((i) => {
      const row = data.subarray(i * columns, (i + 1) * columns);
      const found =
        counts?.[i] !== 0n &&
        (Number(keys[i]) === places[i] || (distances[i] as number) <= this.toItself(row));
      return !found;
    });
  }

  /**
   * Upper bound of usearch's distance between a point and itself or an equal point: 0, or 1 − x·x, which is 1 for zeros, with
   * rounding.
   */
  private toItself(row: Float32Array): number {
    return this.distance === 'cosine' ? 1 - row.reduce((sum, x) => sum + x * x, 0) + 1e-6 : 0;
  }

  private expectAlive(call: string): void {
    if (!this.alive) throw disposed(call);
  }

  private built(call: string): Native {
    this.expectAlive(call);
    if (!this.native) throw notBuilt(call);
    return this.native;
  }
}

type Numbers = [number, number, number, number, number, number];

const keysOf = (places: readonly number[]): BigUint64Array =>
  BigUint64Array.from(places, (place) => BigInt(place));

/** Errors: FormatError if usearch holds other points than the head says. */
function expectSame({ index, columns, live }: Native): void {
  const places = Array.from(live.keys()).filter((place) => live[place]);
  const contained = places.length === 0 ? [] : [index.contains(keysOf(places))].flat();
  if (index.dimensions() === columns && index.size() === places.length && contained.every((found) => found))
    return;
  throw refusal(`usearch has ${index.size()} points of ${index.dimensions()} columns in them`, {
    expected: places.length,
  });
}

async function importUsearch(): Promise<UsearchModule> {
  // Hidden from bundlers, which would otherwise include native code that pages never run.
  const name = ['usearch'].join('');
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as UsearchModule;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BackendError(
      `engine 'usearch' needs the package usearch, which did not load (${reason}). Install it: npm install usearch@2.25.3`,
      { package: 'usearch', engine: 'usearch' },
      scope,
    );
  }
}

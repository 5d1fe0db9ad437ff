// Vectors quantised to one byte a column: a quarter of the memory, for walks that wait for memory. What a walk along codes finds is
// measured again exactly.

import type { HnswDistance } from './distances.js';
import type { Graph } from './graph.js';
import type { CodedRows, Measure } from './kernel.js';
import { lengthOf, nearestLink } from './lengths.js';

/** Codes of vectors are −127 … 127. A query may lie outside of all vectors, so its codes may be four times as large. */
const most = 127;
const mostOfQuery = 4 * most;
/** Number of points whose links are checked, to see whether codes tell neighbours apart. */
const sampled = 256;
/** Relative error of a length that rounding may cause. */
const tolerated = 1 / 20;
/** Share of points outside of the range of codes above which all are encoded again. */
const outsideShare = 1 / 64;

export class Codes {
  private readonly graph: Graph;
  private readonly coded: CodedRows;
  private readonly distance: HnswDistance;
  /** The value of code 0, for each column. */
  private readonly offset: Float32Array;
  /** The size of one step. */
  private step = 1;
  private fine = false;
  private outside = 0;
  /** Whether vectors or links have changed since all were encoded. */
  stale: boolean = true;

  /** Encodes existing vectors and links. */
  constructor(graph: Graph, coded: CodedRows, distance: HnswDistance) {
    this.graph = graph;
    this.coded = coded;
    this.distance = distance;
    this.offset = new Float32Array(graph.columns);
    this.renew();
  }

  /** Encodes all vectors again; the result depends only on vectors and links. */
  renew(): void {
    this.fitRange();
    this.fine = this.isFine();
    if (this.fine) for (let place = 0; place < this.graph.count; place++) this.encode(place);
    this.outside = 0;
    this.stale = false;
  }

  /** Updates the codes of moved vectors. */
  update(places: ArrayLike<number>): void {
    this.stale = true;
    if (!this.fine) return;
    for (let i = 0; i < places.length; i++) if (!this.encode(places[i] as number)) this.outside++;
    if (this.outside > this.graph.count * outsideShare) this.renew();
  }

  /** Measures from the kernel's query in proportion to distances; null if rounding would hide which points are near. */
  ask(): Measure | null {
    if (!this.fine) return null;
    const { query, measure } = this.coded;
    this.round(this.graph.kernel.query, 0, query, 0, mostOfQuery);
    return measure;
  }

  private encode(place: number): boolean {
    const { kernel } = this.graph;
    return this.round(kernel.vectors, place * kernel.width, this.coded.rows, place * this.coded.width, most);
  }

  /** Rounds to codes; columns beyond ±limit are clamped. Returns whether all were within. */
  private round(
    from: Float32Array,
    start: number,
    to: Int8Array | Int16Array,
    target: number,
    limit: number,
  ): boolean {
    const { offset, step } = this;
    let within = true;
    for (let i = 0; i < offset.length; i++) {
      const code = Math.round(((from[start + i] as number) - (offset[i] as number)) / step);
      if (code > limit || code < -limit) within = false;
      to[target + i] = Math.max(-limit, Math.min(limit, code));
    }
    return within;
  }

  /** One step size for all columns, so that sums over codes are proportional to distances; the widest column uses all codes. */
  private fitRange(): void {
    const { kernel, count, columns } = this.graph;
    const low = new Float32Array(columns).fill(Number.POSITIVE_INFINITY);
    const high = new Float32Array(columns).fill(Number.NEGATIVE_INFINITY);
    for (let place = 0; place < count; place++) {
      const start = place * kernel.width;
      for (let i = 0; i < columns; i++) {
        const value = kernel.vectors[start + i] as number;
        if (value < (low[i] as number)) low[i] = value;
        if (value > (high[i] as number)) high[i] = value;
      }
    }
    let widest = 0;
    for (let i = 0; i < columns; i++) {
      const [least, greatest] = [low[i] as number, high[i] as number];
      this.offset[i] = least / 2 + greatest / 2;
      widest = Math.max(widest, greatest / 2 - least / 2);
    }
    this.step = widest > 0 ? widest / most : 1;
  }

  /**
   * Whether the median distance to the nearest link, over sampled points, is far above the rounding error of a length: √(D/6) steps
   * for l1, else √(1/6), the standard deviation of the difference of two roundings.
   */
  private isFine(): boolean {
    const { graph, distance } = this;
    const { count, columns } = graph;
    if (distance === 'cosine' && hasZeros(graph)) return false;
    const lengths: number[] = [];
    const apart = Math.max(1, Math.floor(count / sampled));
    for (let place = 0; place < count; place += apart) {
      const length = lengthOf(nearestLink(graph, place), distance);
      if (length > 0 && length < Number.POSITIVE_INFINITY) lengths.push(length);
    }
    lengths.sort((a, b) => a - b);
    const median = lengths[lengths.length >> 1];
    const rounding = this.step * Math.sqrt((distance === 'l1' ? columns : 1) / 6);
    return median !== undefined && rounding <= median * tolerated;
  }
}

/** Whether there are rows of zeros. Their cosine distance to all others is 1, which the length of a difference does not give. */
function hasZeros({ kernel, count }: Graph): boolean {
  for (let place = 0; place < count; place++) {
    const start = place * kernel.width;
    let i = start;
    while (i < start + kernel.width && kernel.vectors[i] === 0) i++;
    if (i === start + kernel.width) return true;
  }
  return false;
}

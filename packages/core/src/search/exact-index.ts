// An index that finds exactly the nearest points by comparing all, for the tests of this folder only.

import { OptionError, StateError } from '../errors.js';
import { type Distance, distances as distanceTable } from '../formulas/distances.js';
import type { Neighbours, Points, PrototypeIndex, PrototypeIndexFactory } from '../state/prototype-index.js';

export interface Watched {
  readonly index: PrototypeIndexFactory;
  /** The calls in order, each with its number of points or rows. */
  readonly calls: string[];
}

/** A factory whose indices record their calls. */
export function exactIndex(lacks?: Distance): Watched {
  const calls: string[] = [];
  return { calls, index: ({ distance }) => new ExactIndex(distance, calls, lacks) };
}

class ExactIndex implements PrototypeIndex {
  readonly distance: Distance;
  private readonly calls: string[];
  private points: Points | null = null;
  private gone = new Set<number>();

  constructor(distance: Distance, calls: string[], lacks: Distance | undefined) {
    if (distance === lacks) throw new OptionError(`exactIndex: there is no distance '${distance}' here.`);
    this.distance = distance;
    this.calls = calls;
  }

  get size(): number {
    return (this.points?.shape[0] ?? 0) - this.gone.size;
  }

  async build({ data, shape }: Points): Promise<void> {
    this.calls.push(`build ${shape[0]}`);
    this.points = { data: data.slice(), shape };
    this.gone = new Set();
  }

  async search({ data, shape: [rows, columns] }: Points, count: number): Promise<Neighbours> {
    if (!this.points) throw new StateError('exactIndex: nothing was built.');
    this.calls.push(`search ${rows}`);
    // Yields, as a real index would, so that other calls can run meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { data: points, shape } = this.points;
    const indices = new Int32Array(rows * count).fill(-1);
    const distances = new Float32Array(rows * count).fill(Number.POSITIVE_INFINITY);
    const all = Array.from({ length: shape[0] }, (_, k) => k).filter((k) => !this.gone.has(k));
    for (let row = 0; row < rows; row++) {
      const to = all.map((k) =>
        distanceTable[this.distance].indexed(data, row * columns, points, k * columns, columns),
      );
      const order = all.map((_, i) => i).sort((a, b) => (to[a] as number) - (to[b] as number) || a - b);
      order.slice(0, count).forEach((at, i) => {
        indices[row * count + i] = all[at] as number;
        distances[row * count + i] = to[at] as number;
      });
    }
    return { indices, distances, shape: [rows, count] };
  }

  async update(indices: ArrayLike<number>, { data, shape: [, columns] }: Points): Promise<void> {
    this.calls.push(`update ${indices.length}`);
    for (let i = 0; i < indices.length; i++) {
      const k = indices[i] as number;
      this.points?.data.set(data.subarray(i * columns, (i + 1) * columns), k * columns);
      this.gone.delete(k);
    }
  }

  async remove(indices: ArrayLike<number>): Promise<void> {
    for (let i = 0; i < indices.length; i++) this.gone.add(indices[i] as number);
  }

  async refresh(): Promise<void> {}

  async save(): Promise<Uint8Array> {
    throw new StateError('exactIndex: nobody asks for its bytes.');
  }

  async load(): Promise<void> {
    throw new StateError('exactIndex: nobody has its bytes.');
  }

  dispose(): void {
    this.calls.push('dispose');
    this.points = null;
  }
}

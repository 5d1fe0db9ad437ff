// The indices of a model, one a head. They are built at the first search and updated to the current state before every later one,
// so no search sees outdated prototypes. States replace their arrays, so a changed reference shows a change.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import { type Distance, distances } from '../formulas/distances.js';
import type {
  Indexed,
  Neighbours,
  PrototypeIndex,
  PrototypeIndexFactory,
  PrototypeSearch,
} from '../state/prototype-index.js';
import { widened } from '../state/storage.js';
import { intoSpace, type Space, spaceOf } from './space.js';

/** The arrays of a model that are indexed. */
export const indexedOf = ({ prototypes, featureWeights }: Readonly<Record<string, NdArray>>): Indexed => ({
  prototypes: prototypes as NdArray,
  featureWeights,
});

/** The points of one head at one time. */
interface Snapshot {
  readonly space: Space;
  /** [K/H, D] before multiplication by the factors of the space. */
  readonly data: Float32Array;
  readonly columns: number;
}

/** Points sampled to estimate the distance between neighbours. */
const probes = 64;
/** A point that has moved by up to this share of that distance is still found through its old links. */
const tolerated = 1 / 3;

/** One head: the index, its current points, and the points for which its links were made. */
interface Kept {
  readonly index: PrototypeIndex;
  readonly now: Snapshot;
  readonly built: Snapshot;
  /** Squared distance that a point may be from where it was built. */
  readonly reach: number;
}

export class IndexKeeper implements PrototypeSearch {
  /** Set once the index has refused the model's distance. */
  refused = false;
  private readonly factory: PrototypeIndexFactory;
  private readonly distance: Distance;
  private known: Indexed | null = null;
  private heads: readonly Kept[] = [];
  private last: Promise<unknown> = Promise.resolve();

  constructor(factory: PrototypeIndexFactory, distance: Distance) {
    this.factory = factory;
    this.distance = distance;
  }

  /**
   * The `count` nearest prototypes of each head for scaled rows [N, D], as indices within the head. Calls run one at a time, since
   * each may be for another state. Errors: those of the index.
   */
  nearest(of: Indexed, rows: Rows, count: number): Promise<readonly Neighbours[]> {
    const turn = this.last.then(async () => {
      await this.follow(of);
      const found: Neighbours[] = [];
      for (const { index, now } of this.heads) {
        const data = intoSpace(now.space, rows.data.subarray(0, rows.rows * rows.columns));
        found.push(await index.search({ data, shape: [rows.rows, rows.columns] }, count));
      }
      return found;
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  dispose(): void {
    for (const { index } of this.heads) index.dispose();
    this.heads = [];
    this.known = null;
  }

  /** Updates every head to these arrays. A failure midway drops the index, so that none is left half updated. */
  private async follow(of: Indexed): Promise<void> {
    const { known } = this;
    const same = (name: keyof Indexed): boolean => known?.[name]?.data === of[name]?.data;
    if (known && same('prototypes') && same('featureWeights')) return;
    const before = this.heads;
    const used = new Set(before.map(({ index }) => index));
    const heads: Kept[] = [];
    this.known = null;
    this.heads = [];
    try {
      for (const [h, snapshot] of snapshotsOf(this.distance, of).entries()) {
        const kept = before[h];
        const index = kept?.index ?? this.factory({ distance: this.distance });
        used.add(index);
        heads.push(kept ? await moved(kept, snapshot) : await built(index, snapshot));
      }
    } catch (error) {
      for (const index of used) index.dispose();
      throw error;
    }
    for (const { index } of before.slice(heads.length)) index.dispose();
    this.heads = heads;
    this.known = of;
  }
}

function snapshotsOf(distance: Distance, { prototypes, featureWeights }: Indexed): Snapshot[] {
  const [count, columns] = prototypes.shape as [number, number];
  const heads = featureWeights?.shape[0] ?? 1;
  const data = widened(prototypes).data as Float32Array;
  const size = (count / heads) * columns;
  return Array.from({ length: heads }, (_, h) => ({
    space: spaceOf(distance, featureWeights, h),
    data: data.subarray(h * size, (h + 1) * size),
    columns,
  }));
}

async function built(index: PrototypeIndex, snapshot: Snapshot): Promise<Kept> {
  const { data, columns, space } = snapshot;
  const points = intoSpace(space, data);
  const count = points.length / columns;
  await index.build({ data: points, shape: [count, columns] });
  return { index, now: snapshot, built: snapshot, reach: await reachOf(index, points, columns) };
}

/** The square of a third of the mean distance to the nearest other point. */
async function reachOf(index: PrototypeIndex, points: Float32Array, columns: number): Promise<number> {
  const count = points.length / columns;
  const step = Math.max(1, Math.floor(count / probes));
  const some = takePoints(
    points,
    columns,
    Uint32Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step),
  );
  const { indices, shape } = await index.search(some, 2);
  let [sum, pairs] = [0, 0];
  for (let i = 0; i < indices.length; i++) {
    const [row, neighbour] = [Math.floor(i / shape[1]), indices[i] as number];
    if (neighbour < 0 || neighbour === row * step) continue;
    sum += Math.sqrt(
      distances.euclidean.indexed(some.data, row * columns, points, neighbour * columns, columns),
    );
    pairs++;
  }
  return pairs > 0 ? (tolerated * (sum / pairs)) ** 2 : 0;
}

const takePoints = (points: Float32Array, columns: number, indices: ArrayLike<number>) => {
  const data = new Float32Array(indices.length * columns);
  for (let i = 0; i < indices.length; i++) {
    const k = indices[i] as number;
    data.set(points.subarray(k * columns, (k + 1) * columns), i * columns);
  }
  return { data, shape: [indices.length, columns] as const };
};

/** The index of a head with moved points: updated, or rebuilt if most points have moved far. */
async function moved(kept: Kept, next: Snapshot): Promise<Kept> {
  const { index, now, built: origin, reach } = kept;
  const { data, columns, space } = next;
  if (now.columns !== columns || now.data.length !== data.length) return built(index, next);
  const indices: number[] = [];
  let far = 0;
  for (let at = 0; at < data.length; at += columns) {
    if (gap(now, next, at) === 0) continue;
    indices.push(at / columns);
    if (gap(origin, next, at) > reach) far++;
  }
  if (2 * far * columns > data.length) return built(index, next);
  if (indices.length > 0) {
    const { data: some, shape } = takePoints(data, columns, indices);
    await index.update(indices, { data: intoSpace(space, some), shape });
  }
  return { ...kept, now: next };
}

/** Squared distance of one point between two snapshots. */
function gap(a: Snapshot, b: Snapshot, at: number): number {
  const [f, g] = [a.space.factors, b.space.factors];
  let sum = 0;
  for (let j = 0; j < a.columns; j++) {
    const x = f ? (a.data[at + j] as number) * (f[j] as number) : (a.data[at + j] as number);
    const y = g ? (b.data[at + j] as number) * (g[j] as number) : (b.data[at + j] as number);
    sum += (x - y) * (x - y);
  }
  return sum;
}

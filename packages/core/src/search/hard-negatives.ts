// Hard negatives by an index: the classes of the prototypes nearest to the rows of a batch, for sampled gradient steps. The index
// belongs to the trainer and follows its steps. If it misses a neighbour, a step samples another class; no number is wrong.

import type { NdArray } from '../dtype.js';
import type { Batch } from '../state/batch.js';
import type { PrototypeIndex } from '../state/prototype-index.js';
import type { Context } from '../training/context.js';
import type { HardNegativeSearch } from '../training/sampled-trainer.js';
import { mostRivals, type Rivals } from '../training/sampling.js';
import type { GridSpec } from '../training/spec.js';
import { canSearch, fewest, keeperFor, unlessRefused } from './serving.js';
import { intoSpace, type Space, spaceOf } from './space.js';

type Arrays = Readonly<Record<string, NdArray>>;

export class HardNegatives implements HardNegativeSearch {
  private readonly index: PrototypeIndex;
  private readonly owners: ArrayLike<number>;
  private readonly columns: number;
  /**
   * The space of the metric at the start of training. Later changes of the metric change the order of neighbours little, but would
   * move all points at once.
   */
  private readonly space: Space;

  private constructor(index: PrototypeIndex, spec: GridSpec, owners: ArrayLike<number>, space: Space) {
    this.index = index;
    this.columns = spec.columns;
    this.owners = owners;
    this.space = space;
  }

  /** Null if the options do not search a grid of this size, or no class has other classes as negatives. */
  static async create(context: Context, spec: GridSpec, arrays: Arrays): Promise<HardNegatives | null> {
    const keeper = keeperFor(context, 'rivals', spec.prototypes);
    const { index: factory } = context.options;
    if (!keeper || !factory || !spec.head.rival || spec.heads > 1 || spec.masked) return null;
    const { data } = arrays.prototypes as NdArray;
    const space = spaceOf(spec.distance, arrays.featureWeights, 0);
    return unlessRefused(context, keeper, async () => {
      const index = factory({ distance: spec.distance });
      const shape = [spec.prototypes, spec.columns] as const;
      await index.build({ data: intoSpace(space, data as Float32Array), shape });
      return new HardNegatives(index, spec, (arrays.owners as NdArray).data, space);
    });
  }

  /** Notes the classes near each row, the nearest last. */
  async note({ x, y, mask }: Batch, rivals: Rivals): Promise<void> {
    if (!canSearch(x, mask) || !('data' in y)) return;
    const data = intoSpace(this.space, x.data.subarray(0, x.rows * x.columns));
    const { indices, shape } = await this.index.search({ data, shape: [x.rows, x.columns] }, fewest);
    for (let row = 0; row < x.rows; row++) {
      const own = y.data[row] as number;
      const near = new Set<number>();
      for (let i = row * shape[1]; i < (row + 1) * shape[1] && near.size < mostRivals; i++) {
        const k = indices[i] as number;
        if (k >= 0 && this.owners[k] !== own) near.add(this.owners[k] as number);
      }
      for (const rival of [...near].reverse()) rivals.note(own, rival);
    }
  }

  /** Follows a step that moved the prototypes at these indices to the first rows of `moved`. */
  async follow(indices: Int32Array, moved: Float32Array): Promise<void> {
    const data = intoSpace(this.space, moved.subarray(0, indices.length * this.columns));
    await this.index.update(indices, { data, shape: [indices.length, this.columns] });
  }

  dispose(): void {
    this.index.dispose();
  }
}

// Rows that stay on the device: a set from which steps pick rows by index, and blocks that are read again and again.

import { isSparse } from '../data/sparse.js';
import type { Value } from '../graph/backend.js';
import { BATCH } from '../graph/ir.js';
import { gather } from '../graph/ops.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import type { Batch } from '../state/batch.js';
import { disposeAll, uploadBlock } from './phase1.js';
import { type Programs, runOnce } from './program.js';

type Values = Record<string, Value>;

/** Most numbers kept on a device: a binding of 128 MB, which every GPU has. */
const mostNumbers = 2 ** 25;

/** Numbers in a batch below which an upload is faster than the kernels that gather it. */
const leastPicked = 2 ** 17;

/** Whether rows may stay on the device. Backends with host memory need no copy. */
const mayStay = ({ backend }: Programs, { x, y, mask }: Batch): boolean =>
  backend.flags.memory === 'device' &&
  !isSparse(x) &&
  !isSparse(y) &&
  x.rows * Math.max(x.columns, y.columns) <= mostNumbers &&
  mask?.rows !== 1;

/** The same values as results of a graph: some backends keep uploads on the host until they are used, and afterwards too. */
async function placed(programs: Programs, values: Values): Promise<Values> {
  const entries: [string, Value][] = [];
  try {
    for (const [name, { shape, dtype }] of Object.entries(values)) {
      const spec = { shape: [BATCH, ...shape.slice(1)], dtype };
      const program = await programs.get(`place ${dtype} ${shape.slice(1)}`, () =>
        trace('place', { x: spec }, ({ x }) => ({ x })),
      );
      const { x } = await program.run({ x: values[name] as Value });
      entries.push([name, x as Value]);
    }
  } finally {
    disposeAll(values);
  }
  return Object.fromEntries(entries);
}

/** A set of rows on the device. */
export class ResidentRows {
  private readonly programs: Programs;
  private rows: Batch | undefined;
  private readonly blocks = new Map<number, Values>();

  constructor(programs: Programs) {
    this.programs = programs;
  }

  /** Rows `begin` … `end` − 1 under the input names of the graphs, kept here; null if they cannot stay. */
  async block(rows: Batch, begin: number, end: number): Promise<Values | null> {
    if (!mayStay(this.programs, rows)) return null;
    if (this.rows !== rows) this.dispose();
    this.rows = rows;
    let values = this.blocks.get(begin);
    if (!values) {
      values = await placed(this.programs, uploadBlock(this.programs, rows, begin, end));
      this.blocks.set(begin, values);
    }
    return values;
  }

  /** The rows at these indices, which the caller frees; null if the set cannot stay, or the batch is small. */
  async pick(rows: Batch, order: Uint32Array): Promise<Values | null> {
    const { programs } = this;
    const few = order.length * rows.x.columns < leastPicked;
    const all = few ? null : await this.block(rows, 0, rows.x.rows);
    if (!all) return null;
    const shapes = Object.entries(all).map(([name, { shape }]) => `${name} ${shape}`);
    const program = await programs.get(`pick ${shapes}`, () => {
      const specs: Record<string, TensorSpec> = { order: { shape: [BATCH], dtype: 'int32' } };
      for (const [name, { shape, dtype }] of Object.entries(all)) specs[name] = { shape, dtype };
      return trace('pick', specs, ({ order: at, ...t }: Readonly<Record<string, Tensor>>) =>
        Object.fromEntries(Object.entries(t).map(([name, x]) => [name, gather(x, at as Tensor)])),
      );
    });
    const indices = programs.upload({ data: Int32Array.from(order), shape: [order.length], dtype: 'int32' });
    return runOnce(program, all, { order: indices });
  }

  dispose(): void {
    for (const values of this.blocks.values()) disposeAll(values);
    this.blocks.clear();
    this.rows = undefined;
  }
}

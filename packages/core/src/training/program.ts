// Graphs by name: traced once, compiled once, run with named values.

import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { GraphError } from '../errors.js';
import type { Backend, Executable, Value } from '../graph/backend.js';
import { BATCH, type Graph } from '../graph/ir.js';
import { simplify } from '../graph/simplify.js';

export type Feeds = Readonly<Record<string, Value>>;

/** A compiled graph, called with named inputs. */
export class Program {
  readonly executable: Executable;
  private readonly inputs: Graph['inputs'];
  private readonly outputs: readonly string[];

  constructor(executable: Executable, graph: Graph) {
    this.executable = executable;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs.map((port) => port.name);
  }

  /** Runs with the feeds that the graph needs; others are ignored. */
  async run(feeds: Feeds): Promise<Record<string, Value>> {
    const values = this.inputs.map(({ name }) => {
      const value = feeds[name];
      if (!value) throw new GraphError(`input ${name} was not fed.`);
      return value;
    });
    const results = await this.executable.run(values);
    const named: Record<string, Value> = {};
    this.outputs.forEach((name, i) => {
      named[name] = results[i] as Value;
    });
    return named;
  }

  /** Whether the graph reads one of these arrays, with its name and shape. */
  reads(arrays: Arrays): boolean {
    return this.inputs.some(({ name, variable: { shape } }) => {
      const array = arrays[name];
      return array !== undefined && !shape.includes(BATCH) && sameShape(shape, array.shape);
    });
  }
}

type Arrays = Readonly<Record<string, NdArray>>;

const sameShape = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** Number of programs that hold an executable: several models on a backend may share it. */
const holders: WeakMap<Executable, number> = /* @__PURE__ */ new WeakMap();

const hold = (executable: Executable, by: 1 | -1): number => {
  const count = (holders.get(executable) ?? 0) + by;
  holders.set(executable, count);
  return count;
};

/** Most programs of a model at a time; a fit or a finetune takes about ten. */
const mostPrograms = 64;

/**
 * The programs of one model on its backend, each built at its first use. A dropped program releases its executable if no other
 * model holds it; a call still using it can continue, since a released executable compiles again.
 */
export class Programs {
  readonly backend: Backend;
  /** In order of last use, the oldest first. */
  private readonly built = new Map<string, Promise<Program>>();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** `key` has to name everything that `build` depends on. */
  get(key: string, build: () => Graph): Promise<Program> {
    const known = this.built.get(key);
    const program = known ?? this.build(build);
    this.built.delete(key);
    this.built.set(key, program);
    if (known) return known;
    program.catch(() => this.built.delete(key));
    for (const oldest of this.built.keys()) {
      if (this.built.size <= mostPrograms) break;
      void this.drop(oldest);
    }
    return program;
  }

  /** Drops the programs of grids of another shape. Programs that read other arrays under the same names stay. */
  async leave(before: Arrays, now: Arrays): Promise<void> {
    const changed = Object.entries(before).filter(
      ([name, { shape }]) => now[name] && !sameShape(shape, now[name].shape),
    );
    if (changed.length === 0) return;
    await this.dropWhere((program) => program.reads(Object.fromEntries(changed)));
  }

  /** Drops all programs. */
  dispose(): Promise<void> {
    return this.dropWhere(() => true);
  }

  private async build(build: () => Graph): Promise<Program> {
    const graph = simplify(build());
    const executable = await this.backend.compile(graph);
    hold(executable, 1);
    return new Program(executable, graph);
  }

  private async dropWhere(goes: (program: Program) => boolean): Promise<void> {
    for (const [key, building] of [...this.built]) {
      const program = await building.catch(() => undefined);
      if (program && goes(program)) await this.drop(key);
    }
  }

  private async drop(key: string): Promise<void> {
    const building = this.built.get(key);
    this.built.delete(key);
    const program = await building?.catch(() => undefined);
    if (program && hold(program.executable, -1) === 0) program.executable.release?.();
  }

  upload(array: NdArray): Value {
    return this.backend.upload(array);
  }
}

/** Uploads rows begin … end − 1; dense ones without a copy. */
export const uploadRows = (programs: Programs, rows: Features, begin = 0, end: number = rows.rows): Value =>
  programs.upload({
    data: denseRows(rows, begin, end).data,
    shape: [end - begin, rows.columns],
    dtype: 'float32',
  });

/** The mask of rows begin … end − 1; one row serves all rows. */
export const uploadMask = (programs: Programs, mask: Rows, begin: number, end: number): Value =>
  mask.rows === 1
    ? uploadRows(programs, repeatMask(mask, end - begin))
    : uploadRows(programs, mask, begin, end);

/** Uploads, runs, and frees the uploads. */
export async function runOnce(
  program: Program,
  feeds: Feeds,
  uploads: Readonly<Record<string, Value>>,
): Promise<Record<string, Value>> {
  try {
    return await program.run({ ...feeds, ...uploads });
  } finally {
    for (const value of Object.values(uploads)) value.dispose();
  }
}

/** Reads a value to the host and frees it. */
export async function readAndFree(value: Value): Promise<NdArray> {
  const data = await (value.take?.() ?? value.read());
  value.dispose();
  return { data, shape: value.shape, dtype: value.dtype };
}

// Graphs by name: traces once, compiles once, and runs with named values.

import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { GraphError } from '../errors.js';
import type { Backend, Executable, Value } from '../graph/backend.js';
import { BATCH, type Graph } from '../graph/ir.js';
import { simplify } from '../graph/simplify.js';

export type Feeds = Readonly<Record<string, Value>>;

/** A compiled graph that is called by the names of its inputs. */
export class Program {
  readonly executable: Executable;
  private readonly inputs: Graph['inputs'];
  private readonly outputs: readonly string[];

  constructor(executable: Executable, graph: Graph) {
    this.executable = executable;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs.map((port) => port.name);
  }

  /** Runs with the feeds it needs; others are left alone. */
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

  /** Whether it reads one of these arrays in another shape. */
  readsOther(arrays: Arrays): boolean {
    return this.inputs.some(({ name, variable: { shape } }) => {
      const array = arrays[name];
      return array !== undefined && !shape.includes(BATCH) && !sameShape(shape, array.shape);
    });
  }
}

type Arrays = Readonly<Record<string, NdArray>>;

const sameShape = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** How many programs hold an executable, which several models on one backend may share. */
const holders: WeakMap<Executable, number> = /* @__PURE__ */ new WeakMap();

const hold = (executable: Executable, by: 1 | -1): number => {
  const count = (holders.get(executable) ?? 0) + by;
  holders.set(executable, count);
  return count;
};

/** Programs that a model knows at a time: a fit or a finetune takes about ten. */
const mostPrograms = 64;

/**
 * Programs of one model on its backend, each built at its first use. One that goes gives its memory back where no other model holds
 * the graph; whoever is still at work with it can go on, for what was released compiles again.
 */
export class Programs {
  readonly backend: Backend;
  /** The least recently used first. */
  private readonly built = new Map<string, Promise<Program>>();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** `key` names everything that `build` depends on. */
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

  /** Drops the programs that a grid of another shape has left behind. */
  async leave(before: Arrays, now: Arrays): Promise<void> {
    const names = Object.keys(now).filter((name) => before[name]);
    if (names.every((name) => sameShape(before[name]?.shape ?? [], now[name]?.shape ?? []))) return;
    await this.dropWhere((program) => program.readsOther(now));
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

/** Rows begin … end − 1, uploaded; dense ones without a copy. */
export const uploadRows = (programs: Programs, rows: Features, begin = 0, end: number = rows.rows): Value =>
  programs.upload({
    data: denseRows(rows, begin, end).data,
    shape: [end - begin, rows.columns],
    dtype: 'float32',
  });

/** What a mask says of rows begin … end − 1, where one row of it serves all. */
export const uploadMask = (programs: Programs, mask: Rows, begin: number, end: number): Value =>
  mask.rows === 1
    ? uploadRows(programs, repeatMask(mask, end - begin))
    : uploadRows(programs, mask, begin, end);

/** Uploads, runs, and frees the uploads again. */
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

// Graphs by name: traces once, compiles once, and runs with named values.

import type { Backend, Executable, Value } from '../backend.js';
import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { GraphError } from '../errors.js';
import type { Graph } from '../graph/ir.js';
import { simplify } from '../graph/simplify.js';

export type Feeds = Readonly<Record<string, Value>>;

/** A compiled graph that is called by the names of its inputs. */
export class Program {
  private readonly executable: Executable;
  private readonly inputs: readonly string[];
  private readonly outputs: readonly string[];

  constructor(executable: Executable, graph: Graph) {
    this.executable = executable;
    this.inputs = graph.inputs.map((port) => port.name);
    this.outputs = graph.outputs.map((port) => port.name);
  }

  /** Runs with the feeds it needs; others are left alone. */
  async run(feeds: Feeds): Promise<Record<string, Value>> {
    const values = this.inputs.map((name) => {
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
}

/** Programs of one backend, each built at its first use. */
export class Programs {
  readonly backend: Backend;
  private readonly built = new Map<string, Promise<Program>>();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** `key` names everything that `build` depends on. */
  get(key: string, build: () => Graph): Promise<Program> {
    let program = this.built.get(key);
    if (!program) {
      program = (async () => {
        const graph = simplify(build());
        return new Program(await this.backend.compile(graph), graph);
      })();
      this.built.set(key, program);
      program.catch(() => this.built.delete(key));
    }
    return program;
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
export async function take(value: Value): Promise<NdArray> {
  const data = await (value.take?.() ?? value.read());
  value.dispose();
  return { data, shape: value.shape, dtype: value.dtype };
}

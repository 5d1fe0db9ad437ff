// The compiled graphs of a backend: each graph is compiled once, a limited number is held, none is freed during a run, and all are
// freed with the backend.

import { checkOptions, either, oneOf, positiveInteger, type Rule } from '../checked-options.js';
import { StateError } from '../errors.js';
import type { Executable, Value } from './backend.js';
import type { Graph } from './ir.js';
import { Pool } from './pool.js';
import { graphKey } from './print.js';

/** Default number of compiled graphs that a backend holds. */
export const defaultMaxGraphs = 64;

/** The rule of the option `maxGraphs`. */
export const graphsRule: Rule = /* @__PURE__ */ either(
  positiveInteger,
  /* @__PURE__ */ oneOf(Number.POSITIVE_INFINITY),
);

/** A compiled graph of the backend. */
export interface Compiled {
  run(inputs: readonly Value[]): Promise<Value[]>;
  dispose(): void | Promise<void>;
}

export interface CompiledGraphsOptions {
  /** Number of compiled graphs held at a time: a positive integer or Infinity. Default 64. */
  readonly maxGraphs?: number | undefined;
  /** Name of the function that creates the backend, which starts errors about `maxGraphs`. */
  readonly maker: string;
  /** Name of the backend in errors, such as 'tfjs wasm'. */
  readonly name: string;
  /** The package named in errors. */
  readonly scope: string;
  compile(graph: Graph): Promise<Compiled>;
}

interface Held {
  readonly compiled: Compiled;
  readonly executable: Executable;
}

export class CompiledGraphs {
  private readonly options: CompiledGraphsOptions;
  private readonly pool: Pool<Held>;
  private disposed = false;

  /** Errors: OptionError. */
  constructor(options: CompiledGraphsOptions) {
    const { maxGraphs = defaultMaxGraphs, maker, scope } = options;
    checkOptions({ maxGraphs }, { maxGraphs: graphsRule }, { call: maker, scope });
    this.options = options;
    this.pool = new Pool(maxGraphs, ({ compiled }) => compiled.dispose());
  }

  /** Errors: StateError once disposed. */
  expectAlive(call: string): void {
    if (!this.disposed) return;
    const { name, scope } = this.options;
    throw new StateError(`${call}: this backend (${name}) was disposed; make another one.`, { name }, scope);
  }

  /** Errors: those of the backend's `compile`; StateError. */
  async compile(graph: Graph): Promise<Executable> {
    this.expectAlive('compile');
    const key = graphKey(graph);
    let alive = true;
    const run = async (inputs: readonly Value[]): Promise<Value[]> => {
      if (!alive) {
        throw new StateError(
          `${graph.name}: this executable was disposed; compile it again.`,
          {},
          this.options.scope,
        );
      }
      this.expectAlive(graph.name);
      return this.pool.use(key, make, ({ compiled }) => compiled.run(inputs));
    };
    const executable: Executable = {
      run,
      release: () => this.pool.drop(key),
      dispose: () => {
        if (alive) this.pool.drop(key);
        alive = false;
      },
    };
    const make = async (): Promise<Held> => ({ compiled: await this.options.compile(graph), executable });
    const held = await this.pool.use(key, make, (it) => it.executable);
    this.expectAlive('compile');
    return held;
  }

  /** Refuses new calls, waits for runs, and frees every graph. A second call waits for the first. */
  dispose(): Promise<void> {
    this.disposed = true;
    return this.pool.close();
  }
}

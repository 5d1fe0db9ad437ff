// The reference backend with a count of the graphs that it holds, for this package's tests only.

import { disposing } from '../disposal.js';
import type { Backend } from '../graph/backend.js';
import { CompiledGraphs } from '../graph/compiled-graphs.js';
import { jsBackend } from './js-backend.js';

export interface Counted {
  readonly backend: Backend;
  /** Names of the graphs that it holds. */
  readonly live: readonly string[];
  /** How often a graph was compiled. */
  readonly compiled: number;
}

export function countedBackend(maxGraphs?: number): Counted {
  const js = jsBackend({ maxGraphs: Number.POSITIVE_INFINITY });
  const live: string[] = [];
  let compiled = 0;
  const graphs = new CompiledGraphs({
    maxGraphs,
    maker: 'countedBackend',
    name: 'counted',
    scope: 'core',
    compile: async (graph) => {
      const executable = await js.compile(graph);
      compiled++;
      live.push(graph.name);
      return {
        run: (inputs) => executable.run(inputs),
        dispose: () => void live.splice(live.indexOf(graph.name), 1),
      };
    },
  });
  const backend = disposing<Backend>({
    ...js,
    upload: (array) => {
      graphs.expectAlive('upload');
      return js.upload(array);
    },
    compile: (graph) => graphs.compile(graph),
    dispose: () => graphs.dispose(),
  });
  return {
    backend,
    live,
    get compiled() {
      return compiled;
    },
  };
}

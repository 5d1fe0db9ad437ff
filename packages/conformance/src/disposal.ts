// Checks what the contract promises of disposal: nothing is freed during a run, and disposed objects report it alike on all
// backends.

import { type Backend, type Graph, isFkmError, type Value } from '@fkm/core/graph';
import { expect } from 'vitest';
import type { Check } from './contract.js';
import { expectOutputs, failure, layer, layerInputs, negate, random, upload } from './contract-graphs.js';

/** Errors: if the call does not reject with a StateError that says `disposed`. */
async function refused(call: () => unknown): Promise<void> {
  const error = await failure((async () => call())());
  expect(isFkmError(error) && error.kind).toBe('state');
  expect(error.message).toContain('disposed');
}

const rows = 40;

/** A backend that has run a graph once and runs it again. */
async function running(make: () => Promise<Backend>) {
  const backend = await make();
  const executable = await backend.compile(layer());
  const inputs = layerInputs(rows);
  const values = upload(backend, inputs);
  for (const value of await executable.run(values)) value.dispose();
  return { backend, executable, inputs, values, run: executable.run(values) };
}

export const disposal: readonly Check[] = [
  {
    key: 'a disposed backend refuses uploads, graphs and runs with a StateError',
    run: async (_, __, make) => {
      const { backend, executable, values, run } = await running(make);
      await run;
      await backend.dispose();
      await refused(() => backend.upload(random('late', 2, 4)));
      await refused(() => backend.compile(negate()));
      await refused(() => executable.run(values));
    },
  },
  {
    key: 'a backend that is disposed of waits for its runs, whose values can be read',
    run: async (reference, precision, make) => {
      const { backend, inputs, executable, values, run } = await running(make);
      let ended = false;
      const outputs = run.finally(() => {
        ended = true;
      });
      const disposing = backend.dispose();
      await refused(() => executable.run(values));
      await disposing;
      expect(ended).toBe(true);
      await expectOutputs(reference, layer(), inputs, await outputs, precision);
      for (const value of [...values, ...(await outputs)]) value.dispose();
    },
  },
  {
    key: 'an executable that is disposed of ends its runs, and refuses later ones with a StateError',
    run: async (reference, precision, make) => {
      const { backend, inputs, executable, values, run } = await running(make);
      executable.dispose();
      await refused(() => executable.run(values));
      await expectOutputs(reference, layer(), inputs, await run, precision);
      await backend.dispose();
    },
  },
  {
    key: 'an executable that is released ends its runs, and runs again',
    run: async (reference, precision, make) => {
      const { backend, inputs, executable, values, run } = await running(make);
      executable.release?.();
      const again: Promise<Value[]> = executable.run(values);
      executable.release?.();
      for (const outputs of [run, again, executable.run(values)])
        await expectOutputs(reference, layer(), inputs, await outputs, precision);
      await backend.dispose();
    },
  },
  {
    key: 'a graph that is compiled while the backend is disposed of is refused with a StateError',
    run: async (_, __, make) => {
      const backend = await make();
      const compiling = [layer(), negate()].map((graph: Graph) => refused(() => backend.compile(graph)));
      await Promise.all([backend.dispose(), ...compiling]);
    },
  },
  {
    key: 'using and await using dispose of a backend',
    run: async (_, __, make) => {
      const [first, second] = [await make(), await make()];
      await first[Symbol.asyncDispose]();
      second[Symbol.dispose]();
      for (const backend of [first, second]) await refused(() => backend.compile(negate()));
    },
  },
];

// The suite about itself: keys are unique, gaps are honest, and a backend that computes wrongly fails.

import { jsBackend } from '@fkm/core';
import {
  type Backend,
  BackendError,
  type DType,
  type Graph,
  isOp,
  type OpName,
  type Value,
  vjp,
} from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { opCases } from './cases/index.js';
import { usualPrecision } from './compare.js';
import { checkGaps, describeBackend, suites } from './describe.js';

const make = async (): Promise<Backend> => jsBackend();
const checks = Object.values(suites()).flat();
const failures = async (backend: Backend, keys: (key: string) => boolean): Promise<string[]> => {
  const failed: string[] = [];
  for (const { key, run } of checks.filter((check) => keys(check.key))) {
    await run(backend, usualPrecision, make).catch(() => failed.push(key));
  }
  return failed;
};

/** The reference, with what it gives passed through `spoil`. */
function spoiled(spoil: (values: Value[], graph: Graph) => Value[]): Backend {
  const backend = jsBackend();
  return {
    ...backend,
    async compile(graph) {
      const executable = await backend.compile(graph);
      return { ...executable, run: async (inputs) => spoil(await executable.run(inputs), graph) };
    },
  };
}

const isTyped =
  (dtype: DType) =>
  (key: string): boolean =>
    key.startsWith('add ') && key.includes(dtype);

describe('the table', () => {
  it('has a case for every op', () => {
    const covered = new Set<OpName>(opCases().map(({ op }) => op));
    covered.add('composite');
    expect([...covered].sort()).toEqual((Object.keys(vjp) as OpName[]).sort());
  });

  it('names its op truly', () => {
    for (const { op, graph, key } of opCases()) {
      expect(
        graph.equations.some((equation) => isOp(equation, op)),
        key,
      ).toBe(true);
    }
  });

  it('has one key a check', () => {
    expect(new Set(checks.map(({ key }) => key)).size).toBe(checks.length);
  });
});

describe('known gaps', () => {
  const keys = new Set(['add float32 [B,3]+[3]']);

  it('refuses a key that no check has', () => {
    expect(() => checkGaps({ 'add float33': 'why' }, keys)).toThrow('no check is called "add float33"');
    expect(() => describeBackend('x', make, { knownGaps: { nothing: 'why' } })).toThrow('no check is called');
  });

  it('refuses an empty reason', () => {
    expect(() => checkGaps({ 'add float32 [B,3]+[3]': ' ' }, keys)).toThrow('needs a reason');
  });

  it('takes a key with a reason', () => {
    expect(() => checkGaps({ 'add float32 [B,3]+[3]': 'hardware' }, keys)).not.toThrow();
  });
});

describe('a backend that is wrong', () => {
  const swap = (change: (value: Value) => Partial<Value>): Backend =>
    spoiled((values) =>
      values.map((value) => ({
        shape: value.shape,
        dtype: value.dtype,
        read: () => value.read(),
        dispose: () => value.dispose(),
        ...change(value),
      })),
    );
  const nudge = (by: number): Backend =>
    swap((value) => ({
      async read() {
        const data = await value.read();
        if (data.length > 0) data[0] = (data[0] as number) + by;
        return data;
      },
    }));
  const hasRows = (key: string): boolean => !key.includes('B=0');

  for (const dtype of ['float32', 'int32'] as const) {
    const keys = checks.map(({ key }) => key).filter(isTyped(dtype));
    it(`fails where the first number of ${dtype} is off`, async () => {
      const wanted = keys.filter((key) => hasRows(key) && !key.includes('special'));
      expect(wanted.length).toBeGreaterThan(3);
      expect(await failures(nudge(1), (key) => wanted.includes(key))).toEqual(wanted);
    });
    it(`fails where the shape of ${dtype} is off`, async () => {
      const backend = swap((value) => ({ shape: [...value.shape, 1] }));
      expect(await failures(backend, isTyped(dtype))).toEqual(keys);
    });
    it(`fails where ${dtype} is called another dtype`, async () => {
      const backend = swap((value) => ({ dtype: value.dtype === 'bool' ? 'int32' : 'bool' }));
      expect(await failures(backend, isTyped(dtype))).toEqual(keys);
    });
  }

  it('fails where one dtype is missing without a word, and passes where it says so', async () => {
    const flags = { ...jsBackend().flags, dtypes: ['float32', 'int32', 'bool'] as const };
    const keys = checks.map(({ key }) => key).filter(isTyped('bfloat16'));
    expect(await failures({ ...jsBackend(), flags }, isTyped('bfloat16'))).toEqual(keys);
    const honest: Backend = {
      ...jsBackend(),
      flags,
      unsupported: () => 'bfloat16 has no kernels here',
      compile: async () => Promise.reject(new BackendError('bfloat16 has no kernels here.')),
    };
    expect(await failures(honest, isTyped('bfloat16'))).toEqual([]);
  });

  it('fails where infinities have the wrong sign', async () => {
    const backend = swap((value) => ({
      read: async () =>
        (await value.read()).map((x) => (Math.abs(x) === Number.POSITIVE_INFINITY ? -x : x)) as never,
    }));
    expect(await failures(backend, (key) => key === 'div float32 [7,1]+[1,7] special values')).toHaveLength(
      1,
    );
  });

  it('fails where an executable is compiled anew each time', async () => {
    const backend: Backend = { ...jsBackend(), compile: (graph) => jsBackend().compile(graph) };
    expect(await failures(backend, (key) => key.includes('one executable'))).toEqual([
      'the same graph, traced twice, is one executable',
      'compiling one graph twice at the same time gives one executable',
    ]);
  });

  it('fails where read hands out its own memory', async () => {
    const backend = swap((value) => {
      const once = value.read();
      return { read: () => once };
    });
    expect(await failures(backend, (key) => key === 'read gives a copy each time')).toHaveLength(1);
  });
});

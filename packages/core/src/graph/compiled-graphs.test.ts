import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { countedBackend } from '../reference/counted.js';
import { jsBackend } from '../reference/js-backend.js';
import type { Graph } from './ir.js';
import { add } from './ops.js';
import { trace } from './trace.js';

const plus = (n: number): Graph =>
  trace(`plus ${n}`, { x: { shape: [2], dtype: 'float32' } }, ({ x }) => ({ y: add(x, n) }));

describe('maxGraphs', () => {
  it('is how many graphs are held; the one that ran longest ago goes, and compiles again when it runs', async () => {
    const counted = countedBackend(2);
    const { backend, live } = counted;
    const value = backend.upload(ndarray([1, 2], [2]));
    const executables = [];
    for (const n of [1, 2, 3]) executables.push(await backend.compile(plus(n)));
    expect(live).toEqual(['plus 2', 'plus 3']);
    for (const [i, executable] of executables.entries()) {
      const [y] = await executable.run([value]);
      expect(Array.from((await y?.read()) ?? [])).toEqual([2 + i, 3 + i]);
      expect(live).toHaveLength(2);
    }
    expect(live).toEqual(['plus 2', 'plus 3']);
    expect(counted.compiled).toBe(6);
    // What was held all the time is still the same executable.
    expect(await backend.compile(plus(3))).toBe(executables[2]);
  });

  it('bounds graphs of runs at the same time once they have ended', async () => {
    const { backend, live } = countedBackend(2);
    const value = backend.upload(ndarray([1, 2], [2]));
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => backend.compile(plus(n))));
    const answers = await Promise.all(all.map(async (one) => (await one.run([value]))[0]?.read()));
    expect(answers.map((y) => y?.[0])).toEqual([2, 3, 4, 5, 6]);
    expect(live).toHaveLength(2);
  });

  it.each([0, -1, 1.5, Number.NaN, '8', null])('refuses %s', (maxGraphs) => {
    expect(() => jsBackend({ maxGraphs: maxGraphs as number })).toThrow(
      `jsBackend: maxGraphs is ${typeof maxGraphs === 'string' ? `'${maxGraphs}'` : maxGraphs}; allowed is a positive integer or Infinity.`,
    );
  });

  it.each([undefined, Number.POSITIVE_INFINITY, 1])('takes %s', (maxGraphs) => {
    expect(jsBackend({ maxGraphs }).name).toBe('js');
  });
});

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { FkmError, ShapeError, StateError } from '../errors.js';
import { jsBackend } from '../reference/js-backend.js';
import { bindRows } from './evaluate.js';
import { BATCH } from './ir.js';
import { add, neg } from './ops.js';
import { trace } from './trace.js';

const graph = trace(
  'pair',
  { features: { shape: [BATCH, 2], dtype: 'float32' }, rows: { shape: [BATCH, 1], dtype: 'float32' } },
  ({ features, rows }) => ({ y: add(features, rows) }),
);
const zeros = (shape: number[], dtype: 'float32' | 'int32' = 'float32'): ReturnType<typeof ndarray> =>
  ndarray(new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0), shape, dtype);

describe('bindRows', () => {
  it('binds the batch axis', () => {
    expect(bindRows(graph, [zeros([7, 2]), zeros([7, 1])])).toBe(7);
    expect(bindRows(graph, [zeros([0, 2]), zeros([0, 1])])).toBe(0);
  });

  it.each([
    [
      'the second number of rows',
      [zeros([7, 2]), zeros([6, 1])],
      'input rows wants float32[B,1], got float32[6,1].',
    ],
    ['a size', [zeros([7, 3]), zeros([7, 1])], 'input features wants float32[B,2], got float32[7,3].'],
    ['a rank', [zeros([7]), zeros([7, 1])], 'input features wants float32[B,2], got float32[7].'],
    [
      'a dtype',
      [zeros([7, 2], 'int32'), zeros([7, 1])],
      'input features wants float32[B,2], got int32[7,2].',
    ],
  ])('refuses %s', (_, inputs, message) => {
    expect(() => bindRows(graph, inputs)).toThrow(ShapeError);
    expect(() => bindRows(graph, inputs)).toThrow(`[fkm/core] pair: ${message}`);
  });

  it('refuses a wrong number of inputs', () => {
    expect(() => bindRows(graph, [zeros([7, 2])])).toThrow('pair wants 2 inputs, got 1.');
  });
});

describe('jsBackend', () => {
  it('says that a value is gone', async () => {
    const value = jsBackend().upload(zeros([1, 2]));
    value.dispose();
    await expect(value.read()).rejects.toThrow(StateError);
  });

  it('keeps float64 between runs at that precision', async () => {
    const backend = jsBackend({ precision: 'float64' });
    const flip = await backend.compile(
      trace('flip', { x: { shape: [1], dtype: 'float32' } }, ({ x }) => ({ y: neg(add(x, 2 ** -40)) })),
    );
    const [first] = await flip.run([backend.upload(zeros([1]))]);
    const [second] = await flip.run([first as never]);
    expect((await second?.read())?.[0]).toBeCloseTo(0, 20);
    expect(await first?.read()).toEqual(Float64Array.of(-(2 ** -40)));
  });

  it('refuses a graph that is malformed', async () => {
    const { equations, ...rest } = graph;
    await expect(jsBackend().compile({ ...rest, equations: equations.slice(1) })).rejects.toThrow(FkmError);
  });
});

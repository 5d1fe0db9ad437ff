import { describe, expect, it } from 'vitest';
import * as errors from './errors.js';

const { FkmError, isFkmError, ShapeError, shown } = errors;

it('each error is a sentence with its package, its kind and its numbers', () => {
  const error = new ShapeError('fit: X has 7 columns, this model was fitted on 8.', {
    columns: 7,
    expected: 8,
  });
  expect(error.message).toBe('[fkm/core] fit: X has 7 columns, this model was fitted on 8.');
  expect(error).toMatchObject({ kind: 'shape', name: 'ShapeError', details: { columns: 7, expected: 8 } });
  expect(error).toBeInstanceOf(FkmError);
  expect(error).toBeInstanceOf(Error);
});

it('names every class after its kind', () => {
  const { FkmError: _, ...classes } = errors;
  const kinds = Object.entries(classes).flatMap(([name, Kind]) => {
    if (!name.endsWith('Error') || name === 'isFkmError') return [];
    const error = new (Kind as typeof ShapeError)('x', {}, 'onnx');
    expect(error.name).toBe(name);
    expect(error.message).toBe('[fkm/onnx] x');
    return [error.kind];
  });
  expect(kinds.sort()).toEqual(['backend', 'data', 'format', 'graph', 'option', 'shape', 'state']);
});

it('isFkmError knows errors of another copy of the package, and nothing else', () => {
  const foreign = Object.defineProperty(new Error('[fkm/core] from elsewhere'), Symbol.for('fkm.error'), {
    value: true,
  });
  expect(foreign).not.toBeInstanceOf(FkmError);
  expect(isFkmError(foreign)).toBe(true);
  expect(isFkmError(new ShapeError('x'))).toBe(true);
  for (const other of [new Error('x'), { kind: 'shape' }, null, undefined, 'fkm.error', 3]) {
    expect(isFkmError(other)).toBe(false);
  }
});

it('the brand is not listed among the fields', () => {
  expect(Object.keys(new ShapeError('x'))).toEqual(['kind', 'details', 'name']);
});

describe('shown', () => {
  class Matrix {}
  it.each([
    ['a text', "'a text'"],
    ['x'.repeat(5_000_000), `'${'x'.repeat(200)}…'`],
    [Number.NaN, 'NaN'],
    [2n ** 64n, '18446744073709551616'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[1, 2], 'an array'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [new Matrix(), 'a value of type Matrix'],
    [new ArrayBuffer(8), 'a value of type ArrayBuffer'],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
  ])('names a value of any kind in at most 200 characters (%#)', (value, text) => {
    expect(shown(value)).toBe(text);
  });
});

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

const { FkmError: _base, ...kinds } = errors;
const classes = Object.entries(kinds).filter(([name]) => name.endsWith('Error') && name !== 'isFkmError');

describe.each(classes)('%s', (_name, Kind) => {
  const messageWith = (value: string): string =>
    new (Kind as typeof ShapeError)(`fit: the model's X is ${value} in row 3; the user's remedy.`).message;

  it.each([
    ['a word', 'x', (text: string) => text],
    ['a text in quotes', 'two words ', (text: string) => `'${text}'`],
    ['a sentence', 'two words ', (text: string) => text],
  ])('quotes at most 200 characters of %s of 5 MB, with both ends of the sentence', (_, part, written) => {
    const message = messageWith(written(part.repeat(Math.ceil(5e6 / part.length))));
    expect(message.length).toBeLessThan(300);
    expect(message).toContain('fit: the model');
    expect(message.endsWith("the user's remedy.")).toBe(true);
  });

  // Shorter than the net under whole messages.
  it.each([
    ['a word', 'x', (text: string) => text],
    ['a text in quotes', 'two words ', (text: string) => `'${text}'`],
  ])('quotes at most 200 characters of %s of 800', (_, part, written) => {
    const message = messageWith(written(part.repeat(800 / part.length)));
    const start = part.repeat(200 / part.length);
    expect(message).toBe(
      `[fkm/core] fit: the model's X is ${written(`${start}…`)} in row 3; the user's remedy.`,
    );
  });

  it('leaves a word alone that was cut, with what follows it', () => {
    const word = errors.cut('x'.repeat(800));
    expect(messageWith(`${word}; and`)).toContain(`${'x'.repeat(200)}…; and in row 3`);
  });

  it('leaves long sentences with apostrophes alone', () => {
    const long = 'words of ours, '.repeat(20);
    expect(messageWith(`'a', the prototypes' ${long} 'b'`)).toContain(`'a', the prototypes' ${long} 'b'`);
  });
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

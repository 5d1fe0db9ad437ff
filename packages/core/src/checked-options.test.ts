import { describe, expect, it } from 'vitest';
import { boolean, checkOptions, either, integer, oneOf, positiveInteger } from './checked-options.js';
import { OptionError } from './errors.js';

const rules = {
  maxIters: positiveInteger,
  tol: integer(0),
  shuffle: boolean,
  device: either(oneOf('cpu', 'wasm'), integer(2, 5)),
};
const check = { call: 'fit', renamed: { passes: 'maxIters' } };
const checked = (options: unknown): object => checkOptions(options as object, rules, check);

it('returns the same object if no name is old', () => {
  const options = { maxIters: 3, tol: undefined, other: undefined };
  expect(checked(options)).toBe(options);
});

it('returns options with old names under their new ones', () => {
  expect(checked({ passes: 3, maxIters: undefined, tol: 0 })).toEqual({ maxIters: 3, tol: 0 });
});

it.each<[string, unknown, string]>([
  ['null', null, 'fit: the options should be an object with maxIters, tol, shuffle, device, got null.'],
  ['a text', 'fast', "fit: the options should be an object with maxIters, tol, shuffle, device, got 'fast'."],
  ['a value', { maxIters: 0 }, 'fit: maxIters is 0; allowed is a positive integer.'],
  ['a type', { shuffle: 'no' }, "fit: shuffle is 'no'; allowed is true or false."],
  [
    'an object',
    { tol: new Date(0) },
    'fit: tol is a value of type Date; allowed is an integer of at least 0.',
  ],
  ['of two kinds', { device: 6 }, "fit: device is 6; allowed is 'cpu', 'wasm' or an integer from 2 to 5."],
  ['an old name', { passes: -1 }, 'fit: passes is -1; allowed is a positive integer.'],
  [
    'an old name beside the new one',
    { passes: 2, maxIters: 2 },
    'fit: passes is the old name of maxIters, which is here too; pass maxIters alone.',
  ],
])('refuses %s', (_, options, message) => {
  expect(() => checked(options)).toThrow(OptionError);
  expect(() => checked(options)).toThrow(`[fkm/core] ${message}`);
});

describe('an unknown option', () => {
  it.each([
    ['maxIter', 'maxIters'],
    ['max_iters', 'maxIters'],
    ['MAXITERS', 'maxIters'],
    ['suffle', 'shuffle'],
    ['tool', 'tol'],
  ])('%s is told the nearest name, %s', (name, near) => {
    expect(() => checked({ [name]: 1 })).toThrow(
      `fit: there is no option ${name}; there are maxIters, tol, shuffle, device. Did you mean ${near}?`,
    );
  });

  it.each(['lr', 'epochs', 'constructor', '__proto__x', 'maxIters'.repeat(100)])(
    '%s is far from all names',
    (name) => {
      expect(() => checked({ [name]: 1 })).toThrow(/there are maxIters, tol, shuffle, device\.$/);
    },
  );

  it('of a call without options', () => {
    expect(() => checkOptions({ tol: 1 }, {}, { call: 'transform', scope: 'data' })).toThrow(
      '[fkm/data] transform: there is no option tol; there are none.',
    );
  });

  it('may be let pass', () => {
    const ignores = (name: string, value: unknown): boolean => name === 'lr' && value === 1;
    expect(checkOptions({ lr: 1 }, rules, { ...check, ignores })).toEqual({ lr: 1 });
    expect(() => checkOptions({ lr: 2 }, rules, { ...check, ignores })).toThrow('there is no option lr');
  });
});

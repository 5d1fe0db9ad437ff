import { expect, it } from 'vitest';
import { Recent } from './recent.js';

it('makes what is not held, and holds what was asked for last', () => {
  const made: string[] = [];
  const recent = new Recent<string, string>(2);
  const ask = (key: string): string =>
    recent.get(key, () => {
      made.push(key);
      return key.toUpperCase();
    });
  expect(['a', 'b', 'a', 'c', 'a', 'b'].map(ask)).toEqual(['A', 'B', 'A', 'C', 'A', 'B']);
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  expect(recent.takeAll()).toEqual(['A', 'B']);
  expect(recent.takeAll()).toEqual([]);
});

it('holds undefined as any other value', () => {
  let made = 0;
  const recent = new Recent<number, undefined>(1);
  for (let i = 0; i < 3; i++) recent.get(7, () => void made++);
  expect(made).toBe(1);
});

import { expect, it } from 'vitest';
import { groupWidth } from './arg-max.js';

it('groups divide the axis and lie near 32 columns', () => {
  expect([64, 96, 128, 256, 400, 1000, 1024, 4096].map(groupWidth)).toEqual([16, 24, 32, 32, 40, 40, 32, 32]);
});

it('narrow axes, and those without a divisor from 8 to 64, stay one search', () => {
  expect([1, 32, 63, 257, 514, 1009].map(groupWidth)).toEqual([null, null, null, null, null, null]);
});

import { expect, it } from 'vitest';
import { LateTimer, latenessOf, ticksDue } from './event-loop.ts';

it('ticksDue counts every tick that a long wait held up', () => {
  expect(ticksDue(4)).toEqual([0]);
  expect(ticksDue(7)).toEqual([2]);
  expect(ticksDue(21)).toEqual([16, 11, 6, 1]);
});

it('latenessOf gives the last of a hundred and the last of all', () => {
  const late = Array.from({ length: 200 }, (_, i) => 199 - i);
  expect(latenessOf(late)).toEqual({ p99: 198, max: 199 });
  expect(latenessOf([])).toEqual({ p99: 0, max: 0 });
});

it('LateTimer sees a loop that is held up before its first tick', () => {
  const timer = new LateTimer();
  const until = performance.now() + 30;
  while (performance.now() < until);
  expect(timer.stop().max).toBeGreaterThanOrEqual(24);
});

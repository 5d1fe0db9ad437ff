import { expect, it } from 'vitest';
import { interleave, timesOf } from './interleave.ts';
import { compare } from './versus.ts';

it('timesOf gives minimum and median, of an even count the mean of the middle two', () => {
  expect(timesOf([5, 1, 3])).toEqual({ min: 1, median: 3 });
  expect(timesOf([4, 1, 3, 10])).toEqual({ min: 1, median: 3.5 });
});

it('interleave leaves the first round out and turns the order of every other one', async () => {
  const ran: string[] = [];
  const side = (name: string) => async () => ran.push(name);
  const times = await interleave({ a: side('a'), b: side('b') }, 2);
  expect(ran.join('')).toBe('baabba');
  expect(times).toEqual({ a: { min: 3, median: 4.5 }, b: { min: 4, median: 4.5 } });
});

it('compare gives a ratio an opponent, and our own time where there is none', () => {
  const ours = { min: 2, median: 4 };
  const versus = { ours, theirs: [{ name: 'other', times: { min: 6, median: 6 } }] };
  expect(compare(versus, { case: 'x' }, 2)).toEqual([
    {
      case: 'x',
      against: 'other',
      ratio: 1.5,
      ratioOfMinima: 3,
      milliseconds: 2,
      minMilliseconds: 1,
      theirMilliseconds: 3,
      theirMinMilliseconds: 3,
    },
  ]);
  expect(compare({ ours, theirs: [] }, { case: 'x' })).toEqual([
    { case: 'x', metric: 'milliseconds', value: 4, min: 2 },
  ]);
});

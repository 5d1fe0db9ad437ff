import { expect, it, onTestFinished, vi } from 'vitest';
import { comparison, firstPredictions, timed } from './report.ts';

it('repeats until enough time has passed, and keeps the fastest run', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const milliseconds = [30, 5, 30, 30];
  let runs = 0;
  const work = async (): Promise<number> => {
    vi.advanceTimersByTime(milliseconds[runs] as number);
    return ++runs;
  };
  expect(await timed(work, { atLeast: 0.05 })).toEqual({ result: 3, seconds: 0.005 });
});

it('prints tables', () => {
  const truth = Float32Array.of(1000, 2000, 300);
  const predicted = Float32Array.of(1100, 1900, -100);
  const contender = {
    name: 'A',
    predicted,
    score: 0.98765,
    keeps: '4 prototypes',
    bytes: 12345,
    seconds: 0.0009,
  };
  expect(comparison(truth, [contender])).toMatchInlineSnapshot(`
    "                                     A
    R² on the held-out rows         0.9877
    mean absolute error               $200
    keeps                     4 prototypes
    bytes                           12,345
    predictions per second           3,330"
  `);
  expect(firstPredictions(truth, predicted, 3)).toMatchInlineSnapshot(`
    "                     predicted   true price
    held-out diamond 1      $1,100       $1,000
    held-out diamond 2      $1,900       $2,000
    held-out diamond 3       −$100         $300"
  `);
});

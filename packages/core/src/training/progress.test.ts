import { expect, it } from 'vitest';
import { inTurns } from './progress.js';

function* parts(done: number[]): Generator<undefined, string, undefined> {
  for (let part = 0; part < 3; part++) {
    done.push(part);
    yield;
  }
  return 'whole';
}

it('inTurns gives the result of work in parts', async () => {
  const done: number[] = [];
  expect(await inTurns(parts(done), undefined)).toBe('whole');
  expect(done).toEqual([0, 1, 2]);
});

it('inTurns stops between parts where the signal is aborted', async () => {
  const done: number[] = [];
  const reason = new Error('enough');
  await expect(inTurns(parts(done), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(done).toEqual([0]);
});

it('inTurns lets the event loop come round while work goes on', async () => {
  let rounds = 0;
  function* work(): Generator<undefined, number, undefined> {
    for (let part = 0; part < 20 && rounds === 0; part++) {
      const until = performance.now() + 5;
      while (performance.now() < until);
      yield;
    }
    return rounds;
  }
  setImmediate(() => rounds++);
  expect(await inTurns(work(), undefined)).toBe(1);
});

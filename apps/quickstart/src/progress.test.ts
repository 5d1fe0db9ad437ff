import type { Progress } from '@fkm/core';
import { expect, it } from 'vitest';
import { progressLines } from './progress.ts';

it('writes a line every ten epochs, and the last of each phase', () => {
  const lines: string[] = [];
  const { show, stop } = progressLines((line) => lines.push(line));
  const run = (phase: Progress['phase'], last: number, rest: Partial<Progress>): void => {
    for (let done = 1; done <= last; done++) show({ phase, done, of: 25, ...rest });
  };
  run('fit', 3, { shift: 0.5 });
  run('finetune', 23, { loss: 0.25, evalLoss: 0.125 });
  stop();
  stop();
  expect(lines).toEqual([
    'fit       3/25  largest move 0.500',
    'finetune  10/25  training loss 0.2500, validation loss 0.1250',
    'finetune  20/25  training loss 0.2500, validation loss 0.1250',
    'finetune  23/25  training loss 0.2500, validation loss 0.1250',
  ]);
});

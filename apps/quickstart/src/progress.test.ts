import { Writable } from 'node:stream';
import type { Progress } from '@fkm/core';
import { expect, it } from 'vitest';
import { progressBar, progressLines, withProgress } from './progress.ts';

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
    'finetune  10/25  loss 0.2500, validation 0.1250',
    'finetune  20/25  loss 0.2500, validation 0.1250',
    'finetune  23/25  loss 0.2500, validation 0.1250',
  ]);
});

it('draws a bar, which ends with the work even where that fails', async () => {
  let text = '';
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const work = withProgress(
    async (show) => {
      show({ phase: 'finetune', done: 5, of: 10, loss: 0.5 });
      throw new Error('stop');
    },
    progressBar(Object.assign(stream, { isTTY: true, columns: 100, cursorTo: () => true })),
  );
  await expect(work).rejects.toThrow('stop');
  expect(text).toContain('5/10  loss 0.5000');
  const before = text;
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(text).toBe(before);
});

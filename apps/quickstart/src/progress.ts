// Shows the progress of training: a bar on a terminal, a line every ten epochs if the output goes to a file.

import type { Progress } from '@fkm/core';
import { Presets, SingleBar } from 'cli-progress';

export interface ProgressDisplay {
  /** For `onProgress` of fit and finetune. */
  readonly show: (progress: Progress) => void;
  /** Ends the display, so that other lines can follow. */
  readonly stop: () => void;
}

/** Epochs between two lines. */
const every = 10;

/** The text of an epoch; losses are mean squared errors of the standardised target. */
export function describe({ shift, loss, evalLoss }: Progress): string {
  return [
    shift === undefined ? '' : `largest move ${shift.toFixed(3)}`,
    loss === undefined ? '' : `loss ${loss.toFixed(4)}`,
    evalLoss === undefined ? '' : `validation ${evalLoss.toFixed(4)}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Lines for logs: every tenth epoch, and the last. */
export function progressLines(write: (line: string) => void): ProgressDisplay {
  let pending: Progress | undefined;
  const flush = (): void => {
    if (pending) write(`${pending.phase.padEnd(8)}  ${pending.done}/${pending.of}  ${describe(pending)}`);
    pending = undefined;
  };
  return {
    show: (progress) => {
      if (pending && pending.phase !== progress.phase) flush();
      pending = progress;
      if (progress.done % every === 0) flush();
    },
    stop: flush,
  };
}

/** One bar for each phase. */
export function progressBar(stream: NodeJS.WritableStream): ProgressDisplay {
  let [bar, phase]: [SingleBar | undefined, string] = [undefined, ''];
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    show: (progress) => {
      if (!bar || phase !== progress.phase) {
        stop();
        phase = progress.phase;
        bar = new SingleBar(
          {
            format: `${phase.padEnd(8)}  {bar}  {value}/{total}  {note}`,
            barsize: 20,
            stream,
            // On Ctrl-C the bar would stop by itself, and its next update would start its timer again, forever.
            gracefulExit: false,
          },
          Presets.shades_classic,
        );
        bar.start(progress.of, 0, { note: '' });
      }
      bar.update(progress.done, { note: describe(progress) });
    },
    stop,
  };
}

/** Runs `work` with the display that fits this terminal, and always ends the display. */
export async function withProgress<R>(
  work: (show: ProgressDisplay['show']) => Promise<R>,
  display: ProgressDisplay = process.stdout.isTTY ? progressBar(process.stdout) : progressLines(console.log),
): Promise<R> {
  try {
    return await work(display.show);
  } finally {
    display.stop();
  }
}

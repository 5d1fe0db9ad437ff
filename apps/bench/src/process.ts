// Measures that need their own process: runs the same command again and reads its output.

import { spawnSync } from 'node:child_process';
import { Failure } from './failure.ts';

/** Runs the bench with other arguments; returns the JSON in its last line. Errors: Failure. */
export function again<R>(args: readonly string[], node: readonly string[] = []): R {
  const { stdout, status } = spawnSync(
    process.execPath,
    [...process.execArgv, ...node, process.argv[1] as string, ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Failure(`bench ${args.join(' ')} failed; its error is above.`);
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as R;
}

/** Number of equal readings in a row after which memory has settled. */
const settled = 3;
const mostReadings = 100;

/** Resident megabytes after garbage collection, once V8's threads have freed all unused arrays; needs node --expose-gc. */
export async function collected(): Promise<number> {
  let [least, same] = [Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < mostReadings && same < settled; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { arrayBuffers } = process.memoryUsage();
    same = arrayBuffers < least ? 0 : same + 1;
    least = Math.min(least, arrayBuffers);
  }
  return process.memoryUsage().rss / 2 ** 20;
}

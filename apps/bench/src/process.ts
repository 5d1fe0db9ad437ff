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

/** Resident megabytes after all garbage was collected, including finalizers; needs node --expose-gc. */
export async function collected(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return process.memoryUsage().rss / 2 ** 20;
}

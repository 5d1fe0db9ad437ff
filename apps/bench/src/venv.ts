// Python packages of a bench, in a virtual environment that the first run creates: the newest versions, independent of the system.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

const cache = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));

/** The interpreter of an environment with these PyPI packages. Errors: Failure if Python or a package is missing. */
export function pythonWith(packages: readonly string[]): string {
  const name = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12);
  const folder = join(cache, `venv-${name}`);
  const python = join(folder, 'bin', 'python');
  if (existsSync(python)) return python;
  mkdirSync(dirname(folder), { recursive: true });
  console.log(`installing ${packages.join(', ')} for Python ...`);
  for (const [command, args] of [
    ['python3', ['-m', 'venv', folder]],
    [python, ['-m', 'pip', 'install', '--quiet', ...packages]],
  ] as const) {
    const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    throw new Failure(
      `${command} ${args.join(' ')} failed; the bench needs Python 3.11 or newer, with venv and pip.`,
    );
  }
  return python;
}

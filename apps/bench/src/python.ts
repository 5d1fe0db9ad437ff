// The other side of a comparison: a Python child process that answers each line by a line of JSON.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

/** Debian's interpreter first, since it has Debian's packages. */
const interpreters = ['/usr/bin/python3', 'python3'] as const;

/** The first line of a script. */
interface Greeting {
  readonly version: string;
  /** The kernels that OpenBLAS chose for this processor; empty with another library. */
  readonly kernels: readonly string[];
}

export class Python {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, name: string) {
    this.child = child;
    this.lines = lines;
    this.name = name;
  }

  private static async spawn(
    command: string,
    script: string,
    env: NodeJS.ProcessEnv,
    note: string,
  ): Promise<{ python: Python; kernels: readonly string[] }> {
    const file = fileURLToPath(new URL(`python/${script}`, import.meta.url));
    const child = spawn(command, [file], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { version, kernels } = await next<Greeting>(lines);
    return { python: new Python(child, lines, version + note), kernels };
  }

  /**
   * Starts python/`script` with the first interpreter that has `module`; empty if none has. OPENBLAS_* variables are unset. An
   * OpenBLAS older than the processor takes it for a Prescott and uses kernels of 2004; a second child then uses the best kernels
   * available, for a fair comparison.
   */
  static async start(script: string, module: string): Promise<readonly Python[]> {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('OPENBLAS_')),
    );
    const command = interpreters.find(
      (name) => spawnSync(name, ['-c', `import ${module}`], { env }).status === 0,
    );
    if (!command) return [];
    const { python, kernels } = await Python.spawn(command, script, env, '');
    const better = kernels.includes('Prescott') ? bestKernels() : null;
    if (!better) return [python];
    const told = await Python.spawn(command, script, { ...env, OPENBLAS_CORETYPE: better }, ` as ${better}`);
    return [python, told.python];
  }

  async ask<T>(request: object): Promise<T> {
    this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    return next<T>(this.lines);
  }

  /** Ends the child. */
  close(): void {
    this.child.stdin?.end();
  }
}

async function next<T>(lines: AsyncIterator<string>): Promise<T> {
  const { value, done } = await lines.next();
  if (done) throw new Failure('the Python side ended early; its error is above.');
  return JSON.parse(value) as T;
}

/** OpenBLAS's name for the widest vectors of this processor, if Linux lists them. */
function bestKernels(): string | null {
  if (!existsSync('/proc/cpuinfo')) return null;
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  if (flags.includes(' avx512f')) return 'SkylakeX';
  return flags.includes(' avx2') ? 'Haswell' : null;
}

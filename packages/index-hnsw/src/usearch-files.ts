// usearch only saves to files, so bytes pass through a temporary folder. Node's modules are requested at first use, so that the
// package imports no built-in.

import { BackendError } from '@fkm/core';
import { scope } from './check.js';

/** The parts of `node:fs/promises`, `node:os` and `node:path` that are used. */
interface Files {
  mkdtemp(prefix: string): Promise<string>;
  readFile(path: string): Promise<Uint8Array>;
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  rm(path: string, options: { readonly recursive: boolean }): Promise<void>;
}
interface Os {
  tmpdir(): string;
  availableParallelism(): number;
}
interface Paths {
  join(...parts: string[]): string;
}

interface BuiltIns {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
}

function builtIn<M>(name: string): M {
  const found = (globalThis as BuiltIns).process?.getBuiltinModule?.(name);
  if (found) return found as M;
  throw new BackendError(
    `hnswIndex: engine 'usearch' saves and loads through ${name}, which this runtime does not have (Node has it from 20.16). ` +
      "Take engine: 'portable'.",
    { engine: 'usearch', package: name },
    scope,
  );
}

/** Number of threads that can run at once. */
export const machineThreads = (): number => builtIn<Os>('node:os').availableParallelism();

/** Calls use(path of a file in its own folder), then removes the folder. */
async function withFile<T>(use: (path: string, files: Files) => Promise<T>): Promise<T> {
  const files = builtIn<Files>('node:fs/promises');
  const { join } = builtIn<Paths>('node:path');
  const folder = await files.mkdtemp(join(builtIn<Os>('node:os').tmpdir(), 'fkm-index-'));
  try {
    return await use(join(folder, 'index.usearch'), files);
  } finally {
    await files.rm(folder, { recursive: true });
  }
}

/** The bytes that `save` writes to the given path. */
export const savedBytes = (save: (path: string) => void): Promise<Uint8Array> =>
  withFile(async (path, files) => {
    save(path);
    return files.readFile(path);
  });

/** Calls `load` with the path of a file with these bytes. */
export const loadBytes = (bytes: Uint8Array, load: (path: string) => void): Promise<void> =>
  withFile(async (path, files) => {
    await files.writeFile(path, bytes);
    load(path);
  });

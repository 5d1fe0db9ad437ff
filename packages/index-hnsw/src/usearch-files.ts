// usearch saves to files alone: bytes go through a temporary folder that is removed again. Asked of Node where first used, so
// that the package imports no built-in.

import { BackendError } from '@fkm/core';
import { scope } from './check.js';

/** What is used of `node:fs/promises`, `node:os`, `node:path`. */
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

/** Threads that can run at once. */
export const machineThreads = (): number => builtIn<Os>('node:os').availableParallelism();

/** use(path of a file in a folder of its own), after which the folder is removed. */
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

/** The bytes that `save` writes to the path that it is given. */
export const savedBytes = (save: (path: string) => void): Promise<Uint8Array> =>
  withFile(async (path, files) => {
    save(path);
    return files.readFile(path);
  });

/** Gives `load` the path of a file with these bytes. */
export const loadBytes = (bytes: Uint8Array, load: (path: string) => void): Promise<void> =>
  withFile(async (path, files) => {
    await files.writeFile(path, bytes);
    load(path);
  });

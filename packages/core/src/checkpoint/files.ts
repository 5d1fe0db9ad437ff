// Models as files, on runtimes that have files: Node, Deno, Bun. Core imports no built-in module; it asks the process for them.
// Writing is atomic: to another name, synced, then renamed.

import { BackendError, cut, FormatError, isFkmError, OptionError } from '../errors.js';

/** The part of `node:fs/promises` that is used. */
interface FileHandle {
  writeFile(bytes: Uint8Array): Promise<void>;
  chmod(mode: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}
interface Files {
  open(path: string, flags: string): Promise<FileHandle>;
  readFile(path: string): Promise<Uint8Array>;
  readdir(path: string): Promise<string[]>;
  realpath(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  stat(path: string): Promise<{ readonly mode: number; readonly mtimeMs: number }>;
  unlink(path: string): Promise<void>;
}
/** The part of `node:path` that is used. */
interface Paths {
  dirname(path: string): string;
  join(...parts: string[]): string;
}

/** Age in milliseconds after which a temporary file is taken as left by a killed process. */
const abandoned = 3_600_000;
const temporary = /^\.fkm-[0-9a-f-]{36}\.tmp$/;

/** A built-in module. Errors: BackendError if the runtime has no files. */
function builtin<T>(name: string, call: string, instead: string): T {
  const { process } = globalThis as {
    readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
  };
  const found = process?.getBuiltinModule?.(name);
  if (found) return found as T;
  throw new BackendError(
    `${call}: this runtime has no files (Node has from 20.16 and 22.3, Deno and Bun have); use ${instead}.`,
  );
}

/** Errors: OptionError. */
function checkPath(path: string, call: string): void {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return;
  throw new OptionError(
    `${call}: path is ${typeof path === 'string' ? `'${path}'` : String(path)}; allowed is the name of a file.`,
    { option: 'path', value: path },
  );
}

/** The error of the file system as a sentence about the path. */
function refused(call: string, path: string, cannot: string, remedy: string, error: unknown): OptionError {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return new OptionError(
    `${call}: path is '${path}', which cannot be ${cannot}: ${cut(String(message))}; ${remedy}.`,
    {
      option: 'path',
      value: path,
      code,
    },
  );
}

/**
 * Replaces the file at `path`, or the file that it links to; permissions are kept. A process that dies meanwhile leaves the old
 * file intact, with a `.fkm-….tmp` beside it; later writes into that folder remove it after an hour. Errors: BackendError,
 * OptionError with the system's code.
 */
export async function writeWhole(path: string, bytes: Uint8Array, call: string): Promise<void> {
  checkPath(path, call);
  const files = builtin<{ readonly promises: Files }>('node:fs', call, 'save()').promises;
  const paths = builtin<Paths>('node:path', call, 'save()');
  try {
    const target = await files.realpath(path).catch(() => path);
    const folder = paths.dirname(target);
    const draft = paths.join(folder, `.fkm-${crypto.randomUUID()}.tmp`);
    const mode = await files.stat(target).then(
      (before) => before.mode & 0o777,
      () => undefined,
    );
    const file = await files.open(draft, 'wx');
    try {
      try {
        if (mode !== undefined) await file.chmod(mode);
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await files.rename(draft, target);
    } catch (error) {
      await files.unlink(draft).catch(() => undefined);
      throw error;
    }
    // The file is in place. Syncing the folder cannot undo that, and some systems do not allow it.
    await syncFolder(files, folder).catch(() => undefined);
    await sweep(files, paths, folder).catch(() => undefined);
  } catch (error) {
    throw refused(
      call,
      path,
      'written',
      'name a file in a folder that is there and can be written to',
      error,
    );
  }
}

/** Syncs a folder, which makes a rename durable. Windows cannot open folders. */
async function syncFolder(files: Files, folder: string): Promise<void> {
  const handle = await files.open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

async function sweep(files: Files, { join }: Paths, folder: string): Promise<void> {
  for (const name of await files.readdir(folder)) {
    if (!temporary.test(name)) continue;
    const path = join(folder, name);
    // Another process may have renamed or removed it.
    const touched = await files.stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - touched > abandoned) await files.unlink(path).catch(() => undefined);
  }
}

/**
 * The result of `parse` on the bytes of a file. Errors: those of `parse`, with the path added to FormatErrors; BackendError,
 * OptionError.
 */
export async function readWhole<T>(
  path: string,
  call: string,
  parse: (bytes: Uint8Array) => Promise<T>,
): Promise<T> {
  checkPath(path, call);
  const files = builtin<{ readonly promises: Files }>('node:fs', call, 'load()').promises;
  const bytes = await files.readFile(path).catch((error) => {
    throw refused(call, path, 'read', 'name a file that saveFile() has written', error);
  });
  try {
    return await parse(bytes);
  } catch (error) {
    if (!isFkmError(error) || error.kind !== 'format') throw error;
    const [, why = error.message] =
      /\bload: (.*?)(?:; pass the bytes of save\(\))?\.$/s.exec(error.message) ?? [];
    throw new FormatError(`${call}: '${path}' cannot be loaded as a model: ${why}.`, {
      ...error.details,
      path,
    });
  }
}

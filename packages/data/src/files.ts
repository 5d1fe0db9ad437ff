// File paths and patterns in Node.

import { backendError, ofNode, optionError } from './errors.js';

/** One or several paths, which may have * and ?. Errors: OptionError. */
export function filesOf(files: string | readonly string[], call: string): readonly string[] {
  const list = typeof files === 'string' ? [files] : files;
  if (Array.isArray(list) && list.length > 0 && list.every((file) => typeof file === 'string' && file !== ''))
    return list;
  throw optionError(`${call}: the files should be a path, a pattern with *, or a list of them.`, {
    option: 'files',
  });
}

/** The files as errors name them. */
export const named = (call: string, files: readonly string[]): string =>
  `${call} '${files[0]}'${files.length > 1 ? ` and ${files.length - 1} more` : ''}`;

/** Characters that mark a pattern. */
const magic = /[*?[{]/;

/**
 * The files that match paths and patterns; those of a pattern are sorted by name. Errors: OptionError if a path or pattern matches
 * none.
 */
export async function matching(files: readonly string[], call: string): Promise<readonly string[]> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const fs = process?.getBuiltinModule?.('node:fs') as typeof import('node:fs') | undefined;
  if (!fs) throw backendError(`${call}: this runtime has no files; pass a URL, a Blob, or a stream.`);
  const found: string[] = [];
  for (const file of files) {
    if (!magic.test(file) || fs.existsSync(file)) {
      found.push(file);
      continue;
    }
    const { glob } = await ofNode<typeof import('tinyglobby')>('tinyglobby');
    const matched = await glob(file, { absolute: true, expandDirectories: false });
    if (matched.length === 0)
      throw optionError(`${call}: no file matches '${file}'.`, { option: 'files', value: file });
    found.push(...matched.sort());
  }
  return found;
}

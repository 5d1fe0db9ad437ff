// The READMEs do what they say: the ts blocks of each, run one after the other as one program against the sources,
// print what its blocks without a language show.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
// Inside of this app, so that its packages resolve; ignored by git.
const folder = fileURLToPath(new URL('../out/readme', import.meta.url));
mkdirSync(folder, { recursive: true });
afterAll(() => rmSync(folder, { recursive: true }));

/** Contents of the code blocks of one language. */
const blocks = (text: string, language: string): string[] =>
  Array.from(text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm))
    .filter(([, name]) => name === language)
    .map(([, , content]) => content as string);

async function run(source: string, name: string): Promise<string> {
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, source);
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json') },
  });
  return stdout;
}

const readmes = [
  '.',
  'packages/core',
  'packages/onnx',
  'packages/backend-onnx',
  'packages/backend-tfjs',
  'packages/index-hnsw',
  'packages/data',
];

describe('READMEs', () => {
  it.each(readmes)('of %s', async (place) => {
    const text = readFileSync(join(root, place, 'README.md'), 'utf8');
    const source = blocks(text, 'ts');
    expect(source, 'a README without code').not.toHaveLength(0);
    const printed = await run(source.join('\n'), place.replaceAll(/\W/g, '-'));
    expect(printed.trimEnd()).toBe(blocks(text, '').join('').trimEnd());
  });
});

// One run over every folder: tests read the sources of @fkm/* and need no build.
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './scripts/closing-line.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const folders = ['packages', 'apps']
  .flatMap((parent) => readdirSync(here(parent)).map((name) => `${parent}/${name}`))
  .concat('packaging')
  .filter((folder) => existsSync(here(`${folder}/package.json`)));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@fkm\/([^/]+)$/, replacement: here('packages/$1/src/index.ts') },
      { find: /^@fkm\/([^/]+)\/(.+)$/, replacement: here('packages/$1/src/$2/index.ts') },
    ],
  },
  test: {
    reporters: ['default', new ClosingLine()],
    projects: folders.map((folder) => ({
      extends: true,
      test: {
        name: folder === 'packaging' ? '@fkm/packaging' : `@fkm/${folder.split('/')[1]}`,
        root: here(folder),
        include: folder === 'packaging' ? ['*.test.ts'] : ['src/**/*.test.ts'],
      },
    })),
  },
});

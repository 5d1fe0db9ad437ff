// Bundles test processes into one file that starts fast.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles a file of src/ with the sources of `@fkm/*` that it imports, next to the packages that stay external; returns its path.
 */
export async function bundled(file: string): Promise<string> {
  const outfile = here(`../../node_modules/.${file.replace(/\.ts$/, '')}.mjs`);
  await build({
    entryPoints: [here(`../${file}`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@duckdb/node-api', 'pg', 'pg-copy-streams', 'apache-arrow', 'hyparquet'],
    // Where the sources of packages are.
    tsconfig: here('../../../../tsconfig.base.json'),
    logLevel: 'silent',
  });
  return outfile;
}

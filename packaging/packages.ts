// The published packages, found by their manifests, so that a new one is tested without being named here.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the repository. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

export interface Package {
  readonly name: string;
  readonly folder: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export const published: readonly Package[] = readdirSync(join(root, 'packages'))
  .map((name) => join(root, 'packages', name))
  .filter((folder) => existsSync(join(folder, 'package.json')))
  .map((folder): Package => ({ ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')), folder }))
  .filter((manifest) => !manifest.private);

/** Packs one package as it would be published. Returns the path of its tarball. */
export function pack(folder: string, destination: string): string {
  if (!existsSync(join(folder, 'dist')))
    throw new Error(`${folder} is not built: run \`npm run build\` first`);
  const pnpm = join(root, 'node_modules/pnpm/bin/pnpm.cjs');
  const args = [pnpm, 'pack', '--json', '--pack-destination', destination];
  const answer = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return (JSON.parse(answer) as { filename: string }).filename;
}

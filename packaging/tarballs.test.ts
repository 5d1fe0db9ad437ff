// The packages as a consumer gets them: packed, linted, resolved by TypeScript, installed and imported.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pack, published, root } from './packages.ts';

const folder = mkdtempSync(join(tmpdir(), 'fkm-packaging-'));
const tarballs = new Map<string, string>();
const specifiers = published.flatMap((it) => Object.keys(it.exports).map((path) => it.name + path.slice(1)));

beforeAll(() => {
  for (const it of published) tarballs.set(it.name, pack(it.folder, folder));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(published)('$name', ({ name }) => {
  const bytes = (): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(tarballs.get(name)!));

  it('has a manifest that publint accepts', async () => {
    const { messages, pkg } = await publint({
      pack: { tarball: bytes().buffer },
      level: 'warning',
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it('has types that every resolution of an ES module finds', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(bytes()));
    if (!analysis.types) throw new Error(`${name} has no types`);
    const problems = analysis.problems.filter(
      (problem) =>
        problem.kind !== 'CJSResolvesToESM' && // There is no CommonJS build.
        !('resolutionKind' in problem && problem.resolutionKind === 'node10'), // It cannot read `exports`.
    );
    expect(problems).toEqual([]);
  });
});

describe('a Node project with nothing but the tarballs', () => {
  beforeAll(() => {
    const dependencies = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
    const manifest = { name: 'consumer', private: true, type: 'module', dependencies };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    execFileSync('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: 'pipe',
      shell: process.platform === 'win32',
    });
  });

  it.each(specifiers)('imports %s without a runtime installed', (specifier) => {
    const source = `process.stdout.write(typeof (await import('${specifier}')))`;
    const answer = execFileSync(process.execPath, ['--input-type=module', '-e', source], { cwd: folder });
    expect(String(answer)).toBe('object');
  });

  it('names classes as it exports them, and prints a model as one line', () => {
    const source = `import * as core from '@fkm/core';
      const classes = Object.entries(core).filter(([, it]) => /^class /.test(String(it)));
      console.log(JSON.stringify(classes.filter(([name, it]) => name !== it.name).map(([name]) => name)));
      console.log(new core.FastKMeansRegressor({ backend: core.jsBackend() }));`;
    const answer = execFileSync(process.execPath, ['--input-type=module', '-e', source], { cwd: folder });
    expect(String(answer)).toBe('[]\nFastKMeansRegressor(not fitted)\n');
  });

  it('compiles against the declarations of packages that need no runtime', () => {
    const checked = specifiers.filter((it) => !it.startsWith('@fkm/backend-'));
    const lines = checked.map(
      (it, i) => `import * as m${i} from '${it}';\nexport const k${i}: object = m${i};`,
    );
    writeFileSync(join(folder, 'consumer.ts'), lines.join('\n'));
    const compilerOptions = {
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2022', 'dom'],
      types: [],
    };
    const config = { compilerOptions, files: ['consumer.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc], { cwd: folder, encoding: 'utf8' });
    expect(stdout).toBe('');
  });
});

it("the README's command installs every package that those it names depend on", () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const command = readme.split('\n').find((line) => line.includes('npm install /tmp/fkm/')) ?? '';
  const named = published.filter(({ name }) =>
    command.includes(`/tmp/fkm/${name.replace('@fkm/', 'fkm-')}-*.tgz`),
  );
  expect(named.length).toBeGreaterThan(0);
  const wanted = named.flatMap(({ dependencies = {} }) =>
    Object.keys(dependencies).filter((name) => name.startsWith('@fkm/')),
  );
  expect(named.map(({ name }) => name)).toEqual(expect.arrayContaining(wanted));
});

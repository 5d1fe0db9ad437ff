// Models as files: whenever a process is killed, one of the whole models can be loaded. The processes are real, and so are the kills.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { copyFile, mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import {
  answers,
  backend,
  estimators,
  expectError,
  given,
  rows,
  small,
  smallOf,
  tasks,
} from '../estimators/testing.js';
import { Random } from '../random.js';

const root = mkdtempSync(join(tmpdir(), 'fkm-files-'));
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(root, 'models-'));
  path = join(folder, 'model.safetensors');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const drafts = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.tmp'));
const load = (from: string = path): Promise<FastKMeansRegressor> =>
  FastKMeansRegressor.loadFile(from, { backend });

describe('saveFile and loadFile', () => {
  it.each(tasks)('keep a %s to the bit', async (task) => {
    const { X } = rows(60);
    const model = smallOf(task);
    await model.fitBatch(X, estimators[task].targets(X));
    await model.saveFile(path);
    const again = await estimators[task].loadFile(path);
    expect(await again.save()).toEqual(await model.save());
    expect(await answers(again, X)).toEqual(await answers(model, X));
    await model.saveFile(path, { optimiser: false });
    expect(new Uint8Array(await readFile(path))).toEqual(await model.save({ optimiser: false }));
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('replace the file that a link points to, with the permissions that it had', async () => {
    await small().saveFile(path);
    chmodSync(path, 0o640);
    const link = join(folder, 'link');
    symlinkSync('model.safetensors', link);
    const model = small({ nPrototypes: 7 });
    await model.saveFile(link);
    expect(await readlink(link)).toBe('model.safetensors');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(await (await load()).save()).toEqual(await model.save());
  });

  it('refuse invalid paths, options and backends', async () => {
    const model = small();
    for (const wrong of ['', 'a\0b', 5, undefined, new URL('file:///model')]) {
      const says = [`path is `, 'allowed is the name of a file'];
      await expectError(() => model.saveFile(wrong as string), {
        kind: 'option',
        says: ['saveFile:', ...says],
      });
      await expectError(() => load(wrong as string), {
        kind: 'option',
        says: wrong === undefined ? [] : ['loadFile:', ...says],
      });
    }
    await expectError(() => model.saveFile(path, { optimizer: true } as never), {
      kind: 'option',
      says: ['saveFile: there is no option optimizer'],
    });
    await model.saveFile(path);
    await expectError(() => FastKMeansRegressor.loadFile(path, {} as never), {
      kind: 'option',
      says: ['backend is missing'],
    });
  });

  it('report the error of the system, and leave no temporary file', async () => {
    const nowhere = join(folder, 'none', 'model');
    for (const call of [() => small().saveFile(nowhere), () => load(nowhere)]) {
      await expectError(call, { kind: 'option', says: [`path is '${nowhere}'`, 'ENOENT', '; name a file'] });
      await expect(call()).rejects.toMatchObject({
        details: { option: 'path', value: nowhere, code: 'ENOENT' },
      });
    }
    await mkdir(join(path, 'full'), { recursive: true });
    await expectError(() => small().saveFile(path), {
      kind: 'option',
      says: ['saveFile:', 'cannot be written'],
    });
    await expectError(() => load(), { kind: 'option', says: ['loadFile:', 'EISDIR'] });
    expect(drafts()).toEqual([]);
  });

  it('name the file that is no model', async () => {
    await writeFile(path, 'PK\u0003\u0004 something else');
    await expectError(() => load(), {
      kind: 'format',
      says: [`loadFile: '${path}' cannot be loaded as a model: the header claims`],
    });
    await smallOf('clusterer').saveFile(path);
    await expectError(() => load(), { kind: 'format', says: ['holds a clusterer, not a regressor.'] });
  });

  it('point to save and load where there are no files', async () => {
    const { getBuiltinModule } = process;
    try {
      (process as { getBuiltinModule?: unknown }).getBuiltinModule = undefined;
      const no = 'this runtime has no files';
      await expectError(() => small().saveFile(path), {
        kind: 'backend',
        says: ['saveFile:', no, 'use save()'],
      });
      await expectError(() => load(), { kind: 'backend', says: ['loadFile:', no, 'use load()'] });
    } finally {
      process.getBuiltinModule = getBuiltinModule;
    }
  });

  it('give one whole model where many are saved at once and read meanwhile', async () => {
    const models = Array.from({ length: 16 }, (_, i) => small({ nPrototypes: i + 1 }));
    const whole = await Promise.all(models.map(async (model) => String(await model.save())));
    await models[0]?.saveFile(path);
    let saving = true;
    const all = Promise.all(models.map((model) => model.saveFile(path))).finally(() => {
      saving = false;
    });
    let reads = 0;
    while (saving) {
      expect(whole).toContain(String(await (await load()).save()));
      reads++;
    }
    await all;
    expect(reads).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('remove what killed processes left, once it is old, and nothing else', async () => {
    const names = ['a', 'b', 'c'].map((c) => `.fkm-${crypto.randomUUID().replace(/^./, c)}.tmp`);
    const others = ['.fkm-mine.tmp', 'other.tmp', 'notes'];
    for (const name of [...names, ...others]) await writeFile(join(folder, name), 'half a model');
    const long = new Date(Date.now() - 2 * 3_600_000);
    for (const name of [...names.slice(1), ...others]) utimesSync(join(folder, name), long, long);
    await small().saveFile(path);
    expect(readdirSync(folder).sort()).toEqual([names[0], ...others, 'model.safetensors'].sort());
  });
});

/** Saves two models by turns, until it is killed; writes a byte when it begins, and one after every save. */
const saver = `
  import { FastKMeansRegressor, jsBackend } from './core.mjs';
  const [path, ...sources] = process.argv.slice(2);
  const models = [];
  for (const source of sources) models.push(await FastKMeansRegressor.loadFile(source, { backend: jsBackend() }));
  process.stdout.write('.');
  for (let i = 0; ; i++) {
    await models[i % models.length].saveFile(path);
    process.stdout.write('.');
  }
`;

/** Loaded first: the process dies at a stage of a write, or once b bytes of it are in the file. */
const dying = `
  import { promises } from 'node:fs';
  const [stage, count] = process.env.DIES_AT.split(' ');
  const at = (here) => here === stage && process.kill(process.pid, 'SIGKILL');
  const { open, rename, readdir } = promises;
  promises.open = async (path, flags) => {
    const file = await open(path, flags);
    if (flags === 'r') return Object.assign(file, { sync: async () => at('folder') });
    at('open');
    const { writeFile, sync, close } = file;
    return Object.assign(file, {
      async writeFile(bytes) {
        if (stage === 'write') await file.write(bytes.subarray(0, Number(count)));
        at('write');
        await writeFile.call(file, bytes);
        at('written');
      },
      async sync() {
        await sync.call(file);
        at('sync');
      },
      async close() {
        await close.call(file);
        at('close');
      },
    });
  };
  promises.rename = async (from, to) => {
    await rename(from, to);
    at('rename');
  };
  promises.readdir = async (path) => {
    at('sweep');
    return readdir(path);
  };
`;

describe('a process that is killed', () => {
  const sources = [0, 1].map((i) => join(root, `source-${i}`));
  const whole: string[] = [];

  beforeAll(async () => {
    const outfile = join(root, 'core.mjs');
    const entry = fileURLToPath(new URL('../index.ts', import.meta.url));
    await build({ entryPoints: [entry], bundle: true, format: 'esm', outfile, logLevel: 'silent' });
    await writeFile(join(root, 'saver.mjs'), saver);
    await writeFile(join(root, 'dying.mjs'), dying);
    for (const [i, source] of sources.entries()) {
      // Of two lengths, and long enough to be killed in.
      const shape = [1000 + 100 * i, 60] as const;
      const prototypes = { data: new Float32Array(shape[0] * 60).fill(i + 1), shape };
      await given({ initMode: { prototypes, targets: new Float32Array(shape[0]) } }).saveFile(source);
      whole.push(digest(await readFile(source)));
    }
  });

  /** Which of the two models is in the file: whole, or this fails. */
  const inFile = async (): Promise<number> => whole.indexOf(digest(await (await load()).save()));

  /** Runs the saver until it is killed, by itself or `after` so many saves, of the last of which it does a part. */
  async function killed(
    models: readonly string[],
    { after, at }: { after?: number; at?: string },
  ): Promise<void> {
    const preload = at === undefined ? [] : ['--import', pathToFileURL(join(root, 'dying.mjs')).href];
    const child = spawn(process.execPath, [...preload, join(root, 'saver.mjs'), path, ...models], {
      env: { ...process.env, DIES_AT: at },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // A saver that does not die where it should is ended in another way than it would have died.
    const late = setTimeout(() => child.kill('SIGTERM'), 90_000);
    let [told, since, waits] = [-1, 0, after !== undefined];
    child.stdout.on('data', (bytes: Uint8Array) => {
      told += bytes.length;
      const now = performance.now();
      const took = (now - since) / bytes.length;
      since = now;
      if (!waits || told < Math.floor(after as number)) return;
      waits = false;
      setTimeout(() => child.kill('SIGKILL'), ((after as number) % 1) * took);
    });
    const [, signal] = await once(child, 'exit');
    clearTimeout(late);
    expect(signal, at).toBe('SIGKILL');
  }

  it('at any byte of a write, or between any two steps of it, leaves the old model or the new one', async () => {
    const [old, fresh] = sources as [string, string];
    const { size } = statSync(fresh);
    const header = Number(new DataView((await readFile(fresh)).buffer).getBigUint64(0, true));
    const random = new Random(11);
    const counts = [0, 1, 7, 8, 9, header, 8 + header, 9 + header, size - 1, size];
    while (counts.length < 20) counts.push(random.below(size));
    const writes = [...counts.map((count) => `write ${count}`), 'open', 'written', 'sync', 'close'];
    for (const at of [...writes, 'rename', 'folder', 'sweep']) {
      await copyFile(old, path);
      await killed([fresh], { at });
      expect(await inFile(), at).toBe(writes.includes(at) ? 0 : 1);
    }
    expect(drafts()).toHaveLength(writes.length);
    // What is left disturbs nobody.
    await (await load(old)).saveFile(path);
    expect(await inFile()).toBe(0);
  });

  it('at a moment of its own leaves one of the models that it was saving', async () => {
    const random = new Random(12);
    await copyFile(sources[0] as string, path);
    const found = [0, 0];
    // Both were there at times, and some were killed while they wrote: then the test has met what it is about.
    const met = (): boolean => Math.min(...found) > 0 && drafts().length > 0;
    for (let i = 0; i < 16 || !met(); i++) {
      await killed(sources, { after: 1 + 3 * random.uniform() });
      const which = await inFile();
      expect(which).toBeGreaterThanOrEqual(0);
      found[which] = (found[which] as number) + 1;
    }
    await small().saveFile(path);
    expect(await (await load()).save()).toEqual(await small().save());
  });
});

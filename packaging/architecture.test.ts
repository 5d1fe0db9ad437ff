// ARCHITECTURE.md holds: the files that it names exist, and a distance and a soft type are as few places as it says.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { distanceNames, softTypeNames } from '@fkm/core/graph';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const core = 'packages/core/src';

/** Files of TypeScript below a folder, without tests and their helpers. */
const sources = readdirSync(join(root, core), { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing\.ts$/.test(file));
const codeOf = (file: string): string =>
  readFileSync(join(root, core, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');
const naming = (name: string): string[] => sources.filter((file) => codeOf(file).includes(`'${name}'`));

test('the files and folders that it names exist', () => {
  const named = [...page.matchAll(/`([\w.-]+(?:\/[\w.-]+)+)`/g)].map(([, path]) => path as string);
  const absent = named.filter(
    (path) => !path.startsWith('@') && !existsSync(join(root, path)) && !existsSync(join(root, core, path)),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(absent).toEqual([]);
});

test('its layers are the folders of core', () => {
  const rows = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`(\w+)`/g)].map(([, name]) => name as string),
  );
  const folders = readdirSync(join(root, core), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'internal')
    .map(({ name }) => name);
  expect(rows.sort()).toEqual(folders.sort());
});

describe('places of a name', () => {
  test.each(distanceNames)("distance '%s': the table, and defaults or the original's options", (name) => {
    const allowed = ['formulas/distances.ts'];
    if (name === 'euclidean')
      allowed.push(
        'formulas/arrays.ts',
        'estimators/options.ts',
        'estimators/original.ts',
        'fitting/lloyd.ts',
      );
    // 'cosine' is also the name of a schedule of the learning rate.
    if (name === 'cosine')
      allowed.push('estimators/original.ts', 'estimators/calls.ts', 'fitting/schedule.ts');
    expect(naming(name).filter((file) => !allowed.includes(file))).toEqual([]);
    expect(naming(name)).toContain('formulas/distances.ts');
  });

  test('no code of core, of exports and of imports asks which task a model has', () => {
    const exporting = ['export-onnx.ts', 'import-onnx.ts', 'model-metadata.ts'].map((file) =>
      join('..', '..', 'onnx', 'src', file),
    );
    const asking = [...sources, ...exporting].filter((file) => /\btask\s*[!=]==\s*'/.test(codeOf(file)));
    expect(asking).toEqual([]);
  });

  test('no code of core asks whether a distance is one of them', () => {
    const asking = sources.filter((file) => /\bdistance\s*[!=]==\s*'/.test(codeOf(file)));
    expect(asking).toEqual([]);
  });

  test('no code of core asks whether a soft type is one of them', () => {
    const asking = sources.filter((file) => /\bsoftType\s*[!=]==\s*'/.test(codeOf(file)));
    expect(asking).toEqual([]);
    expect(softTypeNames).toContain('gaussian');
  });
});

// The public surface is what was agreed on: files in api/, which a change of surface updates in its own commit.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { entries, reports } from './api-report.ts';
import { root } from './packages.ts';

let all: ReadonlyMap<string, string>;
beforeAll(() => {
  all = reports();
});

it.each(entries)('$name', ({ name, file }) => {
  const recorded = existsSync(file) ? readFileSync(file, 'utf8') : '';
  expect(all.get(name), `The public surface of ${name} changed. If that is meant: npm run api`).toBe(
    recorded,
  );
});

it('no report is left of an entry that is gone', () => {
  const folder = join(root, 'packaging/api');
  expect(
    readdirSync(folder)
      .map((file) => join(folder, file))
      .sort(),
  ).toEqual(entries.map(({ file }) => file).sort());
});

// The examples run as they stand and answer what the model answers. Python's runs in `npm run bench -- columns`.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openBrowser, serve } from '@fkm/browser-testing';
import { beforeAll, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));
const env = { ...process.env, TSX_TSCONFIG_PATH: `${folder}../tsconfig.base.json` };
const run = (file: string): string =>
  execFileSync(process.execPath, ['--import', 'tsx', `${folder}${file}`], { env, encoding: 'utf8' }).trim();

let answers: string;
beforeAll(() => {
  answers = run('train.mjs');
});

it('the model tells the two rows apart', () => {
  expect(answers).toBe('yes no');
});

it('Node answers as the model does', () => {
  expect(run('predict.mjs')).toBe(answers);
});

it('the page answers as the model does', async () => {
  const served = await serve({ '/': folder });
  const browser = await openBrowser();
  const found = await browser.open(`${served.origin}/`, async (page) =>
    page.locator('output', { hasText: /yes|no/ }).textContent(),
  );
  await browser.close();
  await served.close();
  expect(found).toBe(answers);
});

it.each(['predict.mjs', 'predict.py', 'index.html'])('%s is short, and without code of ours', (file) => {
  const text = readFileSync(`${folder}${file}`, 'utf8');
  expect(text).not.toMatch(/fkm/i);
  expect(text.split('\n').length).toBeLessThan(45);
});

// What other tests build on: a module runs in a real Chromium with WebGPU and threads, and its failures can be read.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, openBrowser } from './index.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

const fixture = (name: string): URL => new URL(`./pages/${name}.ts`, import.meta.url);

describe('a module in Chromium', () => {
  it('gives its JSON, of its input and of what is served', async () => {
    const routes = {
      '/data/': new URL('./pages', import.meta.url).pathname,
      '/bytes.bin': Uint8Array.of(7, 8),
    };
    expect(await browser.run(fixture('place'), { input: { value: 2 }, routes })).toEqual({
      doubled: 4,
      bytes: [7, 8],
      file: 'text of a file\n',
      missing: 404,
      outside: 404,
    });
  });

  it('has WebGPU and shared memory', async () => {
    expect(await browser.run(fixture('abilities'))).toEqual({
      isolated: true,
      adapter: true,
      sum: [3, 5, 7],
    });
  });

  it('trains, saves and loads a model, and knows that there are no files', async () => {
    expect(await browser.run(fixture('model'))).toEqual({
      same: true,
      score: true,
      kinds: ['backend', 'backend'],
    });
  });

  it('fails with what it throws and what the page said', async () => {
    const failing = browser.run(fixture('throws'));
    await expect(failing).rejects.toThrow(/not today/);
    await expect(failing).rejects.toThrow(/page warning: careful/);
  });

  it('fails where it needs Node', async () => {
    await expect(browser.run(fixture('node-only'))).rejects.toThrow(/node:fs/);
  });
});

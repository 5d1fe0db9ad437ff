// Runs a module in Chromium and returns its result as JSON: the module is bundled, served, imported by an empty page, and called.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Page, chromium as playwright } from 'playwright-core';
import { chromium } from './chromium.js';
import { type Routes, serve } from './serve.js';

export interface RunOptions {
  /** Argument of `run`, as JSON. */
  readonly input?: unknown;
  /** Further content that the page can fetch, by absolute path. */
  readonly routes?: Routes;
}

/** A headless Chromium with WebGPU (SwiftShader if there is no GPU) and threads for WebAssembly. */
export interface Browser {
  readonly version: string;
  /**
   * The result of the function `run(input)` that a module exports, as JSON. The module may be TypeScript and import what works in
   * browsers, and `@fkm/*` from their sources. Errors: those of the module, with the page's log; a bundle that needs Node.
   */
  run<T>(module: URL, options?: RunOptions): Promise<T>;
  /** The result of `look` on a loaded page; its errors come with the page's log. */
  open<T>(url: string, look: (page: Page) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

async function bundled(module: URL): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(module)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    sourcemap: 'inline',
    logLevel: 'silent',
  });
  return (outputFiles[0] as { contents: Uint8Array }).contents;
}

/** Errors: those of `look`, with the page's log. */
async function watched<T>(page: Page, look: (page: Page) => Promise<T>): Promise<T> {
  const said: string[] = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('requestfailed', (request) =>
    said.push(`no answer: ${request.url()} ${request.failure()?.errorText}`),
  );
  page.on('response', (response) => {
    if (!response.ok()) said.push(`${response.status()}: ${response.url()}`);
  });
  page.on('crash', () => said.push('the page crashed'));
  try {
    return await look(page);
  } catch (error) {
    throw new Error([(error as Error).message, ...said.map((line) => `  page ${line}`)].join('\n'), {
      cause: error,
    });
  } finally {
    await page.close();
  }
}

/** Starts Chromium, which takes a fifth of a second, and two more at the first time on a machine. */
export async function openBrowser(): Promise<Browser> {
  const browser = await playwright.launch(await chromium());
  const open: Browser['open'] = async (url, look) =>
    watched(await browser.newPage(), async (page) => {
      // A busy machine makes a test slow, never wrong: the test's own time-out ends what hangs.
      page.setDefaultTimeout(0);
      await page.goto(url);
      return look(page);
    });
  return {
    version: browser.version(),
    open,
    async run(module, { input = null, routes = {} } = {}) {
      const empty = new TextEncoder().encode(
        '<!doctype html><link rel="icon" href="data:,"><title>empty</title>',
      );
      const served = await serve({ ...routes, '/run.html': empty, '/run.mjs': await bundled(module) });
      try {
        // As text, since the test runner rewrites functions.
        const call = `import('/run.mjs').then(({ run }) => run(${JSON.stringify(input)})).then(JSON.stringify)`;
        const json = await open(`${served.origin}/run.html`, (page) =>
          page.evaluate<string | undefined>(call),
        );
        return JSON.parse(json ?? 'null');
      } finally {
        await served.close();
      }
    },
    close: () => browser.close(),
  };
}

// hnswlib-wasm (in the folder HNSWLIB_WASM) against hnswIndex in Chromium, each with the least ef that reaches the recall.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBrowser } from '@fkm/browser-testing';
import type { Points } from '@fkm/core';
import type { Outcome } from './equal-recall.ts';

const bytesOf = ({ data }: Points): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Does nothing without the folder. */
export async function hnswlibWasm(
  grid: Points,
  queries: Points,
  truth: ArrayLike<number>,
  rounds: number,
): Promise<Outcome[]> {
  const folder = process.env.HNSWLIB_WASM;
  if (!folder) return [];
  const dist = join(folder, 'dist');
  const scripts = (await readdir(dist)).filter((name) => name.endsWith('.js'));
  const served = await Promise.all(
    scripts.map(
      async (name) => [`/hnswlib/${name}`, new Uint8Array(await readFile(join(dist, name)))] as const,
    ),
  );
  const browser = await openBrowser();
  try {
    return await browser.run<Outcome[]>(new URL('./index-page.ts', import.meta.url), {
      input: { width: grid.shape[1], rounds, truth: Array.from(truth) },
      routes: { ...Object.fromEntries(served), '/grid': bytesOf(grid), '/queries': bytesOf(queries) },
    });
  } finally {
    await browser.close();
  }
}

// The page as people open it, in a real Chromium: it says what `predict` says, and knows nothing of @fkm.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, openBrowser, type Served, serve } from '@fkm/browser-testing';
import type { FastKMeansClassifier } from '@fkm/core';
import { exportOnnx } from '@fkm/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learnTea } from './tea.js';

const folder = fileURLToPath(new URL('../', import.meta.url));
let model: FastKMeansClassifier;
let served: Served;
let browser: Browser;

beforeAll(async () => {
  model = await learnTea();
  served = await serve({ '/': folder, '/out/model.onnx': exportOnnx(model, { training: false }) });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

describe('the page', () => {
  it('holds no code of ours, and is short', () => {
    const page = readFileSync(`${folder}index.html`, 'utf8');
    expect(page).not.toMatch(/fkm/i);
    expect(page.split('\n').length).toBeLessThan(45);
  });

  it.each(['wasm', 'webgpu'])('answers on %s as predict does', async (on) => {
    const rows = [
      [4, 95],
      [0.5, 70],
      [9.5, 98],
    ];
    const { data: labels } = await model.predict(rows);
    const { data: shares } = await model.predictProba(rows);
    expect([...labels]).toEqual(['good', 'weak', 'bitter']);
    const found = await browser.open(`${served.origin}/?on=${on}`, async (page) => {
      const said: string[] = [];
      for (const [minutes, degrees] of rows) {
        for (const [name, value] of Object.entries({ minutes, degrees })) {
          await page.fill(`[name=${name}]`, String(value));
        }
        const row = `(${minutes?.toFixed(1)},${degrees?.toFixed(1)} on ${on})`;
        const output = page.locator('output', { hasText: row });
        said.push(((await output.textContent()) ?? '').replace(row, '').trim());
      }
      return said;
    });
    const expected = rows.map((_, i) => {
      const share = Math.max(...shares.slice(3 * i, 3 * i + 3));
      return `${labels[i]}, ${(100 * share).toFixed(1)} %`;
    });
    expect(found).toEqual(expected);
  });
});

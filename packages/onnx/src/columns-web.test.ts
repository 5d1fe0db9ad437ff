// Files whose inputs are columns, in onnxruntime-web on wasm in a real Chromium.

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type Browser, openBrowser } from '@fkm/browser-testing';
import type { Estimator } from '@fkm/core/deploy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import type { Job } from './pages/run-columns.js';
import {
  expectTableAnswers,
  feedsOf,
  judgedRecords,
  learnedOf,
  mixedRows,
  mixedSpecs,
  tableOf,
} from './tables.fixture.js';
import type { Answer } from './testing.js';

const tasks = Object.keys(learnedOf) as (keyof typeof learnedOf)[];
const routes: Record<string, string | Uint8Array> = {
  '/ort/': `${dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))}/`,
};
const models: Estimator[] = [];
let browser: Browser;
let answers: Record<string, Answer>[];

beforeAll(async () => {
  browser = await openBrowser();
  const jobs: Job[] = [];
  for (const [i, task] of tasks.entries()) {
    const model = await learnedOf[task](mixedRows(120), { columns: mixedSpecs });
    models.push(model);
    routes[`/${i}.onnx`] = exportOnnx(model);
    jobs.push({ path: `/${i}.onnx`, feeds: feedsOf(tableOf(model), judgedRecords) });
  }
  answers = await browser.run(new URL('./pages/run-columns.ts', import.meta.url), {
    input: { jobs },
    routes,
  });
});
afterAll(() => browser?.close());

it.each(tasks.map((task, i) => [task, i] as const))('a %s answers as predict does', async (_, i) => {
  expect(Object.keys(answers[i] as object).length).toBeGreaterThan(0);
  await expectTableAnswers(answers[i] as Record<string, Answer>, models[i] as Estimator, judgedRecords);
});

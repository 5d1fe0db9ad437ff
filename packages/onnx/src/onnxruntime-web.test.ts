// The same files in browsers: every task, exported, in onnxruntime-web in a real Chromium, on wasm and on WebGPU.

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type Browser, openBrowser } from '@fkm/browser-testing';
import type { Estimator } from '@fkm/core/deploy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import type { ExportOptions } from './export-options.js';
import type { Job } from './pages/run-models.js';
import { type Answer, distances, expectAnswers, learned, rows, type Settings, withHoles } from './testing.js';

interface Case {
  readonly task: keyof typeof learned;
  readonly settings?: Settings;
  readonly options?: ExportOptions;
  readonly masked?: boolean;
}

/** Where a WebGPU without GPU compiles for seconds a model, it gets one of each task, and what differs most. */
const alsoOnWebgpu: readonly Case[] = [
  { task: 'clusterer', settings: { distance: 'l1' } },
  { task: 'classifier' },
  { task: 'multiLabel', masked: true },
  { task: 'regressor', settings: { distance: 'cosine' } },
  { task: 'regressor', settings: { softType: 'scaled' }, options: { topK: 'argMax' } },
  { task: 'regressor', settings: { prototypeModel: 'linear' } },
];

const tasks = Object.keys(learned) as readonly (keyof typeof learned)[];
const cases: readonly Case[] = [
  ...alsoOnWebgpu,
  ...tasks.flatMap((task) => distances.map((distance) => ({ task, settings: { distance } }))),
  ...tasks.map((task) => ({ task, masked: true })),
  ...tasks.map((task) => ({ task, settings: { softType: 'softmax_scaled' as const } })),
  { task: 'regressor', settings: { dtype: 'float16' } },
  { task: 'classifier', settings: { softType: 'hard' } },
  ...(['gap', 'top_k', 'adaptive'] as const).map((strategy) => ({
    task: 'multiLabel' as const,
    options: { strategy, ...(strategy === 'top_k' ? { k: 2 } : {}) },
  })),
];

const X = rows(7, 4, 7);
const holes = withHoles(X);
const routes: Record<string, string | Uint8Array> = {
  '/ort/': `${dirname(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu'))}/`,
};
const models: Estimator[] = [];
const jobs: Job[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
  for (const [i, { task, settings, options, masked = false }] of cases.entries()) {
    const model = await learned[task](settings);
    models.push(model);
    routes[`/${i}.onnx`] = exportOnnx(model, { ...options, featureMask: masked, training: false });
    jobs.push({ path: `/${i}.onnx`, inputs: masked ? { X: holes.X, feature_mask: holes.mask } : { X } });
  }
});
afterAll(() => browser?.close());

describe.each([
  ['wasm', cases],
  ['webgpu', alsoOnWebgpu],
] as const)('onnxruntime-web on %s', (on, those) => {
  let answers: Record<string, Answer>[];
  beforeAll(async () => {
    answers = await browser.run(new URL('./pages/run-models.ts', import.meta.url), {
      input: { on, jobs: jobs.slice(0, those.length) },
      routes,
    });
  });

  it.each(those.map((each, i) => [JSON.stringify(each), i] as const))('%s', async (_, i) => {
    const { options, masked } = cases[i] as Case;
    expect(Object.keys(answers[i] as object).length).toBeGreaterThan(0);
    await expectAnswers(
      answers[i] as Record<string, Answer>,
      models[i] as Estimator,
      masked ? holes.X : X,
      options,
      masked ? holes.mask : undefined,
    );
  });
});

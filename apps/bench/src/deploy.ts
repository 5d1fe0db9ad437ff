// `bench deploy`: the size of exported models, and their time in onnxruntime-node for one row and for many, next to `predict`.

import { type Backend, FastKMeansRegressor, type RegressorOptions } from '@fkm/core';
import { type ExportOptions, exportOnnx } from '@fkm/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type BackendName, openBackend } from './backends.ts';
import type { Side } from './interleave.ts';
import { seeded, uniformArray } from './random.ts';
import { formatTable, printResults, type Result } from './report.ts';
import { compare, measure } from './versus.ts';

const columns = 8;
/** A quarter of them become prototypes, the maximum. */
const trainingRows = 1600;

/** Models of 400 prototypes. */
const models: Readonly<Record<string, Partial<RegressorOptions>>> = {
  standard: { scaling: 'standard' },
  default: {},
};
const exports: Readonly<Record<string, ExportOptions>> = {
  whole: {},
  'whole, float16': { weights: 'float16' },
  'without training': { training: false },
  'without training, float16': { weights: 'float16', training: false },
};

/** Rows in a call, and calls in a round: a few hundred milliseconds at most. */
const sizes = [
  { rows: 1, calls: 500 },
  { rows: 10_000, calls: 3 },
] as const;

async function trained(backend: Backend, options: Partial<RegressorOptions>): Promise<FastKMeansRegressor> {
  const X = {
    data: uniformArray(trainingRows * columns, seeded(1)),
    shape: [trainingRows, columns],
  } as const;
  const y = Float32Array.from({ length: trainingRows }, (_, i) => {
    const [a, b, c] = X.data.subarray(i * columns) as unknown as [number, number, number];
    return Math.sin(3 * a) + b * c;
  });
  const model = new FastKMeansRegressor({ backend, ...options });
  await model.fit(X, y, { maxIters: 3 });
  await model.finetune(X, y, { epochs: 3 });
  return model;
}

/** A round of calls, one after the other. */
const round =
  (calls: number, call: () => Promise<unknown>): Side =>
  async () => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await call();
    return performance.now() - start;
  };

export interface DeployOptions {
  readonly backend: BackendName;
  readonly rounds: number;
}

export async function benchDeploy({ backend: name, rounds }: DeployOptions): Promise<void> {
  const backend = await openBackend(name);
  const results: Result[] = [];
  const bytes: (string | number)[][] = [];
  const times: (string | number)[][] = [];
  for (const [scaling, options] of Object.entries(models)) {
    const model = await trained(backend, options);
    for (const [what, exportOptions] of Object.entries(exports)) {
      const value = exportOnnx(model, exportOptions).length;
      bytes.push([scaling, what, value]);
      results.push({ case: 'deploy', model: scaling, export: what, metric: 'bytes', value });
    }
    const session = await InferenceSession.create(exportOnnx(model));
    for (const { rows, calls } of sizes) {
      const data = uniformArray(rows * columns, seeded(2));
      const versus = await measure(
        // A caller has rows, not tensors, so wrapping them is part of the call.
        round(calls, () => session.run({ X: new Tensor('float32', data, [rows, columns]) })),
        [
          {
            name: `predict, ${backend.name}`,
            side: round(calls, () => model.predict({ data, shape: [rows, columns] })),
          },
        ],
        rounds,
      );
      results.push(...compare(versus, { case: 'deploy', model: scaling, rows }, calls));
      const per = (milliseconds: number): string => (milliseconds / calls).toFixed(3);
      const { ours, theirs } = versus;
      times.push([scaling, rows, 'exported, onnxruntime-node', per(ours.min), per(ours.median)]);
      for (const their of theirs) {
        times.push([scaling, rows, their.name, per(their.times.min), per(their.times.median)]);
      }
    }
    await session.release();
  }
  await backend.dispose();
  console.log(formatTable(['400 × 8 regressor', 'export', 'bytes'], bytes));
  console.log();
  console.log(formatTable(['400 × 8 regressor', 'rows', 'runs', 'min ms', 'median ms'], times));
  console.log();
  printResults(results);
}

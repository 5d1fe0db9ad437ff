// Runs in a page: exported models in onnxruntime-web, which gets only their bytes.

import { env, InferenceSession, Tensor } from 'onnxruntime-web/webgpu';
import type { Answer } from '../testing.js';

/** A batch for the model at a path; missing values are null. */
export interface Job {
  readonly path: string;
  readonly inputs: Readonly<Record<string, readonly (readonly (number | null)[])[]>>;
}

const plain = (value: number | string | bigint): number | string =>
  typeof value === 'bigint' ? Number(value) : value;

const tensor = (rows: readonly (readonly (number | null)[])[]): Tensor => {
  const data = Float32Array.from(rows.flat(), (value) => value ?? Number.NaN);
  return new Tensor('float32', data, [rows.length, rows[0]?.length ?? 0]);
};

export async function run({
  on,
  jobs,
}: {
  readonly on: string;
  readonly jobs: readonly Job[];
}): Promise<Record<string, Answer>[]> {
  env.wasm.wasmPaths = '/ort/';
  const all: Record<string, Answer>[] = [];
  for (const { path, inputs } of jobs) {
    const session = await InferenceSession.create(path, { executionProviders: [on] });
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, rows]) => [name, tensor(rows)]));
    const answers: Record<string, Answer> = {};
    for (const [name, { type, dims, data }] of Object.entries(await session.run(feeds))) {
      answers[name] = { type, dims, data: Array.from(data as ArrayLike<number | string | bigint>, plain) };
    }
    all.push(answers);
    await session.release();
  }
  return all;
}

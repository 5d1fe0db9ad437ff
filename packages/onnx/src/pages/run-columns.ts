// Runs files whose inputs are columns in onnxruntime-web, in a page.

import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { arrayOf, type Feeds } from '../column-feeds.fixture.js';
import type { Answer } from '../testing.js';

/** The columns for the model at a path. */
export interface Job {
  readonly path: string;
  readonly feeds: Feeds;
}

const plain = (value: number | string | bigint): number | string =>
  typeof value === 'bigint' ? Number(value) : value;

export async function run({ jobs }: { readonly jobs: readonly Job[] }): Promise<Record<string, Answer>[]> {
  env.wasm.wasmPaths = '/ort/';
  const all: Record<string, Answer>[] = [];
  for (const { path, feeds } of jobs) {
    const session = await InferenceSession.create(path, { executionProviders: ['wasm'] });
    const tensors = Object.entries(feeds).map(([name, feed]) => [
      name,
      new Tensor(feed.type, arrayOf(feed) as never, [feed.data.length, 1]),
    ]);
    const answers: Record<string, Answer> = {};
    for (const [name, { type, dims, data }] of Object.entries(await session.run(Object.fromEntries(tensors))))
      answers[name] = { type, dims, data: Array.from(data as ArrayLike<number | string | bigint>, plain) };
    all.push(answers);
    await session.release();
  }
  return all;
}

// Records what every estimator answers with a seed, by distance and backend: a change that keeps behaviour keeps these bits. `npx
// tsx --tsconfig tsconfig.base.json scripts/answers.ts` compares with answers.json. `--record` writes it, in a commit that changes
// numbers on purpose.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onnxBackend } from '../packages/backend-onnx/src/index.ts';
import { tfjsBackend } from '../packages/backend-tfjs/src/index.ts';
import { friedman } from '../packages/conformance/src/estimators/data.ts';
import type { Model } from '../packages/conformance/src/estimators/model.ts';
import { estimators } from '../packages/conformance/src/estimators/table.ts';
import { type Backend, distanceNames } from '../packages/core/src/graph/index.ts';
import { jsBackend } from '../packages/core/src/index.ts';

/** A digest of all bits and the first numbers, after `fit` or after `finetune`. */
export interface Answer {
  readonly digest: string;
  readonly first: readonly number[];
}

export interface Recorded {
  /** onnxruntime's kernels depend on the instruction set of the processor. */
  readonly processor: string;
  /** `estimator distance backend`: [after fit, after finetune]. */
  readonly answers: Readonly<Record<string, readonly [Answer, Answer]>>;
}

export const backends: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  js: jsBackend,
  'onnx cpu': () => onnxBackend({ device: 'cpu', threads: 1 }),
  'tfjs wasm': () => tfjsBackend({ device: 'wasm' }),
};

const file = fileURLToPath(new URL('answers.json', import.meta.url));
export const recorded = (): Recorded => JSON.parse(readFileSync(file, 'utf8')) as Recorded;
/** The instruction sets of the processor; '' if no file lists them. */
export function processor(): string {
  try {
    const flags = /^flags.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
    return flags && createHash('sha256').update(flags).digest('hex').slice(0, 16);
  } catch {
    return '';
  }
}

const training = friedman(240, 'answers');
const asked = friedman(32, 'questions').X;

async function answerOf(
  model: Model,
  numbers: (model: Model, X: number[][]) => Promise<ArrayLike<number>>,
): Promise<Answer> {
  const values = Float64Array.from(await numbers(model, asked));
  const digest = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16);
  return { digest, first: Array.from(values.subarray(0, 6)) };
}

/** The answers of one backend. */
export async function answersOf(name: string): Promise<Recorded['answers']> {
  const backend = await (backends[name] as () => Backend | Promise<Backend>)();
  const answers: Record<string, readonly [Answer, Answer]> = {};
  for (const [estimator, { make, targets, small, numbers }] of Object.entries(estimators)) {
    for (const distance of distanceNames) {
      const model = make({ backend, distance, randomState: 7, ...small(true) });
      const y = targets(training.y);
      await model.fit(training.X, y, { maxIters: 2 });
      const fitted = await answerOf(model, numbers);
      await model.finetune(training.X, y, { epochs: 2 });
      answers[`${estimator} ${distance} ${name}`] = [fitted, await answerOf(model, numbers)];
    }
  }
  await backend.dispose();
  return answers;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found: Record<string, readonly [Answer, Answer]> = {};
  for (const name of Object.keys(backends)) Object.assign(found, await answersOf(name));
  if (process.argv.includes('--record')) {
    writeFileSync(file, JSON.stringify({ processor: processor(), answers: found }));
    execFileSync('npx', ['biome', 'format', '--write', file]);
  } else {
    const { answers } = recorded();
    for (const key of new Set([...Object.keys(answers), ...Object.keys(found)])) {
      const same = JSON.stringify(answers[key]) === JSON.stringify(found[key]);
      console.log(`${same ? 'same   ' : 'DIFFERS'} ${key}`);
      if (!same) process.exitCode = 1;
    }
  }
}

// The suites run where the provider's library lies beside the binding, on machines with CUDA; elsewhere its absence is what is tested.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describeBackend, describeEstimators } from '@fkm/conformance';
import { BATCH, BackendError, ndarray, scatter, sum, trace } from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { onnxBackend } from './index.js';
import { onCuda } from './known-gaps.js';

const { platform, arch } = process;
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-node'));
const library = join(
  runtime,
  '../bin/napi-v6',
  platform,
  arch,
  `libonnxruntime_providers_cuda.${platform === 'win32' ? 'dll' : 'so'}`,
);
const make = () => onnxBackend({ device: 'cuda' });

function withCuda(): void {
  describeBackend('onnx cuda', make, { knownGaps: onCuda });
  // Each graph that is kept holds about 150 MB of the GPU's memory: this part takes tens of GB.
  describeEstimators('onnx cuda', make, { thorough: false });

  it('gives the same bits where many blocks of threads add up', async () => {
    const [rows, columns, places] = [20_000, 16, 32];
    const graph = trace(
      'sums',
      {
        x: { shape: [BATCH, columns], dtype: 'float32' },
        at: { shape: [BATCH], dtype: 'int32' },
        zero: { shape: [places, columns], dtype: 'float32' },
      },
      ({ x, at, zero }) => ({ byPlace: scatter(zero, at, x), all: sum(x, 0) }),
    );
    const counted = (length: number, of: (i: number) => number): number[] =>
      Array.from({ length }, (_, i) => of(i));
    const inputs = [
      ndarray(
        counted(rows * columns, (i) => Math.sin(i * i)),
        [rows, columns],
      ),
      ndarray(
        counted(rows, (i) => (i * 7) % places),
        [rows],
        'int32',
      ),
      ndarray(
        counted(places * columns, () => 0),
        [places, columns],
      ),
    ];
    const backend = await make();
    const executable = await backend.compile(graph);
    const run = async () => {
      const outputs = await executable.run(inputs.map((input) => backend.upload(input)));
      return Promise.all(outputs.map((output) => output.read()));
    };
    const first = await run();
    for (let again = 0; again < 10; again++) expect(await run()).toEqual(first);
    await backend.dispose();
  });
}

async function withoutCuda(): Promise<void> {
  const error = await make().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(BackendError);
  expect(error).toMatchObject({
    kind: 'backend',
    message: expect.stringMatching(
      /needs libonnxruntime_providers_cuda\.so and libonnxruntime_providers_shared\.so of onnxruntime 1\.30\.0 .*onnxruntime-gpu/s,
    ),
  });
}

if (existsSync(library)) describe('with CUDA', withCuda);
else it('without its library, an error says which it is and where to get it', withoutCuda);

// The worker thread of onnx-backend.test.ts: runs one graph once.

import { parentPort } from 'node:worker_threads';
import { BATCH, ndarray, neg, trace, type Value } from '@fkm/core/graph';
import { onnxBackend } from './index.js';

const backend = await onnxBackend();
const graph = trace('worker', { x: { shape: [BATCH, 2], dtype: 'float32' } }, ({ x }) => ({ y: neg(x) }));
const executable = await backend.compile(graph);
const [y] = (await executable.run([backend.upload(ndarray([1, 2], [1, 2]))])) as [Value];
parentPort?.postMessage(Array.from(await y.read()));
await backend.dispose();

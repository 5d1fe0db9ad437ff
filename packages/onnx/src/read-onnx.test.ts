import { BATCH, FormatError, neg, trace } from '@fkm/core/graph';
import { expect, it } from 'vitest';
import { readOnnx } from './read-onnx.js';
import { toOnnx } from './to-onnx.js';

const bytes = toOnnx(
  trace('negate', { x: { shape: [BATCH, 2], dtype: 'float32' } }, ({ x }) => ({ y: neg(x) })),
  { metadata: { task: 'test' } },
);

it('reads what was written', () => {
  const model = readOnnx(bytes);
  expect(model.graph?.node.map((node) => node.opType)).toEqual(['Neg']);
  expect(model.metadataProps.map(({ key, value }) => [key, value])).toEqual([['task', 'test']]);
});

it.each([
  ['no bytes', new Uint8Array()],
  ['text', new TextEncoder().encode('{"model": "json"}')],
  ['half of a model', bytes.subarray(0, bytes.length >> 1)],
  ['noise', Uint8Array.from({ length: 100 }, (_, i) => (i * 73 + 11) % 256)],
])('refuses %s', (_, garbage) => {
  expect(() => readOnnx(garbage)).toThrow(FormatError);
  expect(() => readOnnx(garbage)).toThrow(/\[fkm\/onnx\] readOnnx: these \d+ bytes/);
});

// Errors say what was there, where, and which call ran: each sentence once held something else.

import { describe, expect, it } from 'vitest';
import { estimators, expectError, givenOf, type Model, rows, smallOf, tasks } from './testing.js';

const { X } = rows(40);

describe.each(tasks)('%s', (task) => {
  const { load, targets } = estimators[task];
  const y = targets(X);
  const fitted = async (): Promise<Model> => {
    const model = smallOf(task);
    await model.fit(X, y, { maxIters: 1 });
    return model;
  };

  it.each<[string, () => Promise<unknown>, 'format' | 'shape' | 'data', readonly string[]]>([
    ['a text for bytes', () => load('model.fkm' as never), 'format', ["but 'model.fkm', a text; loadFile"]],
    ['an object for bytes', () => load({} as never), 'format', ['no checkpoint bytes but an object']],
    ['few bytes', () => load(new Uint8Array(3)), 'format', ['no checkpoint bytes: 3 of them']],
    [
      'an ONNX file',
      () => load(Uint8Array.of(8, 10, 18, 3, 102, 107, 109, 26)),
      'format',
      ['importOnnx of @fkm/onnx'],
    ],
    [
      'rows of another width than a given grid',
      () => givenOf(task).fitBatch(X, y),
      'shape',
      ['fitBatch: X has 3 columns, initMode.prototypes has 2.'],
    ],
    [
      'a bigint',
      () => smallOf(task).fit([[1n, 2, 3]], y),
      'data',
      ['X has 1 in row 0, column 0, which is no number'],
    ],
    [
      'null',
      () => smallOf(task).fit([[1, null, 3]], targets([[1, 2, 3]])),
      'data',
      ['X has null in row 0, column 1. Remove'],
    ],
    [
      'a long text',
      () => smallOf(task).fit([['x'.repeat(9999), 2, 3]], targets([[1, 2, 3]])),
      'data',
      [`X has '${'x'.repeat(200)}…' in row 0`],
    ],
  ])('%s', async (_, call, kind, says) => expectError(call, { kind, says }));

  it('a model comes back from a whole ArrayBuffer', async () => {
    const model = await fitted();
    const bytes = await model.save();
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    expect(await (await load(buffer as never)).save()).toEqual(bytes);
  });
});

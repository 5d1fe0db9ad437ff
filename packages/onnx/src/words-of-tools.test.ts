// What registries and tools write into a file beside the model: words of theirs are let be, ours are not for them to change.

import { create } from '@bufbuild/protobuf';
import type { Estimator } from '@fkm/core/deploy';
import { expect, it } from 'vitest';
import { type ModelProto, StringStringEntryProtoSchema } from './generated/onnx_pb.js';
import { importOnnx } from './import-onnx.js';
import { backend, changed, learned, refusal, sealed, metadataText as text } from './testing.js';

const back = (bytes: Uint8Array): Promise<Estimator> => importOnnx(bytes, { backend });

const named = (all: readonly object[] | undefined, words: (i: number) => object): void => {
  for (const [i, one] of (all ?? []).entries()) Object.assign(one, words(i));
};

const words: readonly (readonly [string, (model: ModelProto) => unknown])[] = [
  ['producer', (m) => Object.assign(m, { producerName: 'registry', producerVersion: '7' })],
  ['no producer', (m) => Object.assign(m, { producerName: '', producerVersion: undefined })],
  ['version and domain', (m) => Object.assign(m, { modelVersion: 12n, domain: 'com.example' })],
  ['notes', (m) => Object.assign(m, { docString: 'a note' })],
  ['no notes', (m) => Object.assign(m, { docString: undefined })],
  ['graph', (m) => Object.assign(m.graph as object, { name: 'churn', docString: 'a note' })],
  ['nodes', (m) => named(m.graph?.node, (i) => ({ name: `n${i}`, docString: 'x' }))],
  ['no names of nodes', (m) => named(m.graph?.node, () => ({ name: '' }))],
  ['initialisers', (m) => named(m.graph?.initializer, () => ({ docString: 'weights' }))],
  ['inputs', (m) => named(m.graph?.input, () => ({ docString: 'features' }))],
  ['shapes', (m) => m.graph?.valueInfo.push(...(m.graph.output ?? []))],
  [
    'metadata',
    (m) => m.metadataProps.push(create(StringStringEntryProtoSchema, { key: 'note', value: 'yes' })),
  ],
];
it.each(words)('a file in which a tool changed the description of %s is accepted', async (_, change) => {
  const model = await learned.regressor();
  for (const options of [{}, { metadata: { author: 'Ada', 'Ünïcode 😀': '😀' } }]) {
    expect(await (await back(await changed(change, options))).save()).toEqual(
      await model.save({ optimiser: false }),
    );
  }
});

it('a file rewritten by Python with all descriptions set is accepted', async () => {
  const all = await changed((model) => {
    for (const [, change] of words) change(model);
  });
  expect(await (await back(all)).save()).toEqual(
    await (await learned.regressor()).save({ optimiser: false }),
  );
});

it('a file with added, missing or changed metadata of ours is refused', async () => {
  const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
  const without = (key: string) => (m: ModelProto) => {
    m.metadataProps = m.metadataProps.filter((one) => one.key !== key);
  };
  for (const [change, says] of [
    [(m: ModelProto) => m.metadataProps.push(entry('fkm.encoding', '{}')), "'fkm.encoding'"],
    [without('author'), "'author'"],
    [text('author', () => 'Eve'), "'author'"],
    [without('fkm.state'), "'fkm.state'"],
    [without('fkm.digest'), 'has no digests'],
    [text('fkm.digest', () => '{}'), 'the digests in its metadata are damaged'],
    [text('fkm.digest', (v) => v.replace('prototypes', 'prototype')), "its tensor 'prototype"],
    [text('fkm.version', () => '1.0'), "'fkm.version'"],
  ] as const) {
    expect(await refusal(await changed(change, { metadata: { author: 'Ada' } }))).toContain(says);
  }
});

it('an error quotes at most 200 characters of the file', async () => {
  const long = 'x'.repeat(5_000_000);
  const digested = (change: (model: ModelProto) => unknown) => async () => sealed(await changed(change));
  for (const make of [
    () => changed((m) => Object.assign(m, { producerName: long, metadataProps: [] })),
    () => changed(text('fkm.kind', () => long)),
    digested(text('fkm.version', () => long)),
    digested(text('fkm.version', () => `2.${'0'.repeat(100_000)}`)),
    digested(text('fkm.options', (v) => v.replace('"heads"', `"${long}"`))),
    digested(text('fkm.tensors', (v) => v.replace('"state.ages"', `"${long}"`))),
    digested(text('fkm.tensors', (v) => v.replace('"F64"', `"${long}"`))),
    () =>
      changed((m) => {
        for (let i = 0; i < 2; i++)
          m.metadataProps.push(create(StringStringEntryProtoSchema, { key: long, value: '' }));
      }),
  ]) {
    const message = await refusal(await make());
    // The other words are ours; the longest are a list of all options.
    expect(message.length).toBeLessThan(900);
    expect(message).not.toMatch(/x{201}|0{201}/);
  }
});

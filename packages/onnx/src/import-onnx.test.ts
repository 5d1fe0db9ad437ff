// The way back: a model that predicts the same bits, saves the same bytes and goes on training; and files that are not ours.

import { create, toBinary } from '@bufbuild/protobuf';
import { FastKMeansClassifier, FastKMeansRegressor, FastMultiLabelKMeansClassifier } from '@fkm/core';
import { type Estimator, type EstimatorClasses, estimatorClasses } from '@fkm/core/deploy';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import {
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
} from './generated/onnx_pb.js';
import { importOnnx } from './import-onnx.js';
import { readOnnx } from './read-onnx.js';
import {
  backend,
  changed,
  distances,
  expectClose,
  exported,
  learned,
  refusal,
  rows,
  sealed,
  softTypes,
  targetsOf,
  metadataText as text,
  trainingRows,
  withDigests,
  withoutDigests,
} from './testing.js';

const X = rows(20, 4, 7);
const train = trainingRows as number[][];
const back = (bytes: Uint8Array): Promise<Estimator> => importOnnx(bytes, { backend });
/** Nothing is lost but what `save({ optimiser: false })` leaves out as well. */
async function expectSame(again: Estimator, model: Estimator): Promise<void> {
  expect(await again.save()).toEqual(await model.save({ optimiser: false }));
  expect(await again.predict(X)).toEqual(await model.predict(X));
}

describe.each(Object.entries(learned))('%s', (task, make) => {
  it.each(distances)('comes back as it was, %s', async (distance) => {
    for (const softType of softTypes) {
      const model = await make({ distance, softType });
      const again = await back(exportOnnx(model));
      expect(again).toBeInstanceOf(estimatorClasses[task as keyof EstimatorClasses]);
      await expectSame(again, model);
    }
  });

  it('comes back from every way to export it', async () => {
    const model = await make({ softType: 'scaled' });
    for (const options of [
      { featureMask: true },
      { opset: 21, topK: 'argMax' },
      { weights: 'float32', metadata: { author: 'Ada' } },
    ] as const) {
      await expectSame(await back(exportOnnx(model, options)), model);
    }
  });
});

it('models of every make come back', async () => {
  const holes = await learned.regressor({ autoFeatureWeights: true });
  await holes.fitBatch(train, targetsOf.numbers(train), { featureMask: [1, 0, 1, 1] });
  const tuned = await learned.multiLabel();
  await tuned.tuneThresholds(train, targetsOf.labelSets(train));
  const given = new FastKMeansClassifier({
    backend,
    softType: 'scaled',
    initMode: { prototypes: train.slice(0, 3), owners: ['a', 'b', 'c'], ages: [1, 2, 2 ** 30] },
  });
  for (const model of [
    holes,
    tuned,
    given,
    await learned.regressor({ prototypeModel: 'linear', halfLife: 100 }),
    await learned.classifier({ prototypeTargets: 'owners' }),
    await learned.classifier({ dtype: 'float16' }),
    await learned.regressor({ dtype: 'bfloat16' }),
  ]) {
    await expectSame(await back(exportOnnx(model)), model);
    await expectSame(await back(exportOnnx(model, { weights: 'float32' })), model);
  }
  const strategy = await back(exportOnnx(tuned, { strategy: 'top_k', k: 2 }));
  await expectSame(strategy, tuned);
});

it('float16 weights come back as what the file computes with, in the dtype of the model', async () => {
  for (const prototypeModel of ['constant', 'linear'] as const) {
    const model = await learned.regressor({ prototypeModel });
    const again = (await back(exportOnnx(model, { weights: 'float16' }))) as FastKMeansRegressor;
    expect(again.grid.prototypes.dtype).toBe('float32');
    const { variable } = await exported(model, X, { weights: 'float16' });
    expectClose(variable, (await again.predict(X)).data, [X.length, 1]);
  }
});

it('training goes on as from a checkpoint without the optimiser', async () => {
  const model = await learned.regressor();
  const y = targetsOf.numbers(train);
  await model.fitBatch(train, y, { gradientStep: true });
  const again = (await back(exportOnnx(model))) as FastKMeansRegressor;
  const loaded = await FastKMeansRegressor.load(await model.save({ optimiser: false }), { backend });
  for (const one of [again, loaded]) {
    await one.fitBatch(train, y);
    await one.fitBatch(train, y, { gradientStep: true });
    await one.finetune(train, y, { epochs: 2 });
  }
  expect(await again.save()).toEqual(await loaded.save());
});

describe('a file', () => {
  const initializer = ({ graph }: ModelProto, name: string): TensorProto => {
    const found = graph?.initializer.find((tensor) => tensor.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  it.each([
    ['that is nothing', undefined, 'the file is undefined, not a Uint8Array'],
    ['of no bytes', new Uint8Array(), 'it has no graph'],
    ['of text', new TextEncoder().encode('{"model": "json"}'), 'no ONNX model of ours'],
    ['of zeros', new Uint8Array(64), 'no ONNX model of ours'],
    ['that claims a gigabyte', Uint8Array.of(0x3a, 0x80, 0x80, 0x80, 0x80, 0x04, 0), 'no ONNX model of ours'],
    [
      'that claims 2^63 bytes',
      Uint8Array.of(0x3a, ...new Array<number>(9).fill(0xff), 0x7f),
      'no ONNX model',
    ],
    ['of a million fields', new Uint8Array(2_000_000).fill(8), 'it has more than 4096 parts'],
    ['of nested groups', new Uint8Array(100_000).fill(0x3b), 'field 7 is a group'],
  ])('%s is refused', async (_, bytes, says) => {
    expect(await refusal(bytes)).toContain(says);
  });

  const edits: readonly (readonly [string, (model: ModelProto) => unknown, string])[] = [
    [
      'of another producer',
      (m) => Object.assign(m, { producerName: 'pytorch', metadataProps: [] }),
      "written by 'pytorch'",
    ],
    ['of an unknown kind', text('fkm.kind', () => 'toString'), "as a 'toString'"],
    ['of another kind', text('fkm.kind', () => 'classifier'), 'the model in this file is damaged:'],
    ['of a newer version', text('fkm.version', () => '2.0'), 'update @fkm/core'],
    ['with options that are none', text('fkm.options', () => '[]'), 'damaged: the options is no object'],
    ['with an impossible option', text('fkm.options', (v) => v.replace(/"heads":\d/, '"heads":-1')), 'heads'],
    ['with a state that is none', text('fkm.state', () => 'null'), 'the state in its metadata is damaged'],
    ['with classes that are none', text('fkm.classes', () => '{}'), 'the state in its metadata is damaged'],
    ['with a class twice', text('fkm.classes', () => '["a","a"]'), 'the classes are no list of labels'],
    [
      'with tensors that are none',
      text('fkm.tensors', () => '[[1]]'),
      'the tensors in its metadata are damaged',
    ],
    [
      'with tensors that are no base64',
      text('fkm.tensors', (v) => v.replace('"AAAA', '"A{AA')),
      'the tensors',
    ],
    [
      'with ages of another shape',
      text('fkm.tensors', (v) => v.replace('"F64",[12]', '"F64",[1e9]')),
      'state.ages does not fill',
    ],
    [
      'with a negative shape',
      text('fkm.tensors', (v) => v.replace('"F64",[12]', '"F64",[-12]')),
      'state.ages',
    ],
    ['with an export that is none', text('fkm.export', () => '3'), 'the options of the export'],
    ['with an impossible export', text('fkm.export', (v) => v.replace('17', '99')), 'cannot be exported'],
    ['with another export', text('fkm.export', (v) => v.replace('17', '18')), 'its graph is not the one'],
    [
      'with metadata twice',
      (m) =>
        m.metadataProps.push(create(StringStringEntryProtoSchema, { key: 'fkm.kind', value: 'clusterer' })),
      'it has the metadata fkm.kind twice',
    ],
    [
      'without prototypes',
      (m) => Object.assign(initializer(m, 'prototypes'), { name: 'prototype' }),
      'no prototypes',
    ],
    [
      'with negative dimensions',
      (m) => Object.assign(initializer(m, 'prototypes'), { dims: [-12n, -8n] }),
      'prototypes has',
    ],
    [
      'whose sizes overflow',
      (m) => Object.assign(initializer(m, 'prototypes'), { dims: [2n ** 32n, 2n ** 32n, 6n] }),
      'prototypes has 384 bytes for the shape [4294967296,4294967296,6]',
    ],
    [
      'that claims a gigabyte in a tensor',
      (m) => Object.assign(initializer(m, 'bias'), { dims: [2n ** 28n] }),
      'bias has',
    ],
    [
      'with a thousand axes',
      (m) => Object.assign(initializer(m, 'bias'), { dims: new Array(1000).fill(1n) }),
      '8 axes',
    ],
    [
      'with another shape',
      (m) => Object.assign(initializer(m, 'bias'), { dims: [3n, 4n] }),
      'damaged: bias is float32[3,4]',
    ],
    [
      'with another type',
      (m) => Object.assign(initializer(m, 'bias'), { dataType: 6 }),
      'damaged: bias is int32[12]',
    ],
    [
      'with an unknown type',
      (m) => Object.assign(initializer(m, 'bias'), { dataType: 99 }),
      'bias has the type 99',
    ],
    [
      'whose numbers are elsewhere',
      (m) => {
        const tensor = initializer(m, 'prototypes');
        tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
        tensor.externalData = [
          create(StringStringEntryProtoSchema, { key: 'location', value: '/etc/passwd' }),
        ];
      },
      'prototypes',
    ],
    [
      'whose numbers are in float_data',
      (m) => Object.assign(initializer(m, 'bias'), { floatData: new Array(12).fill(0) }),
      'bias has its numbers in field 4',
    ],
    [
      'with an initialiser twice',
      (m) => m.graph?.initializer.push(initializer(m, 'bias')),
      'it has the initialiser bias twice',
    ],
    [
      'whose graph goes round in a circle',
      (m) => {
        const [first, second] = m.graph?.node ?? [];
        if (first && second) first.input[0] = second.output[0] as string;
      },
      'its graph is not the one',
    ],
    [
      'with a node more',
      (m) => m.graph?.node.push(create(NodeProtoSchema, { opType: 'Identity', input: ['X'], output: ['Y'] })),
      'its graph is not the one',
    ],
    [
      'with a weight that its graph has not',
      (m) => Object.assign(initializer(m, 'const_0'), { rawData: new Uint8Array(4) }),
      'its graph',
    ],
    ['of another IR version', (m) => Object.assign(m, { irVersion: 7n }), 'its graph is not the one'],
  ];
  it.each(edits)('%s is refused', async (_, change, says) => {
    const bytes = await changed(change);
    await refusal(bytes);
    // With digests of what it holds by now it is not damaged, and still none of ours.
    expect(await refusal(sealed(bytes))).toContain(says);
  });

  it('without what training needs is refused', async () => {
    expect(await refusal(exportOnnx(await learned.regressor(), { training: false }))).toContain(
      'exported with training: false',
    );
  });

  it('whose labels share one that owns all prototypes is refused before it is exported to be compared', async () => {
    const count = 2100;
    const model = new FastMultiLabelKMeansClassifier({
      backend,
      softType: 'hard',
      initMode: {
        prototypes: Array.from({ length: count }, (_, k) => [k]),
        owners: new Array<string>(count).fill('0'),
      },
    });
    await model.fitBatch([[1]], [['0']]);
    const proto = readOnnx(exportOnnx(model));
    for (const entry of proto.metadataProps) {
      if (entry.key === 'fkm.classes')
        entry.value = JSON.stringify(Array.from({ length: count }, (_, c) => `${c}`));
      if (entry.key === 'fkm.state')
        entry.value = JSON.stringify({ ...JSON.parse(entry.value), outputs: count });
    }
    expect(await refusal(sealed(toBinary(ModelProtoSchema, proto)))).toContain(
      'make a table of 4410000 cells',
    );
  });

  it('of another version of the package counts by its weights, whatever its graph, with digests or without', async () => {
    const reversed = await changed((model) => model.graph?.node.reverse());
    const other = await changed((model) => {
      text('fkm.export', (value) => value.replace(/"version":"[^"]*"/, '"version":"0.0.1"'))(model);
      model.graph?.node.reverse();
    });
    for (const bytes of [withoutDigests(reversed), withDigests(other)]) {
      const again = await back(bytes);
      expect(await again.predict(X)).toEqual(await (await learned.regressor()).predict(X));
    }
    expect(await refusal(reversed)).toContain('its graph is not the one');
    expect(await refusal(other)).toContain("its metadata 'fkm.export' is not what was written");
  });

  it('of a model with an index holds all prototypes, and says that one was used', async () => {
    const index = (): never => {
      throw new Error('built without need');
    };
    const bytes = exportOnnx(await learned.clusterer({ index, useIndex: 'auto' }));
    const again = await importOnnx(bytes, { backend, index, useIndex: false });
    expect(await again.predict(X)).toEqual(await (await learned.clusterer()).predict(X));
  });

  it('wants a backend and no option that it knows nothing of', async () => {
    const bytes = exportOnnx(await learned.regressor());
    for (const [options, says] of [
      [undefined, 'importOnnx: the options should be an object with backend, index, useIndex, got undefined'],
      [{ backend, heads: 2 }, 'importOnnx: there is no option heads; there are backend, index, useIndex'],
      [{}, 'backend is missing'],
    ] as const) {
      await expect(importOnnx(bytes, options as never)).rejects.toThrow(says);
      await expect(importOnnx(bytes, options as never)).rejects.toMatchObject({ kind: 'option' });
    }
  });
});

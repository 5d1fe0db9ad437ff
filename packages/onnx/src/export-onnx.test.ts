// What an exported file is: its names and types, its options, and what is refused.

import { FastKMeansClassifier, FastKMeansClusterer, FastKMeansRegressor, isFkmError } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { printOnnx } from './print-onnx.js';
import { readOnnx } from './read-onnx.js';
import {
  backend,
  expectAgreement,
  expectBoth,
  exported,
  learned,
  rows,
  targetsOf,
  trainingRows,
  judgedRows as X,
} from './testing.js';

describe('the file', () => {
  const ports = (bytes: Uint8Array): string => {
    const lines = printOnnx(readOnnx(bytes)).split('\n');
    return `${lines[0]}${lines.at(-2)}`.replace(/^\w+|opset 17 \{/g, '').replace(/ +return /, ' → ');
  };

  it.each([
    ['clusterer', 'X: float[B,4]', 'label: int64[B], scores: float[B,6]'],
    ['classifier', 'X: float[B,4]', 'label: string[B], probabilities: float[B,3]'],
    ['multiLabel', 'X: float[B,4]', 'label: int64[B,3], probabilities: float[B,3]'],
    ['regressor', 'X: float[B,4]', 'variable: float[B,1]'],
    ['quantileRegressor', 'X: float[B,4]', 'variable: float[B,3]'],
  ] as const)('of a %s has the names of scikit-learn and a symbolic batch', async (task, input, outputs) => {
    const model = await learned[task]();
    expect(ports(exportOnnx(model))).toBe(`(${input}) → ${outputs}`);
    expect(ports(exportOnnx(model, { featureMask: true }))).toBe(
      `(${input}, feature_mask: float[B,4]) → ${outputs}`,
    );
  });

  it.each(Object.entries(learned))(
    'of a %s is plain ONNX without anything that is not read',
    async (_, make) => {
      for (const options of [{}, { softType: 'scaled' }] as const) {
        const { graph, irVersion, opsetImport, functions } = readOnnx(exportOnnx(await make(options)));
        expect([irVersion, opsetImport.map(({ domain, version }) => [domain, version])]).toEqual([
          8n,
          [['', 17n]],
        ]);
        expect(functions).toEqual([]);
        expect(new Set(graph?.node.map((node) => node.domain))).toEqual(new Set(['']));
        const read = new Set(graph?.node.flatMap((node) => node.input));
        expect(graph?.initializer.filter(({ name }) => !read.has(name))).toEqual([]);
      }
    },
  );

  it('is the same of the same model, and keeps the weights under their names', async () => {
    const [one, other] = [await learned.regressor(), await learned.regressor()];
    expect(exportOnnx(one)).toEqual(exportOnnx(other));
    const { graph } = readOnnx(exportOnnx(one));
    const prototypes = graph?.initializer.find(({ name }) => name === 'prototypes');
    const { data } = one.grid.prototypes;
    expect(prototypes?.rawData).toEqual(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });

  it('says who wrote it, what it is, and with which options', async () => {
    const model = await learned.classifier();
    const { metadataProps, producerName, producerVersion, docString } = readOnnx(
      exportOnnx(model, { metadata: { author: 'Ada', note: 'räksmörgås' } }),
    );
    expect(producerName).toBe('@fkm/onnx');
    expect(producerVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(docString).toBe('FastKMeansClassifier of @fkm/core');
    const texts = new Map(metadataProps.map(({ key, value }) => [key, value]));
    expect(JSON.parse(texts.get('fkm.classes') as string)).toEqual(['alpha', 'beta', 'gämma']);
    expect(JSON.parse(texts.get('fkm.options') as string)).toMatchObject({ nPrototypes: 12, heads: 2 });
    expect([texts.get('fkm.kind'), texts.get('author'), texts.get('note')]).toEqual([
      'classifier',
      'Ada',
      'räksmörgås',
    ]);
  });

  it('without training is shorter, and answers the same', async () => {
    const model = await learned.classifier();
    const bytes = exportOnnx(model, { training: false });
    expect(bytes.length).toBeLessThan(exportOnnx(model).length);
    expect(await exported(model, X, { training: false })).toEqual(await exported(model, X));
  });

  it('of 400 prototypes of 8 standardised columns is under 30 kB', async () => {
    const many = rows(1600, 8, 3);
    const model = new FastKMeansRegressor({ backend, scaling: 'standard', metric: 'none' });
    await model.fitBatch(many, targetsOf.numbers(many));
    expect(model.grid.prototypes.shape).toEqual([400, 8]);
    const whole = exportOnnx(model).length;
    expect(whole).toBeLessThan(30_000);
    expect(whole - exportOnnx(model, { weights: 'float16' }).length).toBeGreaterThan(7_000);
  });
});

describe('labels', () => {
  const classifierOf = async (names: readonly (string | number)[]): Promise<FastKMeansClassifier> => {
    const model = new FastKMeansClassifier({ backend, nPrototypes: 6, heads: 1 });
    await model.fitBatch(
      trainingRows as number[][],
      trainingRows.map(([a]) => names[(a as number) > 0 ? 1 : 0]) as string[],
    );
    return model;
  };

  it.each([
    ['string', ['', 'ä "b"\n\u0000']],
    ['int64', [-7, 2 ** 40]],
    ['float64', [-0.5, 7]],
    ['float64', [2, 1e-300]],
  ] as const)('that are %s come as such', async (type, names) => {
    const { label } = await expectAgreement(await classifierOf(names), X);
    expect(label?.type).toBe(type);
    expect(new Set(label?.data)).toEqual(new Set<string | number>(names));
  });
});

describe('options', () => {
  it.each([16, 17, 18, 19, 20, 21])('opset %i', async (opset) => {
    for (const make of Object.values(learned))
      await expectBoth(await make({ softType: 'scaled' }), { opset });
    await expectBoth(await learned.classifier({ softType: 'mean' }), { opset, topK: 'argMax' });
  });

  it("topK 'argMax' has no TopK", async () => {
    for (const make of Object.values(learned)) {
      const model = await make({ softType: 'softmax_scaled', topK: 3 });
      const ops = readOnnx(exportOnnx(model, { topK: 'argMax' })).graph?.node.map((node) => node.opType);
      expect(ops).not.toContain('TopK');
      await expectBoth(model, { topK: 'argMax' });
    }
  });

  const refused = (call: () => unknown): { kind: string; message: string } => {
    try {
      call();
    } catch (error) {
      if (isFkmError(error)) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  it.each([
    [{ opsets: 17 }, 'there is no option opsets; there are opset,'],
    [{ opset: 15 }, 'opset is 15; allowed is an integer from 16 to 21'],
    [{ featureMask: 1 }, 'featureMask is 1; allowed is true or false'],
    [{ strategy: 'best' }, "strategy is 'best'; allowed is 'adaptive', 'gap', 'top_k', 'tuned'"],
    [{ strategy: 'top_k' }, "strategy 'top_k' needs k"],
    [{ strategy: 'top_k', k: 0 }, 'k is 0; allowed is a positive integer'],
    [{ strategy: 'gap', k: 2 }, "k is 2, which only strategy 'top_k' has"],
    [{ weights: 'int8' }, "weights is 'int8'; allowed is 'float32', 'float16'"],
    [{ topK: 'ArgMax' }, "topK is 'ArgMax'; allowed is 'op', 'argMax'"],
    [{ training: 'no' }, "training is 'no'"],
    [{ metadata: { 'fkm.kind': 'x' } }, 'metadata is an object; allowed is an object of strings'],
    [{ metadata: { a: 1 } }, 'metadata is an object'],
    [null, 'the options should be an object with opset'],
  ])('%j is refused', async (options, says) => {
    const model = await learned.multiLabel();
    const error = refused(() => exportOnnx(model, options as never));
    expect([error.kind, error.message]).toEqual(['option', expect.stringContaining(`exportOnnx: ${says}`)]);
  });

  it('strategies of other estimators, models that are none, and models that know nothing are refused', async () => {
    const regressor = await learned.regressor();
    expect(refused(() => exportOnnx(regressor, { strategy: 'gap' })).message).toContain(
      'exportOnnx: strategy is gap, which only a multi-label classifier has',
    );
    expect(refused(() => exportOnnx({} as never)).message).toContain('exportOnnx: model is object; pass');
    expect(refused(() => exportOnnx(null as never)).message).toContain('exportOnnx: model is null; pass');
    const multiLabel = await learned.multiLabel();
    expect(refused(() => exportOnnx(multiLabel, { strategy: 'tuned' })).kind).toBe('state');
    const empty = refused(() => exportOnnx(new FastKMeansClusterer({ backend })));
    expect([empty.kind, empty.message]).toEqual([
      'state',
      expect.stringContaining('exportOnnx: this model has not'),
    ]);
  });

  it('weights beyond float16 are refused', async () => {
    const model = new FastKMeansClusterer({
      backend,
      initMode: {
        prototypes: [
          [1, 2],
          [3, 70_000],
        ],
      },
    });
    const error = refused(() => exportOnnx(model, { weights: 'float16' }));
    expect([error.kind, error.message]).toEqual([
      'data',
      expect.stringContaining('exportOnnx: prototypes reach 70000, float16 ends at 65504'),
    ]);
  });
});

// Every kind of model there is, exported and run: it answers as `predict` does, on any number of rows.

import {
  type Distance,
  FastKMeansClassifier,
  FastKMeansRegressor,
  type FastMultiLabelKMeansClassifier,
  type Strategy,
} from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';
import { readOnnx } from './read-onnx.js';
import {
  backend,
  distances,
  expectBoth,
  expectClose,
  exported,
  learned,
  opened,
  rows,
  seeded,
  targetsOf,
  trainingRows,
  judgedRows as X,
} from './testing.js';

describe('scores of a clusterer', () => {
  it.each(distances)('are %s distances', async (distance) => {
    const model = await learned.clusterer({ distance });
    const { prototypes } = model.grid;
    const [count, columns] = prototypes.shape as [number, number];
    const expected = X.flatMap((x) =>
      Array.from({ length: count }, (_, k) => {
        const p = prototypes.data.subarray(k * columns, (k + 1) * columns);
        const total = (term: (a: number, b: number) => number): number =>
          x.reduce((sum, a, j) => sum + term(a, p[j] as number), 0);
        const measured = {
          l1: () => total((a, b) => Math.abs(a - b)),
          euclidean: () => Math.sqrt(total((a, b) => (a - b) ** 2)),
          cosine: () => 1 - total((a, b) => a * b) / Math.hypot(...x) / Math.hypot(...p),
        } satisfies { [D in Distance]: () => number };
        return measured[distance]();
      }),
    );
    expectClose((await exported(model, X)).scores, expected, [X.length, count]);
  });
});

describe('strategies', () => {
  const tuned = async (): Promise<FastMultiLabelKMeansClassifier> => {
    const model = await learned.multiLabel();
    await model.tuneThresholds(trainingRows as number[][], targetsOf.labelSets(trainingRows));
    return model;
  };

  it.each<{ strategy: Strategy; k?: number }>([
    { strategy: 'adaptive' },
    { strategy: 'gap' },
    { strategy: 'top_k', k: 2 },
    { strategy: 'top_k', k: 9 },
    { strategy: 'tuned' },
  ])('%j', async (options) => {
    await expectBoth(await tuned(), options);
    await expectBoth(await tuned(), { ...options, topK: 'argMax' });
  });

  it('are as in predict where none is named', async () => {
    const model = await tuned();
    expect(exportOnnx(model, { training: false, strategy: 'tuned' }).length).toBeGreaterThan(
      exportOnnx(model, { training: false, strategy: 'adaptive' }).length,
    );
    expect((await exported(model, X)).label).toEqual((await exported(model, X, { strategy: 'tuned' })).label);
    await expectBoth(model);
    await expectBoth(await learned.multiLabel());
  });
});

describe('batches', () => {
  it.each(Object.entries(learned))('of 1 and of 3,000 rows, of a %s', async (_, make) => {
    const model = await make();
    const { run, session } = await opened(exportOnnx(model));
    const many = rows(3000, 4, 11);
    const all = await run(many);
    for (const i of [0, 1, 2999]) {
      const one = await run([many[i] as number[]]);
      for (const [name, { data, dims }] of Object.entries(one)) {
        const width = (all[name]?.data.length as number) / many.length;
        expect(dims[0]).toBe(1);
        const row = all[name]?.data.slice(i * width, (i + 1) * width) ?? [];
        if (typeof row[0] === 'string') expect(data).toEqual(row);
        else expectClose(one[name], row as number[], dims);
      }
    }
    await session.release();
  });

  // TopK of onnxruntime 1.30 divides by the rows, which ends the process: nothing with the op itself is tried here.
  it.each(Object.entries(learned))('of no rows, of a %s without TopK', async (_, make) => {
    for (const softType of ['gaussian', 'scaled'] as const) {
      const answers = await exported(await make({ softType }), [], { topK: 'argMax' });
      for (const { data, dims } of Object.values(answers)) expect([data, dims[0]]).toEqual([[], 0]);
    }
  });
});

describe('models', () => {
  it.each(['none', 'standard', 'quantile', 'dual'] as const)('with scaling %s', async (scaling) => {
    await expectBoth(await learned.regressor({ scaling }));
    await expectBoth(await learned.clusterer({ scaling, distance: 'cosine' }));
  });

  it('with a column that never varied', async () => {
    const model = new FastKMeansRegressor({ backend, nPrototypes: 6, heads: 2 });
    const still = trainingRows.map(([a, , c, d]) => [a, 3, c, d] as number[]);
    await model.fitBatch(still, targetsOf.numbers(still));
    await expectBoth(model);
  });

  it('of several target columns', async () => {
    const model = new FastKMeansRegressor({ backend, nPrototypes: 6, heads: 2 });
    await model.fitBatch(
      trainingRows as number[][],
      trainingRows.map(([a, b]) => [a as number, 100 * (b as number)]),
    );
    await expectBoth(model);
  });

  it('that gradients have moved', async () => {
    const model = await learned.classifier();
    await model.finetune(trainingRows as number[][], targetsOf.classes(trainingRows), { epochs: 3 });
    await expectBoth(model);
  });

  it('whose probabilities a sharpness and a loss have calibrated', async () => {
    const classifier = await learned.classifier();
    const y = targetsOf.classes(trainingRows);
    await classifier.finetune(trainingRows as number[][], y, { epochs: 3, evalFraction: 0.2 });
    const { initializer = [] } = readOnnx(exportOnnx(classifier)).graph ?? {};
    expect(initializer.map(({ name }) => name)).toContain('sharpness');
    await expectBoth(classifier);
    for (const aslVariant of ['standard', 'original'] as const) {
      const labels = await learned.multiLabel({ aslVariant });
      await expectBoth(labels);
      await labels.finetune(trainingRows as number[][], targetsOf.labelSets(trainingRows), { epochs: 3 });
      for (const strategy of ['adaptive', 'gap'] as const) await expectBoth(labels, { strategy });
    }
  });

  it('whose prototypes answer lines', async () => {
    for (const distance of ['euclidean', 'l1'] as const) {
      await expectBoth(await learned.regressor({ distance, prototypeModel: 'linear' }));
    }
  });

  it('whose prototypes stand for classes', async () => {
    await expectBoth(await learned.classifier({ prototypeTargets: 'owners' }));
  });

  it('of so many classes that their shares are scattered', async () => {
    const random = seeded(5);
    const prototypes = Array.from({ length: 1100 }, () => [random(), random(), random(), random()]);
    const owners = prototypes.map((_, k) => k % 1000);
    const model = new FastKMeansClassifier({
      backend,
      softType: 'scaled',
      initMode: { prototypes, owners },
    });
    expect(readOnnx(exportOnnx(model)).graph?.node.map((node) => node.opType)).toContain('ScatterElements');
    await expectBoth(model);
  });

  it('with weighted features', async () => {
    const featureWeights = [1, 0.5, 0, 0.25];
    await expectBoth(await learned.regressor({ featureWeights, scaling: 'standard' }));
    await expectBoth(await learned.clusterer({ featureWeights }));
  });

  it('that saw rows as CSR', async () => {
    const dense = trainingRows.map((row) => row.map((v) => (Math.abs(v) < 0.5 ? 0 : 40 * v)));
    const entries = dense.map((row) => row.flatMap((v, j) => (v === 0 ? [] : [[j, v] as const])));
    const indptr = [0];
    for (const list of entries) indptr.push((indptr.at(-1) as number) + list.length);
    const csr = {
      indptr,
      indices: entries.flatMap((list) => list.map(([j]) => j)),
      values: entries.flatMap((list) => list.map(([, v]) => v)),
      shape: [dense.length, 4] as const,
    };
    const model = new FastKMeansRegressor({ backend, nPrototypes: 8, heads: 1 });
    await model.fitBatch(csr, targetsOf.numbers(dense));
    expect(model.grid.metric).toBeDefined();
    await expectBoth(model);
  });

  it('stored in halves, as halves or widened', async () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const model = await learned.classifier({ dtype });
      const type = (options = {}): unknown =>
        readOnnx(exportOnnx(model, options)).graph?.initializer.find(({ name }) => name === 'prototypes')
          ?.dataType;
      expect(type()).toBe(TensorProto_DataType[dtype === 'float16' ? 'FLOAT16' : 'BFLOAT16']);
      expect(type({ weights: 'float32' })).toBe(TensorProto_DataType.FLOAT);
      await expectBoth(model);
      await expectBoth(model, { weights: 'float32' });
      await expectBoth(model, { weights: 'float16' });
    }
  });

  it('with float16 weights, which cost a little', async () => {
    const model = await learned.regressor({ prototypeModel: 'linear' });
    const { variable } = await exported(model, X, { weights: 'float16' });
    const { data } = await model.predict(X);
    const worst = Math.max(
      ...Array.from(data, (value, i) => Math.abs(value - (variable?.data[i] as number))),
    );
    expect(worst).toBeGreaterThan(1e-6);
    expect(worst).toBeLessThan(1e-2);
  });
});

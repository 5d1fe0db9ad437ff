// The original's numbers, held by the traced formulas and by the regressor on one backend.

import { FastKMeansRegressor, type Matrix, type RegressorOptions } from '@fkm/core';
import {
  BATCH,
  type Backend,
  compare,
  type Distance,
  type Graph,
  ndarray,
  pairwise,
  routingWeights,
  type Tensor,
  type TensorSpec,
  trace,
} from '@fkm/core/graph';
import type { Check } from '../contract.js';
import { expectOriginal, fixtures, type Stored, unitRows } from './original.js';

const { X, C, featureMask, featureWeights, sampleWeight, yRegression, prototypeTargets, big } =
  fixtures.inputs;

const matrix = ({ shape, data }: Stored): Matrix => ({ data, shape: shape as readonly [number, number] });
const scalar = (value: number): Stored => ({ shape: [], data: [value] });
const rowsFor = (distance: Distance): Stored => (distance === 'cosine' ? unitRows(X) : X);
const f32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });

/** Runs a graph once; its only output. */
async function output(backend: Backend, graph: Graph, inputs: readonly Stored[]): Promise<Stored> {
  const values = inputs.map(({ shape, data }) => backend.upload(ndarray(data, shape)));
  const executable = await backend.compile(graph);
  const [result] = await executable.run(values);
  if (!result) throw new Error(`${graph.name} gave nothing.`);
  const data = Array.from(await result.read());
  for (const value of [result, ...values]) value.dispose();
  return { shape: result.shape, data };
}

const similarityChecks = (): Check[] =>
  fixtures.similarity.map(({ distance, masked, weighted, value }) => ({
    key: `similarity ${distance}${masked ? ' masked' : ''}${weighted ? ' weighted' : ''}`,
    run: async (backend) => {
      const specs = {
        x: f32(BATCH, 5),
        prototypes: f32(6, 5),
        ...(masked ? { mask: f32(BATCH, 5) } : {}),
        ...(weighted ? { weights: f32(1, 5) } : {}),
      };
      const graph = trace('similarity', specs, (t: Readonly<Record<string, Tensor>>) => ({
        s: pairwise({
          distance,
          x: t.x as Tensor,
          prototypes: t.prototypes as Tensor,
          mask: t.mask,
          weights: t.weights,
        }),
      }));
      const inputs = [X, C];
      // What the mask hides may hold anything: it holds a NaN here.
      if (masked) {
        inputs[0] = {
          ...X,
          data: X.data.map((x, i) => ((featureMask.data[i] as number) > 0 ? x : Number.NaN)),
        };
        inputs.push(featureMask);
      }
      if (weighted) inputs.push({ shape: [1, 5], data: featureWeights.data });
      expectOriginal('similarity', await output(backend, graph, inputs), value);
    },
  }));

const routingChecks = (): Check[] =>
  fixtures.routing.map(({ distance, softType, temperature, topK, value }) => ({
    key: `routing ${distance} ${softType} topK ${topK}`,
    run: async (backend) => {
      const graph = trace('routing', { x: f32(BATCH, 5), prototypes: f32(6, 5) }, (t) => {
        const { similarity, delta } = compare({ distance, ...t });
        return { r: routingWeights({ similarity, delta }, { softType, temperature, topK }) };
      });
      expectOriginal('weights', await output(backend, graph, [X, C]), value);
    },
  }));

/** A regressor that starts at the fixtures' grid. */
const given = (
  backend: Backend,
  options: Partial<RegressorOptions>,
  ages: number[] | undefined = undefined,
): FastKMeansRegressor =>
  new FastKMeansRegressor({
    backend,
    softType: 'scaled',
    initMode: {
      prototypes: matrix(C),
      targets: matrix(prototypeTargets),
      ...(ages ? { ages } : {}),
    },
    ...options,
  });

const along = (masked: boolean) => ({
  sampleWeight: sampleWeight.data,
  ...(masked ? { featureMask: matrix(featureMask) } : {}),
});

const emaChecks = (): Check[] =>
  fixtures.emaStep.map((want) => {
    const { distance, masked, options } = want;
    const { target_assignment: targetAssignment, temperature = 1 } = options;
    return {
      key: `emaStep ${distance}${masked ? ' masked' : ''} ${targetAssignment}`,
      run: async (backend) => {
        const model = given(backend, { distance, targetAssignment, temperature }, [2, 2, 2, 2, 2, 2]);
        const shift = await model.fitBatch(matrix(rowsFor(distance)), matrix(yRegression), along(masked));
        const { grid } = model;
        expectOriginal('shift', { shape: [], data: [shift] }, scalar(want.shift));
        expectOriginal('prototypes', grid.prototypes, want.prototypes);
        expectOriginal('ages', grid.ages, want.featureAges ?? want.weights);
        if (!grid.targets) throw new Error('the grid has no targets.');
        expectOriginal('targets', grid.targets, want.targets);
      },
    };
  });

const gradientChecks = (): Check[] =>
  fixtures.gradient.map((want) => {
    const { distance, masked, softType, temperature, topK, l2Reg, diversityReg } = want;
    return {
      key: `gradient ${distance}${masked ? ' masked' : ''} ${softType} l2 ${l2Reg} diversity ${diversityReg}`,
      run: async (backend) => {
        const model = given(backend, { distance, softType, temperature, topK, l2Reg, diversityReg });
        const rows = matrix(rowsFor(distance));
        const { loss, gradients } = await model.lossAndGradients(rows, matrix(yRegression), along(masked));
        expectOriginal('loss', { shape: [], data: [loss] }, scalar(want.loss));
        const { prototypes, targets } = gradients;
        if (!prototypes || !targets) throw new Error(`gradients of ${Object.keys(gradients)} alone.`);
        expectOriginal('d loss / d targets', targets, want.dTargets);
        expectOriginal('d loss / d prototypes', prototypes, want.dPrototypes);
      },
    };
  });

const predictChecks = (): Check[] =>
  fixtures.predict.map(({ distance, topK, softType, value }) => ({
    key: `predict ${distance}`,
    run: async (backend) => {
      const model = given(backend, { distance, topK, softType });
      expectOriginal('prediction', await model.predict(matrix(rowsFor(distance))), value);
    },
  }));

const autoChecks = (): Check[] =>
  fixtures.autoK.map(({ distance, scale, offset, k }) => ({
    key: `autoK ${distance} scale ${scale}`,
    run: async (backend) => {
      // One prototype a stratum, so that the grid counts the strata.
      const model = new FastKMeansRegressor({
        backend,
        softType: 'scaled',
        scaling: 'none',
        kTargets: 'auto',
        kFeatures: 1,
        targetDistance: distance,
        targetAssignment: 'mean',
      });
      const y = matrix({ ...big, data: big.data.map((x) => x * scale + offset) });
      await model.fitBatch(matrix(big), y);
      const strata = model.grid.prototypes.shape[0];
      if (strata !== k) throw new Error(`k is ${strata}, should be ${k}.`);
    },
  }));

const importanceChecks = (): Check[] =>
  fixtures.featureImportance.map(({ masked, weights }) => ({
    key: `featureImportance${masked ? ' masked' : ''}`,
    run: async (backend) => {
      const model = given(backend, { autoFeatureWeights: true });
      model.freezePrototypes();
      await model.fitBatch(matrix(X), matrix(yRegression), along(masked));
      const twice = { ...X, data: X.data.map((x) => 2 * x) };
      await model.fitBatch(matrix(twice), matrix(yRegression), along(masked));
      const found = model.grid.featureWeights;
      if (!found) throw new Error('the grid has no featureWeights.');
      // 1 − within/total: a weight near 0 is what is left of two terms near 1, each a float32 sum over 12 rows.
      expectOriginal('featureWeights', { shape: [found.data.length], data: found.data }, weights, 12);
    },
  }));

/** Every fixture that concerns the regressor. */
export const originalChecks = (): Check[] => [
  ...similarityChecks(),
  ...routingChecks(),
  ...emaChecks(),
  ...gradientChecks(),
  ...predictChecks(),
  ...autoChecks(),
  ...importanceChecks(),
];

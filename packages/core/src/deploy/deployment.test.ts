// Deployments: one graph from raw rows to answers that says what the model says, and parts that make the checkpoint again.

import { describe, expect, it } from 'vitest';
import type { NdArray } from '../dtype.js';
import { ndarray } from '../dtype.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import { backend, estimators, expectError, type Model, rows, smallOf, tasks } from '../estimators/testing.js';
import { print } from '../graph/print.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { toCheckpoint } from './checkpoint-parts.js';
import { type Deployment, deployment } from './deployment.js';
import type { Estimator } from './snapshot.js';

const { X } = rows(40);
const deployed = (model: Model, options: object = {}): Deployment =>
  deployment(model as unknown as Estimator, { featureMask: false, ...options });

/** What the graph gives for rows, by the names of its outputs. */
function run(
  { graph, constants }: Deployment,
  feeds: Readonly<Record<string, NdArray>>,
): Record<string, NdArray> {
  const inputs = graph.inputs.map(({ name }) => feeds[name] ?? (constants[name] as NdArray));
  const results = evaluateGraph(graph, inputs);
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, results[i] as NdArray]));
}

describe.each(tasks)('%s', (task) => {
  const trained = async (options?: object): Promise<Model> => {
    const model = smallOf(task, options);
    await model.fitBatch(X, estimators[task].targets(X));
    return model;
  };

  it('says what the model says, to the bit', async () => {
    const model = await trained();
    const one = deployed(model);
    const answers = run(one, { X: ndarray(X.flat(), [40, 3]) });
    const { data } = await model.predict(X);
    const found = (answers.label ?? answers.variable)?.data as ArrayLike<number>;
    const named = task === 'classifier' ? Array.from(found, (c) => one.classes[c]) : Array.from(found);
    expect(named).toEqual(Array.from(data));
    if (answers.probabilities)
      expect(answers.probabilities.data).toEqual((await model.predictProba?.(X))?.data);
  });

  it('has the constants that it reads, and with the rest they are the checkpoint', async () => {
    const model = await trained();
    for (const weights of [undefined, 'float32'] as const) {
      const { graph, constants, rest } = deployed(model, { weights });
      expect(graph.inputs.map(({ name }) => name)).toEqual(['X', ...Object.keys(constants)]);
      expect(rest.tensors.map(({ name }) => name)).not.toContain('prototypes');
      const again = await estimators[task].load(toCheckpoint(rest, constants));
      expect(await again.save()).toEqual(await model.save({ optimiser: false }));
    }
  });
});

it('is the formulas and no more', () => {
  const model = new FastKMeansClusterer({ backend, distance: 'l1', initMode: { prototypes: [[0, 1]] } });
  expect(print(deployment(model, { featureMask: true }).graph)).toMatchInlineSnapshot(`
    "clusterer(X: f32[B,2], feature_mask: f32[B,2], prototypes: f32[1,2]) {
      %0: f32[] = constant() {0}
      %1: bool[B,2] = lt(%0, feature_mask)
      %2: f32[B,2] = select(%1, X, %0)
      %3: f32[B,2] = max(feature_mask, %0)
      %4: f32[] = constant() {1}
      %5: f32[B,2] = min(%3, %4)
      %6: bool[B,2] = lt(%0, %5)
      %7: f32[B,2] = select(%6, %2, %0)
      %8: f32[B,1] = sum(%5) keepDims=true axes=[1]
      %9: f32[] = constant() {9.999999960041972e-13}
      %10: f32[B,1] = max(%8, %9)
      %11: f32[] = constant() {2}
      %12: f32[B,1] = div(%11, %10)
      %13: f32[B,1,2] = reshape(%7) shape=[-1,1,2]
      %14: f32[B,1,2] = reshape(%5) shape=[-1,1,2]
      %15: f32[1,2] = slice(prototypes) axis=0 begin=0 end=1
      %16: f32[B,1,2] = sub(%13, %15)
      %17: f32[B,1,2] = abs(%16)
      %18: f32[B,1,2] = mul(%17, %14)
      %19: f32[B,1] = sum(%18) axes=[2]
      %20: f32[B,1] = mul(%19, %12)
      %21: f32[B,1] = max(%20, %0)
      %22: i32[B], %23: f32[B] = composite(%2, prototypes, feature_mask) name=nearest.l1 nearest.l1(x: f32[B,2], prototypes: f32[1,2], mask: f32[B,2]) {
        %0: f32[] = constant() {0}
        %1: f32[B,2] = max(mask, %0)
        %2: f32[] = constant() {1}
        %3: f32[B,2] = min(%1, %2)
        %4: bool[B,2] = lt(%0, %3)
        %5: f32[B,2] = select(%4, x, %0)
        %6: f32[B,1] = sum(%3) keepDims=true axes=[1]
        %7: f32[] = constant() {9.999999960041972e-13}
        %8: f32[B,1] = max(%6, %7)
        %9: f32[] = constant() {2}
        %10: f32[B,1] = div(%9, %8)
        %11: f32[B,1,2] = reshape(%5) shape=[-1,1,2]
        %12: f32[B,1,2] = reshape(%3) shape=[-1,1,2]
        %13: f32[1,2] = slice(prototypes) axis=0 begin=0 end=1
        %14: f32[B,1,2] = sub(%11, %13)
        %15: f32[B,1,2] = abs(%14)
        %16: f32[B,1,2] = mul(%15, %12)
        %17: f32[B,1] = sum(%16) axes=[2]
        %18: f32[B,1] = mul(%17, %10)
        %19: f32[B,1] = max(%18, %0)
        %20: f32[B,1] = neg(%19)
        %21: i32[B] = argMax(%20) axis=1
        %22: f32[B] = reduceMax(%20) axes=[1]
        %23: f32[B] = neg(%22)
        return index=%21, delta=%23
      }
      return label=%22, scores=%21
    }"
  `);
});

it('float16 weights are widened in the graph', async () => {
  const model = smallOf('clusterer');
  await model.fitBatch(X, undefined);
  const { graph, constants } = deployed(model, { weights: 'float16' });
  expect(constants.prototypes?.dtype).toBe('float16');
  expect(graph.equations.map(({ op }) => op)).toContain('cast');
});

it('strategies that cannot be are refused', async () => {
  const regressor = smallOf('regressor');
  await regressor.fitBatch(X, estimators.regressor.targets(X));
  for (const [options, says] of [
    [{ strategy: 'gap' }, 'strategy is gap, which a multi-label classifier alone has'],
    [{ k: 2 }, "k is 2, which strategy 'top_k' alone has"],
  ] as const) {
    await expectError(() => deployed(regressor, options), { kind: 'option', says: [`deployment: ${says}`] });
  }
  await expectError(() => deployed(smallOf('regressor')), { kind: 'state', says: ['not been fitted'] });
});

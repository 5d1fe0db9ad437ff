// Deployments: one graph from raw rows to answers that says what the model says, and parts that make the checkpoint again.

import { describe, expect, it } from 'vitest';
import { toCheckpoint } from '../checkpoint/parts.js';
import type { NdArray } from '../dtype.js';
import { ndarray } from '../dtype.js';
import { FastKMeansClusterer } from '../estimators/clusterer.js';
import type { Estimator } from '../estimators/estimator.js';
import { backend, estimators, expectError, type Model, rows, smallOf, tasks } from '../estimators/testing.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { print } from '../graph/print.js';
import { type Deployment, deployment } from './deployment.js';

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

it('is the formulas, with rows of no answer marked, and no more', () => {
  const model = new FastKMeansClusterer({ backend, distance: 'l1', initMode: { prototypes: [[0, 1]] } });
  expect(print(deployment(model, { featureMask: true }).graph)).toMatchInlineSnapshot(`
    "clusterer(X: f32[B,2], feature_mask: f32[B,2], prototypes: f32[1,2]) {
      %0: f32[B,2] = abs(X)
      %1: f32[] = constant() {3.4028234663852886e+38}
      %2: bool[B,2] = lt(%0, %1)
      %3: f32[] = constant() {0}
      %4: bool[B,2] = lt(%3, feature_mask)
      %5: bool[B,2] = not(%2)
      %6: bool[B,2] = and(%4, %5)
      %7: f32[B,2] = select(%2, X, %3)
      %8: f32[B,2] = select(%4, %7, %3)
      %9: f32[B,2] = max(feature_mask, %3)
      %10: f32[] = constant() {1}
      %11: f32[B,2] = min(%9, %10)
      %12: bool[B,2] = lt(%3, %11)
      %13: f32[B,2] = select(%12, %8, %3)
      %14: f32[B,1] = sum(%11) keepDims=true axes=[1]
      %15: f32[] = constant() {9.999999960041972e-13}
      %16: f32[B,1] = max(%14, %15)
      %17: f32[] = constant() {2}
      %18: f32[B,1] = div(%17, %16)
      %19: f32[B,1,2] = reshape(%13) shape=[-1,1,2]
      %20: f32[B,1,2] = reshape(%11) shape=[-1,1,2]
      %21: f32[1,2] = slice(prototypes) axis=0 begin=0 end=1
      %22: f32[B,1,2] = sub(%19, %21)
      %23: f32[B,1,2] = abs(%22)
      %24: f32[B,1,2] = mul(%23, %20)
      %25: f32[B,1] = sum(%24) axes=[2]
      %26: f32[B,1] = mul(%25, %18)
      %27: f32[B,1] = max(%26, %3)
      %28: i32[B], %29: f32[B] = composite(%8, prototypes, feature_mask) name=nearest.l1 nearest.l1(x: f32[B,2], prototypes: f32[1,2], mask: f32[B,2]) {
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
      %30: f32[B,2] = cast(%6) dtype=float32
      %31: f32[B] = reduceMax(%30) axes=[1]
      %32: f32[] = constant() {0.5}
      %33: bool[B] = lt(%31, %32)
      %34: f32[B] = sum(%27) axes=[1]
      %35: f32[B] = abs(%34)
      %36: bool[B] = lt(%35, %1)
      %37: bool[B] = and(%33, %36)
      %38: i32[] = constant() {-1}
      %39: i32[B] = select(%37, %28, %38)
      %40: bool[B,1] = reshape(%37) shape=[-1,1]
      %41: f32[] = constant() {NaN}
      %42: f32[B,1] = select(%40, %27, %41)
      return label=%39, scores=%42
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
    [{ strategy: 'gap' }, 'strategy is gap, which only a multi-label classifier has'],
    [{ k: 2 }, "k is 2, which only strategy 'top_k' has"],
  ] as const) {
    await expectError(() => deployed(regressor, options), { kind: 'option', says: [`deployment: ${says}`] });
  }
  await expectError(() => deployed(smallOf('regressor')), { kind: 'state', says: ['not been fitted'] });
});

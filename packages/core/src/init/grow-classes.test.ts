// Outputs and prototypes for new classes, array by array.

import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { classifierHeads } from '../heads/classifier.js';
import type { HeadFamily } from '../heads/head.js';
import { multiLabelHeads } from '../heads/multi-label.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';
import { momentNames } from '../training/graphs.js';
import { Programs } from '../training/program.js';
import { growClasses, widenOutputs } from './grow-classes.js';

const programs = new Programs(jsBackend());
const contextOf = (family: HeadFamily, options: object = {}): Context => ({
  programs,
  family,
  call: 'fit',
  options: {
    softType: 'gaussian',
    distance: 'euclidean',
    kInit: 1,
    dtype: 'float32',
    ...options,
  } as Resolved,
});
const list = (array: NdArray | undefined): number[] => Array.from(array?.data ?? []);

/** Four prototypes of classes 0 and 1 with moments, in one head or two. */
function stateOf(context: Context, heads: number, given: Partial<ModelState> = {}): ModelState {
  const code = context.family.head(context.options, true).code;
  const means = Float64Array.from([1, 0, 0, 1, 1, 0, 0.25, 0.75]);
  const counting = (from: number, shape: number[]): NdArray =>
    ndarray(
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
      shape,
    );
  const parameters: Record<string, NdArray> = {
    prototypes: counting(0, [4, 2]),
    targets: ndarray(code?.store(means, 2, heads) ?? [], [4, 2]),
    logBandwidth: counting(0, [4]),
    bias: counting(4, [4]),
  };
  const moments = Object.entries(parameters).flatMap(([name, { shape }], i) =>
    momentNames(name).map((moment, j) => [moment, counting(100 * i + 50 * j + 1, [...shape])] as const),
  );
  return {
    arrays: {
      ...parameters,
      owners: ndarray([0, 1, 0, 1], [4], 'int32'),
      featureWeights: counting(1, [heads, 2]),
      frozen: ndarray([1, 0, 1, 0], [4], 'bool'),
      ...Object.fromEntries(moments),
    },
    ages: Float64Array.from([5, 6, 7, 8]),
    coordinateAges: Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
    spread: Float64Array.from(heads === 1 ? [8, 2] : [8, 2, 3, 3]),
    variances: null,
    random: new Random(1).save(),
    step: 3,
    trained: false,
    batches: 2,
    rawColumns: 2,
    outputs: 2,
    classes: ['a', 'b'],
    scaling: 'none',
    joint: false,
    ...given,
  } as ModelState;
}

describe.each([1, 2])('growClasses, %i heads', (heads) => {
  it('keeps the shares of a grid that gradients have not moved', () => {
    const context = contextOf(classifierHeads);
    const before = stateOf(context, heads);
    const { arrays, outputs, classes } = widenOutputs(context, before, ['a', 'b', 'c']);
    expect([outputs, classes]).toEqual([3, ['a', 'b', 'c']]);
    const { code } = classifierHeads.head(context.options, true);
    const want = [1, 0, 0, 0, 1, 0, 1, 0, 0, 0.25, 0.75, 0];
    expect(arrays.targets?.shape).toEqual([4, 3]);
    code?.recall(Float64Array.from(list(arrays.targets)), 3, heads).forEach((share, i) => {
      expect(share).toBeCloseTo(want[i] as number, 5);
    });
    expect(before.arrays.targets?.shape).toEqual([4, 2]);
  });

  it.each([
    ['a classifier', classifierHeads, Math.log(0.1 / 3)],
    ['labels', multiLabelHeads, Math.log(0.05 / 0.95)],
  ] as const)('keeps the bits of learned logits of %s, beside that of a share of 0', (_, family, logit) => {
    const context = contextOf(family);
    const before = stateOf(context, heads, { trained: true });
    const old = list(before.arrays.targets);
    const got = list(widenOutputs(context, before, ['a', 'b', 'c']).arrays.targets);
    for (let k = 0; k < 4; k++) {
      expect(got.slice(3 * k, 3 * k + 2)).toEqual(old.slice(2 * k, 2 * k + 2));
      expect(got[3 * k + 2]).toBeCloseTo(logit / heads, 6);
    }
  });

  it('gives new columns moments of 0 and the threshold that stands for a half', () => {
    const loss = { aslGammaNeg: 2, aslGammaPos: 0, aslClip: 0.05, aslVariant: 'standard' };
    const context = contextOf(multiLabelHeads, loss);
    const state = stateOf(context, heads);
    const thresholds = ndarray([0.25, 0.75], [2]);
    const { arrays } = widenOutputs(context, { ...state, arrays: { ...state.arrays, thresholds } }, [
      'a',
      'b',
      'c',
      'd',
    ]);
    // The asymmetric loss says .5 of a label that .312 of such rows have.
    const cut = expect.closeTo(0.312, 3);
    expect(list(arrays.thresholds)).toEqual([0.25, 0.75, cut, cut]);
    for (const moment of momentNames('targets')) {
      const old = list(state.arrays[moment]);
      expect(arrays[moment]?.shape).toEqual([4, 4]);
      expect(list(arrays[moment])).toEqual([0, 1, 2, 3].flatMap((k) => [old[2 * k], old[2 * k + 1], 0, 0]));
    }
    expect(arrays[momentNames('bias')[0]]).toBe(state.arrays[momentNames('bias')[0]]);
  });

  it('leaves a state alone that has the classes', () => {
    const context = contextOf(classifierHeads);
    const state = stateOf(context, heads);
    expect(widenOutputs(context, state, ['a', 'b'])).toBe(state);
  });
});

const batchOf = (y: readonly number[]): Batch => ({
  x: { data: Float32Array.from(y.flatMap((c, i) => [10 * c, i])), rows: y.length, columns: 2 },
  y: { data: Float32Array.from(y), rows: y.length, columns: 1 },
  sampleWeight: new Float32Array(y.length).fill(1),
});

describe.each([1, 2])('coverClasses, %i heads', (heads) => {
  const context = contextOf(classifierHeads);
  const cover = (y: number[], given: Partial<ModelState> = {}): Promise<ModelState> =>
    growClasses(context, widenOutputs(context, stateOf(context, heads, given), ['a', 'b', 'c']), batchOf(y));

  it('appends to every head, each array in its own way', async () => {
    const before = widenOutputs(context, stateOf(context, heads), ['a', 'b', 'c']);
    const { arrays, ages, coordinateAges } = await cover([2, 0, 2]);
    const [old, perHead] = [4 / heads, 4 / heads + 1];
    const fresh = Array.from({ length: heads }, (_, h) => h * perHead + old);
    const kept = Array.from({ length: 4 + heads }, (_, k) => k).filter((k) => !fresh.includes(k));
    const check = (name: string, value: unknown): void => {
      const [was, is] = [before.arrays[name] as NdArray, arrays[name] as NdArray];
      expect([is.dtype, is.shape]).toEqual([was.dtype, [4 + heads, ...was.shape.slice(1)]]);
      const width = was.data.length / 4;
      const row = (of: NdArray, k: number): number[] => list(of).slice(k * width, (k + 1) * width);
      kept.forEach((k, i) => {
        expect(row(is, k), name).toEqual(row(was, i));
      });
      for (const k of fresh) expect(row(is, k), name).toEqual(value);
    };
    check('owners', [2]);
    check('frozen', [0]);
    check('bias', [0]);
    for (const name of ['prototypes', 'bias', 'logBandwidth', 'targets']) {
      const width = (arrays[name] as NdArray).data.length / (4 + heads);
      for (const moment of momentNames(name)) check(moment, new Array<number>(width).fill(0));
    }
    const { code } = classifierHeads.head(context.options, true);
    check(
      'targets',
      Array.from(Float32Array.from(code?.store(Float64Array.from([0, 0, 1]), 3, heads) ?? [])),
    );
    fresh.forEach((k, h) => {
      // A row of the class, at the reach of its head: Σ w / Σ w·δ.
      expect([0, 2]).toContain(arrays.prototypes?.data[2 * k + 1]);
      expect(arrays.prototypes?.data[2 * k]).toBe(20);
      expect(arrays.logBandwidth?.data[k]).toBeCloseTo(-Math.log(h === 0 ? 4 : 1), 6);
      expect(ages[k]).toBe(1);
      expect(Array.from(coordinateAges?.slice(2 * k, 2 * k + 2) ?? [])).toEqual([1, 1]);
    });
    expect(kept.map((k) => ages[k])).toEqual([5, 6, 7, 8]);
    expect(arrays.featureWeights).toEqual(before.arrays.featureWeights);
  });

  it('leaves a state alone where nothing is new, or nothing that counts', async () => {
    const state = stateOf(context, heads);
    expect(await growClasses(context, state, batchOf([0, 1, 1]))).toBe(state);
    const silent = { ...batchOf([0, 2]), sampleWeight: Float32Array.from([1, 0]) };
    const grown = widenOutputs(context, state, ['a', 'b', 'c']);
    expect(await growClasses(context, grown, silent)).toBe(grown);
  });

  it('of a joint grid asks what its prototypes have seen', async () => {
    const count = ({ ages }: ModelState): number => ages.length;
    expect(count(await cover([2, 0], { joint: true }))).toBe(4 + heads);
    // Class 1 has a share, and class 0 an owner.
    const shared = { joint: true, arrays: stateOf(context, heads).arrays };
    const owners = ndarray([0, 0, 0, 0], [4], 'int32');
    expect(count(await cover([0, 1], { ...shared, arrays: { ...shared.arrays, owners } }))).toBe(4);
    // After gradients, logits tell nothing: what counts is what came after `from`.
    const trained = widenOutputs(context, stateOf(context, heads, { joint: true, trained: true }), [
      'a',
      'b',
      'c',
    ]);
    expect(count(await growClasses(context, trained, batchOf([2]), 'kmeans++', 2))).toBe(4 + heads);
    expect(await growClasses(context, trained, batchOf([2]), 'kmeans++', 0)).toBe(trained);
  });
});

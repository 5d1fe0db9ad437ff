import { expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { regressorHeads } from '../heads/regressor.js';
import { Random } from '../random.js';
import type { Resolved } from '../state/options.js';
import { assignGraph } from './assign.js';
import type { GridSpec } from './spec.js';

const [rows, columns, heads, perHead] = [40, 3, 2, 5];
const prototypes = heads * perHead;

it.each([true, false])(
  'heads that are searched one by one find what all prototypes together say, joint %s',
  (joint) => {
    const random = new Random(3);
    const drawn = (...shape: number[]): NdArray =>
      ndarray(
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform() - 0.4),
        shape,
      );
    const spec: GridSpec = {
      head: regressorHeads.head({ softType: 'gaussian' } as Resolved, true),
      origin: 'rows',
      distance: 'euclidean',
      routing: { softType: 'gaussian', temperature: 1, topK: -1 },
      scaling: 'none',
      ...{ heads, rawColumns: columns, columns, prototypes, outputs: 2, yColumns: 2 },
      ...{ masked: false, candidates: 'all', joint, linear: false, repels: false, members: 0 },
      ...{ l2Reg: 0, diversityReg: 0, trainable: [], frozen: false, offsets: false },
    };
    const arrays = {
      prototypes: drawn(prototypes, columns),
      // Some are below 0, where they count as that.
      featureWeights: drawn(heads, columns),
      means: drawn(prototypes, 2),
    };
    const fed: Record<string, NdArray> = {
      x: drawn(rows, columns),
      y: drawn(rows, 2),
      sampleWeight: ndarray(new Float32Array(rows).fill(1), [rows]),
      ...arrays,
    };
    const run = (assignment: 'mean' | 'scaled'): Record<string, NdArray> => {
      const graph = assignGraph(spec, arrays, assignment);
      const results = evaluateGraph(
        graph,
        graph.inputs.map(({ name }) => fed[name] as NdArray),
        'float64',
      );
      return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, results[i] as NdArray]));
    };
    // Similarities weigh the targets of 'scaled', which has to look at all prototypes for them.
    const [each, all] = [run('mean'), run('scaled')];
    expect(each.index?.data).toEqual(all.index?.data);
    for (const name of joint ? ['delta', 'cost'] : ['delta']) {
      const expected = all[name] as NdArray;
      expect(each[name]?.shape).toEqual(expected.shape);
      each[name]?.data.forEach((value, i) => {
        expect(value).toBeCloseTo(expected.data[i] as number, 9);
      });
    }
  },
);

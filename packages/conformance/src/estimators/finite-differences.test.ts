// The gradients that estimators train by against differences: of every head and loss, on the graph that a model runs.

import { jsBackend } from '@fkm/core';
import type { Backend, Graph, NdArray } from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { expectDerivative } from '../derivative.js';
import { friedman } from './data.js';
import type { Options } from './model.js';
import { estimators } from './table.js';

interface Run {
  readonly graph: Graph;
  readonly inputs: readonly NdArray[];
}

/** The reference, which notes what it runs. */
function listening(): { backend: Backend; runs: Run[] } {
  const inner = jsBackend();
  const runs: Run[] = [];
  const backend: Backend = {
    ...inner,
    compile: async (graph) => {
      const executable = await inner.compile(graph);
      return {
        dispose: () => executable.dispose(),
        run: async (values) => {
          const inputs = await Promise.all(
            values.map(async (value) => ({
              shape: value.shape,
              dtype: value.dtype,
              data: await value.read(),
            })),
          );
          runs.push({ graph, inputs });
          return executable.run(values);
        },
      };
    },
  };
  return { backend, runs };
}

const rows = friedman(48, 'gradients');
const featureMask = rows.X.map((x, i) => x.map((_, j) => Number((i + j) % 5 > 0)));
const sampleWeight = rows.X.map((_, i) => 0.5 + (i % 4) / 2);

/** [estimator, settings]: a row a head and a loss. */
const cases: readonly (readonly [keyof typeof estimators, Options])[] = [
  ['clusterer', {}],
  ['classifier', { heads: 2, nPrototypes: 12, metric: 'none', prototypeTargets: 'vectors' }],
  ['classifier', { heads: 2, nPrototypes: 12, metric: 'none', prototypeTargets: 'owners' }],
  ['classifier', { softType: 'scaled', topK: 4, kInit: 3 }],
  ['classifier', { softType: 'softmax_scaled', topK: 4, kInit: 3, temperature: 0.5 }],
  ['multiLabel', { heads: 2, nPrototypes: 12, metric: 'none', aslVariant: 'standard' }],
  ['multiLabel', { heads: 2, nPrototypes: 12, metric: 'none', aslGammaNeg: 4, aslGammaPos: 1, aslClip: 0.1 }],
  ['multiLabel', { heads: 2, nPrototypes: 12, metric: 'none', aslGammaNeg: 2.5, aslGammaPos: 0.5 }],
  [
    'multiLabel',
    { heads: 2, nPrototypes: 12, metric: 'none', aslVariant: 'original', aslGammaNeg: 4, aslGammaPos: 1 },
  ],
  ['multiLabel', { softType: 'scaled', topK: -1, kInit: 3, aslVariant: 'standard' }],
  ['multiLabel', { softType: 'scaled', topK: 4, kInit: 3, aslVariant: 'standard' }],
  ['regressor', { heads: 2, nPrototypes: 12, metric: 'none' }],
  ['regressor', { softType: 'scaled', topK: 4, kTargets: 3, kFeatures: 3 }],
  ['quantileRegressor', { heads: 2, nPrototypes: 12, metric: 'none' }],
  ['quantileRegressor', { softType: 'scaled', topK: 4, kTargets: 3, kFeatures: 3, quantiles: [0.3] }],
];

const variants: readonly Options[] = [
  { distance: 'euclidean' },
  { distance: 'l1' },
  { distance: 'cosine', l2Reg: 0.1, diversityReg: 0.2 },
];

describe('the gradients of an estimator', () => {
  for (const [name, settings] of cases) {
    for (const variant of variants) {
      for (const masked of [false, true]) {
        const key = `${name} ${JSON.stringify({ ...settings, ...variant })}${masked ? ' masked' : ''}`;
        it(key, async () => {
          const { backend, runs } = listening();
          const { make, targets } = estimators[name];
          const model = make({ backend, ...settings, ...variant });
          const y = targets(rows.y);
          await model.fit(rows.X, y, { maxIters: 2 });
          runs.length = 0;
          await model.lossAndGradients(rows.X, y, { sampleWeight, ...(masked ? { featureMask } : {}) });
          const { graph, inputs } = runs.at(-1) as Run;
          const [loss, ...derivatives] = graph.outputs;
          expect(loss?.name).toBe('loss');
          const wrt = derivatives.map((port) => port.name.replace(/^d\./, ''));
          expect(wrt).toContain('prototypes');
          expectDerivative(key, graph, { ...graph, outputs: derivatives }, inputs, wrt);
        });
      }
    }
  }
});

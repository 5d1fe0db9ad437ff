// Checks the traced formulas against the original's similarities and routing weights.

import {
  BATCH,
  type Backend,
  compare,
  type Graph,
  ndarray,
  pairwise,
  routingWeights,
  type Tensor,
  type TensorSpec,
  trace,
} from '@fkm/core/graph';
import type { Check } from '../../contract.js';
import { byPairs } from '../../pairs.js';
import { expectOriginal, fixtures, type Stored } from './fixtures.js';

const { X, C, featureMask, featureWeights } = fixtures.inputs;
const f32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });

/** Runs a graph once and returns its only output. */
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
  byPairs(
    fixtures.similarity,
    (row) => [row.distance, row.masked, row.weighted],
    (row) => {
      const { distance, masked, weighted, value } = row;
      return {
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
          // Masked values may be anything: here NaN.
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
      };
    },
  );

const routingChecks = (): Check[] =>
  byPairs(
    fixtures.routing,
    (row) => [row.distance, row.softType, row.topK],
    (row) => {
      const { distance, softType, temperature, topK, value } = row;
      return {
        key: `routing ${distance} ${softType} topK ${topK}`,
        run: async (backend) => {
          const graph = trace('routing', { x: f32(BATCH, 5), prototypes: f32(6, 5) }, (t) => {
            const { similarity, delta } = compare({ distance, ...t });
            return { r: routingWeights({ similarity, delta }, { softType, temperature, topK }) };
          });
          expectOriginal('weights', await output(backend, graph, [X, C]), value);
        },
      };
    },
  );

/** Every fixture of the formulas. */
export const formulaChecks = (): Check[] => [...similarityChecks(), ...routingChecks()];

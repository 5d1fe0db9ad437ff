// The derivatives of ops and composites against differences.

import { inline, sum, type Tensor, trace } from '@fkm/core/graph';
import { describe, it } from 'vitest';
import { opCases } from './cases/index.js';
import { compositeCases, derivative } from './composites.js';
import { expectDerivative } from './derivative.js';
import { gradientCase } from './gradient.js';

describe('the derivative of every op', () => {
  for (const opCase of opCases()) {
    if (opCase.dtype !== 'float32' || opCase.wrt.length === 0 || !opCase.smooth) continue;
    it(opCase.key, () => {
      const { loss, gradient, inputs } = gradientCase(opCase);
      expectDerivative(opCase.key, loss, gradient, inputs, opCase.wrt);
    });
  }
});

describe('the derivative of composites', () => {
  for (const { key, graph, inputs, wrt, kinked } of compositeCases()) {
    if (!wrt || kinked) continue;
    it(key, () => {
      const specs = Object.fromEntries(graph.inputs.map((port) => [port.name, port.variable]));
      const loss = trace('loss', specs, (x) => ({
        loss: sum(inline(graph, Object.values(x))[graph.outputs[0]?.name as string] as Tensor),
      }));
      expectDerivative(key, loss, derivative(graph, wrt), inputs, wrt);
    });
  }
});

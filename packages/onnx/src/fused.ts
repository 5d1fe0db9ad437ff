// Composites with their own lowering, by name; others are written as their bodies.

import { type Equation, ndarray, type Var } from '@fkm/core/graph';
import type { Context } from './context.js';

/** Least share of a softmax: core clamps before the division, for speed, and this lowering after it. */
const leastShare = 1e-26;

export const fused: Readonly<Record<string, (ctx: Context, equation: Equation<'composite'>) => void>> = {
  softmax: (ctx, equation) => {
    const { dtype } = equation.outputs[0] as Var;
    const shares = ctx.write.node('Softmax', ctx.operands(equation), { axis: -1 });
    ctx.emit(equation, 'Max', [shares, ctx.write.constant(ndarray([leastShare], [], dtype))]);
  },
  takeAlong: (ctx, equation) => {
    const { write } = ctx;
    const [x, index] = ctx.operands(equation) as [string, string];
    const column = write.node('Reshape', [index, write.int64([-1, 1])]);
    const taken = write.node('GatherElements', [x, column], { axis: 1 });
    ctx.emit(equation, 'Reshape', [taken, write.int64([-1])]);
  },
};

// Composites with a lowering of their own, by name. All others are written as their bodies.

import type { Equation } from '@fkm/core/graph';
import type { Context } from './context.js';

export const fused: Readonly<Record<string, (ctx: Context, equation: Equation<'composite'>) => void>> = {};

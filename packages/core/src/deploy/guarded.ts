// A deployed graph cannot throw. Rows that `predict` would refuse, and rows whose numbers overflow, get a mark in place of their
// answer; other rows are not affected. NaN and infinite values are replaced before the formulas, where they would index outside of
// tables.

import { ndarray } from '../dtype.js';
import type { Graph } from '../graph/ir.js';
import { abs, and, cast, constantLike, lt, not, reduceMax, reshape, select, sum } from '../graph/ops.js';
import { inline, type Tensor, trace } from '../graph/trace.js';

/** The largest finite float32. */
const largest = 3.4028234663852886e38;

const isNumber = (x: Tensor): Tensor => lt(abs(x), largest);

/**
 * The graph with inputs `x` [B, D] and maybe `mask` [B, D], whose answers [B] or [B, C] are marked for some rows: if an unmasked
 * value or the answer is NaN or infinite, float answers are NaN and integer answers are `none`. All other rows are answered as
 * before.
 */
export function guarded(graph: Graph, none: number): Graph {
  const specs = Object.fromEntries(
    graph.inputs.map(({ name, variable: { shape, dtype } }) => [name, { shape, dtype }]),
  );
  return trace(graph.name, specs, (t: Readonly<Record<string, Tensor>>) => {
    const x = t.x as Tensor;
    const usable = isNumber(x);
    const wrong = t.mask ? and(lt(0, t.mask), not(usable)) : not(usable);
    const clean = select(usable, x, 0);
    const answers = inline(
      graph,
      graph.inputs.map(({ name }) => (name === 'x' ? clean : (t[name] as Tensor))),
    );
    let answered = lt(reduceMax(cast(wrong, 'float32'), -1), 0.5);
    for (const answer of Object.values(answers)) {
      if (answer.dtype === 'float32') answered = and(answered, isNumber(sum(answer, -1)));
    }
    const marked = (answer: Tensor): Tensor => {
      const whole = answer.shape.length === 1 ? answered : reshape(answered, [answer.dim(0), 1]);
      const other =
        answer.dtype === 'float32' ? Number.NaN : constantLike(answer, ndarray([none], [], answer.dtype));
      return select(whole, answer, other);
    };
    return Object.fromEntries(Object.entries(answers).map(([name, answer]) => [name, marked(answer)]));
  });
}

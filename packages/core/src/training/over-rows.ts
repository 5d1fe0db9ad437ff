// Answers for any number of raw rows: a graph run in blocks, parameters uploaded once.

import type { Rows } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import type { ModelState } from '../estimators/state.js';
import { blockRows, type Context, specOf } from './context.js';
import { parameterNames, type predictGraph, scalerNames, targetNames } from './graphs.js';
import { disposeAll, uploadParameters } from './phase1.js';
import { runOnce, take, uploadRows } from './program.js';
import { specKey } from './spec.js';

const names = [...scalerNames, ...parameterNames, ...targetNames];

/** Shapes of the arrays of a state: graphs of other shapes are other graphs. */
const shapesOf = (state: ModelState): string =>
  names.map((name) => (state.arrays[name] ? `${name}[${state.arrays[name].shape}]` : '')).join(' ');

/** The one output of the graph for x [N, D] and its mask [N, D], row by row [N, ..]. */
export async function overRows(
  context: Context,
  state: ModelState,
  rows: { readonly x: Rows; readonly mask: Rows | undefined },
  job: string,
  build: typeof predictGraph,
): Promise<NdArray<Float32Array>> {
  const { programs } = context;
  const { x, mask } = rows;
  const spec = specOf(context, state, mask !== undefined);
  const program = await programs.get(`${job} ${specKey(spec)} ${shapesOf(state)}`, () =>
    build(spec, state.arrays),
  );
  const parameters = uploadParameters(programs, state.arrays, names);
  let [out, width] = [new Float32Array(0), 0];
  try {
    // No rows are one empty block, which tells the width.
    for (let begin = 0; begin < Math.max(1, x.rows); begin += blockRows) {
      const end = Math.min(x.rows, begin + blockRows);
      const uploads = {
        x: uploadRows(programs, x, begin, end),
        ...(mask ? { mask: uploadRows(programs, mask, begin, end) } : {}),
      };
      const results = await runOnce(program, parameters, uploads);
      const { data, shape } = await take(Object.values(results)[0] as NonNullable<(typeof results)[string]>);
      if (begin === 0) {
        width = shape[1] as number;
        out = new Float32Array(x.rows * width);
      }
      out.set(data, begin * width);
    }
  } finally {
    disposeAll(parameters);
  }
  return { data: out, shape: [x.rows, width], dtype: 'float32' };
}

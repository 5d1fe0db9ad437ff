// Runs a graph on any number of raw rows, in blocks; parameters are uploaded once.

import type { Rows } from '../data/matrix.js';
import type { Features } from '../data/sparse.js';
import { type NdArray, ndarray, sizeOf } from '../dtype.js';
import { comparesDirections } from '../formulas/distances.js';
import { formatType } from '../graph/infer.js';
import type { Graph } from '../graph/ir.js';
import { withoutDenormals } from '../scaling/lengths.js';
import type { ModelState } from '../state/state.js';
import { widenedFor } from '../state/storage.js';
import { arraysOf, type Context, specOf } from './context.js';
import { parameterNames, readingNames, scalerNames } from './graphs.js';
import { disposeAll, rowsThatFit, uploadParameters } from './phase1.js';
import { readAndFree, runOnce, uploadMask, uploadRows } from './program.js';
import { breathe } from './progress.js';
import { type GridSpec, readKey } from './spec.js';

const names = [...scalerNames, ...parameterNames, ...readingNames];

/** Types of the arrays of a state, which are part of a graph's key. */
export const typesOf = (arrays: ModelState['arrays']): string =>
  names.map((name) => (arrays[name] ? `${name} ${formatType(arrays[name])}` : '')).join(' ');

/** The single output of the graph for x [N, D] and its mask [N, D] or [1, D], by row [N, ..]. */
export async function overRows(
  context: Context,
  state: ModelState,
  rows: { readonly x: Features; readonly mask: Rows | undefined },
  job: string,
  build: (spec: GridSpec, arrays: ModelState['arrays']) => Graph,
): Promise<NdArray> {
  const { programs } = context;
  const { mask } = rows;
  const anyLength = comparesDirections(context.options.distance) && state.scaling === 'none';
  const x = anyLength ? withoutDenormals(rows.x, mask) : rows.x;
  const spec = specOf(context, state, mask !== undefined);
  const arrays = widenedFor(arraysOf(context, state), programs.backend.flags.dtypes);
  const program = await programs.get(`${job} ${readKey(spec)} ${typesOf(arrays)}`, () => build(spec, arrays));
  const parameters = uploadParameters(programs, arrays, names);
  const size = rowsThatFit(x, spec.prototypes);
  let out: NdArray | undefined;
  try {
    // Without rows, one empty block gives the width of the answer.
    for (let begin = 0; begin < Math.max(1, x.rows); begin += size) {
      // A single block does not yield to the event loop, so that answers for single rows stay fast.
      if (begin > 0) await breathe(context.signal);
      const end = Math.min(x.rows, begin + size);
      const uploads = {
        x: uploadRows(programs, x, begin, end),
        ...(mask ? { mask: uploadMask(programs, mask, begin, end) } : {}),
      };
      const results = await runOnce(program, parameters, uploads);
      const part = await readAndFree(Object.values(results)[0] as NonNullable<(typeof results)[string]>);
      const rest = part.shape.slice(1);
      out ??= ndarray(new Float32Array(x.rows * sizeOf(rest)), [x.rows, ...rest], part.dtype);
      out.data.set(part.data, begin * sizeOf(rest));
    }
  } finally {
    disposeAll(parameters);
  }
  return out as NdArray;
}

// autoFeatureWeights: features that vary less within prototypes than over all rows get higher weights (docs/method.md §6).

import { blockRowsOf } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { comparesDirections } from '../formulas/distances.js';
import { clamp, expandDims, norm, square } from '../graph/functions.js';
import { BATCH, type Graph } from '../graph/ir.js';
import { broadcast, constantLike, div, gather, lt, mul, select, sqrt, sub, sum } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import type { Batch } from '../state/batch.js';
import type { ModelState } from '../state/state.js';
import { blockRows, type Context } from './context.js';
import { type Assignment, disposeAll, uploadBlock } from './phase1.js';
import { readAndFree, runOnce } from './program.js';
import { f32, type GridSpec, rowSpecs, specKey } from './spec.js';

/** Weight of the past in each moving average. */
const memory = 0.9;

/**
 * For each feature: Σ w·m·(x − p)² to the own prototypes; Σ w·m·(x − c)² and Σ w·m·(x − c) around a center; Σ w·m. With 'cosine',
 * which compares directions, x and p have unit length over the unmasked columns.
 */
const varianceGraph = (spec: GridSpec): Graph =>
  trace(
    'variances',
    {
      ...rowSpecs(spec),
      sampleWeight: f32(BATCH),
      index: { shape: [BATCH], dtype: 'int32' },
      prototypes: f32(spec.prototypes, spec.columns),
      center: f32(spec.columns),
    },
    (t: Readonly<Record<string, Tensor>>) => {
      const mask = t.mask && clamp(t.mask, 0, 1);
      const x = mask ? select(lt(0, mask), t.x as Tensor, 0) : (t.x as Tensor);
      const w = expandDims(t.sampleWeight as Tensor, 1);
      const weights = mul(mask ?? broadcast(constantLike(w, 1), x.shape, x), w);
      const compared = (rows: Tensor): Tensor =>
        comparesDirections(spec.distance) ? div(rows, norm(mask ? mul(rows, sqrt(mask)) : rows)) : rows;
      const row = compared(x);
      const own = compared(gather(t.prototypes as Tensor, t.index as Tensor));
      const around = sub(row, t.center as Tensor);
      return {
        within: sum(mul(weights, square(sub(row, own))), 0),
        total: sum(mul(weights, square(around)), 0),
        offset: sum(mul(weights, around), 0),
        weight: sum(weights, 0),
      };
    },
  );

/**
 * Moving averages [within, total] of the variances of each feature after this batch; with several heads, `within` is their mean.
 */
export async function blendVariances(
  { programs }: Context,
  spec: GridSpec,
  state: ModelState,
  batch: Batch,
  { index, sums }: Assignment,
): Promise<Float64Array> {
  const { columns, heads, prototypes } = spec;
  const center = centerOf(spec, state.arrays.prototypes as NdArray, sums);
  const program = await programs.get(`variances ${specKey(spec)}`, () => varianceGraph(spec));
  const fixed = {
    prototypes: programs.upload(state.arrays.prototypes as NdArray),
    center: programs.upload(ndarray(center, [columns])),
  };
  const totals: Record<string, Float64Array> = Object.fromEntries(
    ['within', 'total', 'offset', 'weight'].map((name) => [name, new Float64Array(columns)]),
  );
  const size = blockRowsOf(batch.x, blockRows);
  try {
    for (let head = 0; head < heads; head++) {
      const own = Int32Array.from(
        { length: batch.x.rows },
        (_, i) => (index[i * heads + head] as number) + (head * prototypes) / heads,
      );
      for (let begin = 0; begin < batch.x.rows; begin += size) {
        const end = Math.min(batch.x.rows, begin + size);
        const uploads = uploadBlock(programs, batch, begin, end);
        uploads.index = programs.upload({
          data: own.subarray(begin, end),
          shape: [end - begin],
          dtype: 'int32',
        });
        for (const [name, value] of Object.entries(await runOnce(program, fixed, uploads))) {
          const total = totals[name] as Float64Array;
          (await readAndFree(value)).data.forEach((part, j) => {
            total[j] = (total[j] as number) + part;
          });
        }
      }
    }
  } finally {
    disposeAll(fixed);
  }
  const past = state.variances;
  const [within, total, offset, weight] = ['within', 'total', 'offset', 'weight'].map(
    (name) => totals[name],
  ) as [Float64Array, Float64Array, Float64Array, Float64Array];
  return Float64Array.from({ length: 2 * columns }, (_, i) => {
    const j = i % columns;
    const w = weight[j] as number;
    const off = offset[j] as number;
    // The center need not be the mean, so its offset is subtracted.
    const sum = i < columns ? (within[j] as number) : (total[j] as number) - (off * off) / w;
    const now = w > 0 ? sum / w : 0;
    return past ? memory * (past[i] as number) + (1 - memory) * now : now;
  });
}

/** A center near the mean of the rows. With 'cosine', it is the mean direction of their prototypes, since the sums have lengths. */
function centerOf(
  { columns, heads, prototypes, distance }: GridSpec,
  { data }: NdArray,
  { sums, weights, coordinateWeights }: Assignment['sums'],
): Float64Array {
  const center = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    let [sum, weight] = [0, 0];
    for (let k = 0; k < prototypes / heads; k++) {
      const i = k * columns + j;
      const counted = (coordinateWeights ? coordinateWeights[i] : weights[k]) as number;
      sum += comparesDirections(distance) ? counted * (data[i] as number) : (sums[i] as number);
      weight += counted;
    }
    center[j] = weight > 0 ? sum / weight : 0;
  }
  return center;
}

/** clamp(1 − within/total, 0, 1) */
export function importance(variances: Float64Array): Float64Array {
  const columns = variances.length / 2;
  return Float64Array.from({ length: columns }, (_, j) => {
    const total = variances[columns + j] as number;
    return total > 0 ? Math.max(0, Math.min(1, 1 - (variances[j] as number) / total)) : 0;
  });
}

// Growing classes: prototypes for classes and labels that have none, at the start and when a stream brings new ones (docs/method.md
// §4).

import { visitRow } from '../data/sparse.js';
import { allocate, type NdArray, ndarray, type TypedArray } from '../dtype.js';
import type { Head } from '../heads/head.js';
import { Random } from '../random.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { distinctRows, inRows, leastFounder, wholeRows } from '../state/row-counts.js';
import type { Label, ModelState } from '../state/state.js';
import { type Context, headOf, originOf } from '../training/context.js';
import { startOfBandwidth } from '../training/ema-step.js';
import { momentNames } from '../training/graphs.js';
import { breathe } from '../training/progress.js';
import { indexClasses } from '../training/sampling.js';
import { automaticK } from './auto-k.js';
import { meanTargets } from './joint.js';
import { foundingMeans } from './means.js';

const defaultPerClass = 3;

/** New prototypes of one class, to be appended to every head. */
interface Newcomers {
  readonly owner: number;
  /** [H·m, D] and [H·m, outputs], head by head. */
  readonly centers: Float32Array;
  readonly means: Float64Array;
}

/** The state with room for more classes. For a new class, prototypes answer as for a class without rows. */
export function widenOutputs(context: Context, state: ModelState, classes: readonly Label[]): ModelState {
  const outputs = classes.length;
  if (outputs <= state.classes.length) return state;
  const head = headOf(context, state);
  const heads = state.arrays.featureWeights?.shape[0] ?? 1;
  const arrays: Record<string, NdArray> = { ...state.arrays };
  /** `fill` writes over the numbers of a row, which have zeros behind them. */
  const widen = (name: string, fill?: (row: Float64Array) => void): void => {
    const array = arrays[name];
    if (!array) return;
    const rows = array.shape[0] as number;
    const data = new Float32Array(rows * outputs);
    const row = new Float64Array(outputs);
    for (let k = 0; k < rows; k++) {
      row.fill(0);
      row.set(array.data.subarray(k * state.outputs, (k + 1) * state.outputs));
      fill?.(row);
      data.set(row, k * outputs);
    }
    arrays[name] = { data, shape: [rows, outputs], dtype: 'float32' };
  };
  const { code } = head;
  if (code) {
    // Before gradient steps, the class shares are known and kept. Learned logits keep their bits; the new column gets the logit of
    // share 0.
    const none = code.store(new Float64Array(outputs), outputs, heads).subarray(state.outputs);
    widen('targets', (row) => {
      if (state.trained) row.set(none, state.outputs);
      else {
        const old = row.subarray(0, state.outputs);
        code.recall(old, state.outputs, heads, old);
        code.store(row, outputs, heads, row);
      }
      return row;
    });
    for (const moment of momentNames('targets')) widen(moment);
  }
  const { thresholds } = arrays;
  if (thresholds) {
    const added = new Array<number>(outputs - state.outputs).fill(head.labels?.cut(originOf(state)) ?? 0.5);
    arrays.thresholds = ndarray([...thresholds.data, ...added], [outputs]);
  }
  return { ...state, arrays, outputs, classes };
}

/** The rows that count for each class or label, if they weigh at least half a row; weights count rows. */
function rowsOfClasses(head: Head, { y, sampleWeight }: Batch): Map<number, number[]> {
  const rows = new Map<number, number[]>();
  const note = (owner: number, row: number): void => {
    const list = rows.get(owner);
    if (list) list.push(row);
    else rows.set(owner, [row]);
  };
  for (let row = 0; row < y.rows; row++) {
    if (sampleWeight[row] === 0) continue;
    visitRow(y, row, (c, value) => {
      if (head.candidates === 'class') note(value, row);
      else if (value > 0) note(c, row);
    });
  }
  for (const [owner, indices] of rows) {
    const weight = indices.reduce((sum, row) => sum + (sampleWeight[row] as number), 0);
    if (weight < leastFounder) rows.delete(owner);
  }
  return rows;
}

/** Share that float32 rounding of targets can produce. */
const leastShare = 1e-5;

/** Whether a class lacks prototypes. In a joint grid with targets, a class lacks them if every prototype gives it share 0. */
function lacks(state: ModelState, head: Head, from: number): (owner: number) => boolean {
  const { arrays, outputs } = state;
  const { starts, prototypes } = indexClasses(arrays.owners as NdArray, outputs);
  const ownsNone = (owner: number): boolean => starts[owner] === starts[owner + 1];
  const { code } = head;
  if (!state.joint || !code) return ownsNone;
  // Learned logits are not shares. There, the classes after `from` are the new ones.
  if (state.trained) return (owner) => from > 0 && owner >= from && ownsNone(owner);
  const heads = arrays.featureWeights?.shape[0] ?? 1;
  const targets = arrays.targets as NdArray;
  const speaks = (k: number, owner: number): boolean => {
    const own = Float64Array.from(targets.data.subarray(k * outputs, (k + 1) * outputs));
    return (code.recall(own, outputs, heads)[owner] as number) > leastShare;
  };
  return (owner) => {
    // Classes after `from` are new. Of other classes, the prototypes that they own have the largest shares: those are asked first.
    if (from > 0 && owner >= from) return true;
    const own = prototypes.subarray(starts[owner], starts[owner + 1]);
    return !own.some((k) => speaks(k, owner)) && !state.ages.some((_, k) => speaks(k, owner));
  };
}

/**
 * The state with prototypes for every class of the scaled batch that has none. The prototypes of a joint grid answer for every
 * class: there, new prototypes are for classes that no prototype has seen, and once trained, for classes from `from` on.
 */
export async function growClasses(
  context: Context,
  state: ModelState,
  batch: Batch,
  start: 'kmeans++' | 'random' = context.options.initMode === 'random' ? 'random' : 'kmeans++',
  from = 0,
): Promise<ModelState> {
  const head = headOf(context, state);
  const { owners } = state.arrays;
  if (!owners) return state;
  const isMissing = lacks(state, head, from);
  const counted = inRows(batch, state.unit ?? 1);
  const missing = [...rowsOfClasses(head, counted)].filter(([owner]) => isMissing(owner));
  if (missing.length === 0) return state;
  missing.sort(([a], [b]) => a - b);
  const heads = state.arrays.featureWeights?.shape[0] ?? 1;
  const random = Random.from(state.random);
  const newcomers: Newcomers[] = [];
  for (const [owner, rows] of missing) {
    await breathe(context.signal);
    const part = distinctRows(takeBatch(counted, rows, 0, rows.length));
    const k = heads * (await perHead(context, state, part));
    const problem = { rows: part.x, mask: part.mask, sampleWeight: part.sampleWeight };
    const { centers, index, founders } = await foundingMeans(
      context.programs,
      { ...problem, distance: context.options.distance, k, passes: 0, start },
      random,
    );
    // Without targets, the columns of y are not needed.
    const founding = founders ? takeBatch(part, founders, 0, founders.length) : part;
    const means = head.code
      ? meanTargets({ ...founding, y: head.coordinatesOf(founding.y, state.outputs) }, index, k)
      : new Float64Array(0);
    newcomers.push({ owner, centers, means });
  }
  return append({ ...state, random: random.save() }, head, newcomers, heads);
}

/** Number of prototypes that a new class gets in every head. */
async function perHead({ options, programs }: Context, state: ModelState, rows: Batch): Promise<number> {
  const heads = state.arrays.featureWeights?.shape[0] ?? 1;
  const most = wholeRows(rows.sampleWeight);
  if (state.joint) return Math.max(1, Math.min(most, Math.round(state.ages.length / heads / state.outputs)));
  const { kInit = defaultPerClass, distance } = options;
  const k = kInit === 'auto' ? await automaticK(programs, { ...rows, rows: rows.x, distance }) : kInit;
  return Math.min(k, most);
}

/** Appends prototypes to every head; their targets and bandwidths start as in a new grid. */
function append(state: ModelState, head: Head, newcomers: readonly Newcomers[], heads: number): ModelState {
  const { arrays, ages, coordinateAges, spread, outputs, unit } = state;
  const columns = (arrays.prototypes as NdArray).shape[1] as number;
  const old = ages.length / heads;
  const sizes = newcomers.map(({ centers }) => centers.length / columns / heads);
  const added = sizes.reduce((a, b) => a + b, 0);
  const count = (old + added) * heads;
  /** Joins arrays of `width` columns in `out`, each head's old rows before its new ones. */
  const joined = <A extends TypedArray>(
    data: A,
    width: number,
    fresh: (n: Newcomers, h: number, m: number) => ArrayLike<number>,
    out: A,
  ): A => {
    for (let h = 0; h < heads; h++) {
      let at = h * (old + added) * width;
      out.set(data.subarray(h * old * width, (h + 1) * old * width), at);
      at += old * width;
      newcomers.forEach((n, i) => {
        const m = sizes[i] as number;
        out.set(fresh(n, h, m), at);
        at += m * width;
      });
    }
    return out;
  };
  const constant =
    (value: (h: number) => number, width = 1) =>
    (_: Newcomers, h: number, m: number) =>
      new Float64Array(m * width).fill(value(h));
  const bandwidth = (h: number): number => {
    const [sum = 0, weight = 0] = spread.subarray(2 * h, 2 * h + 2);
    return weight > 0 ? startOfBandwidth(sum, weight) : 0;
  };
  const next: Record<string, NdArray> = { ...arrays };
  const put = (
    name: string,
    width: number,
    fresh: (n: Newcomers, h: number, m: number) => ArrayLike<number>,
  ): void => {
    const array = arrays[name];
    if (!array) return;
    const grown = (of: NdArray, added: typeof fresh): NdArray => ({
      data: joined(of.data, width, added, allocate(of.dtype, count * width)),
      shape: [count, ...of.shape.slice(1)],
      dtype: of.dtype,
    });
    next[name] = grown(array, fresh);
    for (const moment of momentNames(name)) {
      const m = arrays[moment];
      if (m)
        next[moment] = grown(
          m,
          constant(() => 0, width),
        );
    }
  };
  put('prototypes', columns, (n, h, m) => n.centers.subarray(h * m * columns, (h + 1) * m * columns));
  put('targets', outputs, (n, h, m) =>
    head.code
      ? head.code.store(n.means.subarray(h * m * outputs, (h + 1) * m * outputs), outputs, heads)
      : [],
  );
  put('owners', 1, (n, h, m) => constant(() => n.owner)(n, h, m));
  put('logBandwidth', 1, constant(bandwidth));
  put(
    'bias',
    1,
    constant(() => 0),
  );
  put(
    'frozen',
    1,
    constant(() => 0),
  );
  return {
    ...state,
    arrays: next,
    ages: joined(
      ages,
      1,
      constant(() => unit ?? 1),
      new Float64Array(count),
    ),
    coordinateAges:
      coordinateAges &&
      joined(
        coordinateAges,
        columns,
        constant(() => unit ?? 1, columns),
        new Float64Array(count * columns),
      ),
  };
}

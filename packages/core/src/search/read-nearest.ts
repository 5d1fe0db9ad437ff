// Reads by an index: it proposes the prototypes near each row, and the graphs of the exact path answer from these alone. Rows whose
// answer could differ from that of the whole grid are answered by the whole grid.

import type { Rows } from '../data/matrix.js';
import { type Features, takeFeatures } from '../data/sparse.js';
import { allocate, type NdArray, sizeOf } from '../dtype.js';
import { inverseUnit } from '../scaling/unit.js';
import type { Neighbours } from '../state/prototype-index.js';
import type { ModelState } from '../state/state.js';
import { widenedFor } from '../state/storage.js';
import { type Context, scaleFeatures, specOf } from '../training/context.js';
import { readGraph } from '../training/graphs.js';
import { overRows, typesOf } from '../training/over-rows.js';
import { disposeAll, uploadParameters } from '../training/phase1.js';
import { readAndFree, runOnce, uploadRows } from '../training/program.js';
import { type GridSpec, readKey } from '../training/spec.js';
import { type Found, type SmallGrid, smallGrid } from './candidates.js';
import { indexedOf } from './keeper.js';
import { canSearch, keeperFor, type Need, needOf, unlessRefused } from './serving.js';
import { SoftmaxTail } from './softmax-tail.js';

/** Most rows, and most candidates, of a small grid: more rows share a run, but each is compared with more candidates of others. */
const [blockRows, blockCandidates] = [64, 4096];
/** Rows scaled and searched at a time. */
const chunkRows = 4096;
/** Share of a softmax that an answer may leave out. */
const mostLeftOut = 1e-4;
/** Safety factor on the estimated softmax tail: a class has to lead by this multiple of what another class could gain. */
const doubt = 2;

/** States are replaced, never mutated, so an estimate for a state stays valid. */
const samples: WeakMap<ModelState, SoftmaxTail> = /* @__PURE__ */ new WeakMap();

/** Answers by row [N, ..]; null if all prototypes are needed. Errors: those of the index. */
export async function readNearest(
  context: Context,
  state: ModelState,
  { x, mask }: { readonly x: Features; readonly mask: Rows | undefined },
  name: string,
  k?: number,
): Promise<NdArray | null> {
  if (!context.search || !canSearch(x, mask)) return null;
  const spec = specOf(context, state, false);
  const need = needOf(spec, name);
  const keeper = need && keeperFor(context, need.purpose, spec.prototypes / spec.heads, x.rows);
  if (!need || !keeper) return null;
  const size = Math.max(1, Math.min(blockRows, Math.floor(blockCandidates / need.count)));
  const out = new Answers(x.rows);
  for (let begin = 0; begin < x.rows; begin += chunkRows) {
    const raw = takeRange(x, begin, Math.min(x.rows, begin + chunkRows));
    const { x: scaled } = (await scaleFeatures(context, state, raw, undefined)) as { x: Rows };
    const found = await unlessRefused(context, keeper, () =>
      keeper.nearest(indexedOf(state.arrays), scaled, need.count),
    );
    if (!found) return null;
    const served: number[] = [];
    const others: number[] = [];
    const serves = servedRows(context, state, spec, need, name, scaled, found);
    for (let row = 0; row < raw.rows; row++) (serves(row) ? served : others).push(row);
    for (let at = 0; at < served.length; at += size) {
      const rows = served.slice(at, at + size);
      const candidates = found.map((neighbours) => takeFound(neighbours, rows));
      const grid = smallGrid(spec, { ...state.arrays, ...inverseUnit(state.arrays) }, candidates);
      const block = takeFeatures(scaled, rows, 0, rows.length) as Rows;
      const answer = await readBlock(context, grid, block, name, k);
      out.put(
        rows.map((row) => begin + row),
        inWholeGrid(spec, grid, name, answer),
      );
    }
    if (others.length > 0) {
      const rest = { x: takeFeatures(raw, others, 0, others.length), mask: undefined };
      out.put(
        others.map((row) => begin + row),
        await overRows(context, state, rest, `${name} ${k}`, readGraph(name, k)),
      );
    }
  }
  return out.all();
}

const takeRange = ({ data, columns }: Rows, begin: number, end: number): Rows => ({
  data: data.subarray(begin * columns, end * columns),
  rows: end - begin,
  columns,
});

const takeFound = ({ indices, shape: [, count] }: Neighbours, rows: readonly number[]): Found => {
  const own = new Int32Array(rows.length * count);
  rows.forEach((row, i) => {
    own.set(indices.subarray(row * count, (row + 1) * count), i * count);
  });
  return { indices: own, count };
};

/** The rows whose candidates suffice for an answer. */
function servedRows(
  { options }: Context,
  state: ModelState,
  { columns, head, prototypes, heads }: GridSpec,
  { least, shared }: Need,
  name: string,
  scaled: Rows,
  found: readonly Neighbours[],
): (row: number) => boolean {
  const enough = (row: number): boolean =>
    found.every(({ indices, shape: [, count] }) => (indices[row * count + least - 1] as number) >= 0);
  if (shared === undefined) return enough;
  const { logBandwidth, bias, owners } = state.arrays;
  const sample =
    samples.get(state) ??
    new SoftmaxTail(options.distance, indexedOf(state.arrays), logBandwidth as NdArray, bias as NdArray);
  samples.set(state, sample);
  const voters = name === 'label' && head.code === null ? owners?.data : undefined;
  return (row) => {
    if (!enough(row)) return false;
    const x = scaled.data.subarray(row * columns, (row + 1) * columns);
    const votes = new Map<number, number>();
    let [others, most] = [0, 0];
    for (const [h, { indices, distances, shape }] of found.entries()) {
      const [from, to] = [row * shape[1], (row + 1) * shape[1]];
      const own = indices.subarray(from, to);
      const split = sample.split(h, x, own, distances.subarray(from, to), shared);
      others += split.others;
      most = Math.max(most, split.others);
      split.weights.forEach((weight, i) => {
        const owner = voters?.[h * (prototypes / heads) + (own[i] as number)] as number;
        if (voters) votes.set(owner, (votes.get(owner) ?? 0) + weight);
      });
    }
    return most <= mostLeftOut || (voters !== undefined && lead(votes) > doubt * others);
  };
}

/** The difference between the largest and the second largest value. */
function lead(votes: ReadonlyMap<number, number>): number {
  let [best, second] = [0, 0];
  for (const vote of votes.values()) {
    if (vote > best) [best, second] = [vote, best];
    else if (vote > second) second = vote;
  }
  return best - second;
}

async function readBlock(
  { programs }: Context,
  { spec, arrays, offsets }: SmallGrid,
  x: Rows,
  name: string,
  k?: number,
): Promise<NdArray> {
  const known = widenedFor(arrays, programs.backend.flags.dtypes);
  const program = await programs.get(`nearest ${name} ${k} ${readKey(spec)} ${typesOf(known)}`, () =>
    readGraph(name, k)(spec, known),
  );
  const parameters = uploadParameters(programs, known, Object.keys(known));
  try {
    const uploads = { x: uploadRows(programs, x), offsets: programs.upload(offsets) };
    const results = await runOnce(program, parameters, uploads);
    return await readAndFree(Object.values(results)[0] as NonNullable<(typeof results)[string]>);
  } finally {
    disposeAll(parameters);
  }
}

/** An answer with indices of prototypes or classes in the small grid, converted to the whole grid. */
function inWholeGrid(
  { head, outputs }: GridSpec,
  { prototypes, classes }: SmallGrid,
  name: string,
  answer: NdArray,
): NdArray {
  const { data, shape, dtype } = answer;
  const map = head.counts === 'prototypes' ? prototypes : classes;
  if (!map || name === 'distance') return answer;
  if (name === 'label') return { ...answer, data: data.map((local) => map[local] as number) };
  const [rows, width] = shape as [number, number];
  const wide = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    map.forEach((column, i) => {
      wide[row * outputs + column] = data[row * width + i] as number;
    });
  }
  return { data: wide, shape: [rows, outputs], dtype };
}

/** Collects the answers of all rows, in any order. */
class Answers {
  private readonly rows: number;
  private whole: NdArray | undefined;

  constructor(rows: number) {
    this.rows = rows;
  }

  put(rows: readonly number[], { data, shape, dtype }: NdArray): void {
    const rest = shape.slice(1);
    const width = sizeOf(rest);
    this.whole ??= { data: allocate(dtype, this.rows * width), shape: [this.rows, ...rest], dtype };
    const { data: all } = this.whole;
    rows.forEach((row, i) => {
      all.set(data.subarray(i * width, (i + 1) * width), row * width);
    });
  }

  all(): NdArray {
    return this.whole as NdArray;
  }
}

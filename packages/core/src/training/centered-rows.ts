// Repeated searches of the same rows, around a center. A row that was found before is first asked whether any prototype is nearer
// than its own: that takes a maximum, where a search also takes an index.

import type { Rows } from '../data/matrix.js';
import { isSparse } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { takeAlong } from '../formulas/composites.js';
import { distances } from '../formulas/distances.js';
import type { Backend, Value } from '../graph/backend.js';
import { BATCH } from '../graph/ir.js';
import { argMax, concat, matmul, reduceMax, sub } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import type { Batch } from '../state/batch.js';
import type { IndexSums } from './host-sums.js';
import { squared } from './inertia.js';
import { Movers, MovingSums, type OwnedRows } from './moving-sums.js';
import { disposeAll, rowsThatFit, searchedRows } from './phase1.js';
import { type Program, type Programs, readAndFree, runOnce, uploadRows } from './program.js';
import { breathe } from './progress.js';
import { f32, type GridSpec } from './spec.js';

/** Largest ‖x − p‖² in float32, which is at most four times the largest ‖x − c‖². */
const mostSquared = 3.4e38;
/** Most rows in a search: their products with some hundred prototypes stay in the caches. */
const mostRows = 8192;
/** Share of moving rows up to which asking first is faster than searching. */
const fewMove = 0.2;

/**
 * Whether rows can be searched around a center: the distance is euclidean over all columns with equal weights, and the backend has
 * no kernel for the plain search.
 */
export const canCenter = (
  { flags }: Pick<Backend, 'flags'>,
  { distance, heads, masked }: GridSpec,
  arrays: Readonly<Record<string, NdArray>>,
  { x }: Batch,
): boolean =>
  distances[distance].expands &&
  heads === 1 &&
  !masked &&
  !arrays.featureWeights &&
  !isSparse(x) &&
  !flags.fused.includes(`nearest.${distance}`);

/** Least cost, as a share of the scatter, that is reported: cancellation then leaves nine of float64's fifteen digits. */
const leftover = 1e-4;

/** Largest ‖c‖², relative to the mean ‖x − c‖², at which uncentered rows cost a product at most one of its 24 bits. */
const nearby = 4;

/** The graphs: 'index' [B] of the nearest prototype, or 'lead' [B], by how much it is nearer than the row's `own` one. */
type Question = 'index' | 'lead';

/** The nearest prototype of each row [N], and the sums over the rows of each. */
export interface Assigned {
  readonly index: Int32Array;
  readonly sums: IndexSums;
}

interface Known {
  readonly count: number;
  readonly sums: MovingSums;
  /** Rows that await a search. */
  readonly movers: Movers;
  /** A column of ones, as long as a block. */
  readonly ones: Float32Array;
  /** Share of the rows of the last block that moved. */
  share: number;
}

/**
 * Rows as [x − c, 1] around a center c. With prototypes as [2(p − c), −‖p − c‖²], one product gives ‖x − c‖² − δ, whose maximum is
 * the nearest. If c is near 0, rows are left as they are, and the last column of the prototypes corrects for it.
 */
export class CenteredRows {
  private readonly programs: Programs;
  private readonly x: Rows;
  private readonly sampleWeight: Float32Array;
  private readonly center: Float32Array;
  /** Whether rows are left uncentered. */
  private readonly plain: boolean;
  /** Σ w·‖x − c‖²; Infinity if a search would overflow float32. */
  private readonly scatter: number;
  /** The prototype of each row [N]; −1 before the first search. */
  private readonly index: Int32Array;
  /** The result of the last search, for this number of prototypes. */
  private known: Known | undefined;

  /** `center` [D] has to lie among the rows, so that a common offset costs no digits. */
  constructor(programs: Programs, x: Rows, sampleWeight: Float32Array, center: ArrayLike<number>) {
    this.programs = programs;
    this.x = x;
    this.sampleWeight = sampleWeight;
    this.center = Float32Array.from(center);
    const { scatter, weight } = scatterOf(x, sampleWeight, this.center);
    this.scatter = scatter;
    this.plain = weight * this.center.reduce((sum, c) => sum + c * c, 0) <= nearby * scatter;
    this.index = new Int32Array(x.rows);
  }

  /**
   * Assigns every row to its nearest of prototypes [K, D]. Ties go to the row's previous prototype if K is the same as before, else
   * to the first.
   */
  async assign(prototypes: NdArray, signal?: AbortSignal): Promise<Assigned> {
    const { x, programs, center, index, plain } = this;
    const count = prototypes.shape[0] as number;
    const size = rowsThatFit(x, count, Math.min(mostRows, searchedRows(count)));
    const known = this.knownAmong(count, size);
    const { sums, movers } = known;
    // If the backend takes along by a full pass (no fused kernel), a search is as fast as asking first.
    const asks = programs.backend.flags.fused.includes('takeAlong');
    const grid = {
      ...(plain ? {} : { center: programs.upload(ndarray(center, [1, center.length])) }),
      prototypes: programs.upload(this.beside(prototypes)),
    };
    const searchMovers = async (): Promise<void> => {
      const found = await this.ask('index', grid, movers);
      sums.move(movers, found);
      movers.leave(found, index);
    };
    try {
      for (let begin = 0; begin < x.rows; begin += size) {
        await breathe(signal);
        const block = this.block(begin, size);
        let moved: number;
        if (asks && known.share <= fewMove) {
          const leads = await this.ask('lead', grid, block);
          moved = -movers.count;
          for (let i = movers.add(block, leads, begin, 0); i < leads.length; ) {
            moved += movers.count;
            await searchMovers();
            i = movers.add(block, leads, begin, i);
          }
          moved += movers.count;
        } else {
          const found = await this.ask('index', grid, block);
          moved = sums.move(block, found);
          index.set(found, begin);
        }
        known.share = moved / block.rows.rows;
      }
      if (movers.count > 0) await searchMovers();
    } finally {
      disposeAll(grid);
    }
    return { index: index.slice(), sums: sums.read() };
  }

  /** At most `size` rows from `begin` on, not copied. */
  private block(begin: number, size: number): OwnedRows {
    const { data, rows, columns } = this.x;
    const end = Math.min(rows, begin + size);
    return {
      rows: { data: data.subarray(begin * columns, end * columns), rows: end - begin, columns },
      weights: this.sampleWeight.subarray(begin, end),
      own: this.index.subarray(begin, end),
    };
  }

  private knownAmong(count: number, size: number): Known {
    const { columns, rows } = this.x;
    if (this.known?.count !== count) {
      const most = Math.min(size, rows);
      this.known = {
        count,
        sums: new MovingSums(count, columns),
        movers: new Movers(columns, most),
        ones: new Float32Array(most).fill(1),
        share: 1,
      };
      this.index.fill(-1);
    }
    return this.known;
  }

  private program(question: Question, count: number): Promise<Program> {
    const columns = this.center.length;
    return this.programs.get(`${question} ${count} ${columns} ${this.plain}`, () => {
      const specs = {
        x: f32(BATCH, columns),
        // Fed as an input, since a graph that creates a column of the batch's length takes a tenth of the search's time.
        ones: f32(BATCH, 1),
        ...(this.plain ? {} : { center: f32(1, columns) }),
        prototypes: f32(count, columns + 1),
        ...(question === 'lead' ? { own: { shape: [BATCH], dtype: 'int32' as const } } : {}),
      };
      return trace(question, specs, (t: Readonly<Record<string, Tensor>>) => {
        const around = concat(
          [t.center ? sub(t.x as Tensor, t.center) : (t.x as Tensor), t.ones as Tensor],
          1,
        );
        const score = matmul(around, t.prototypes as Tensor, { transposeB: true });
        return { answer: t.own ? sub(reduceMax(score, -1), takeAlong(score, t.own)) : argMax(score) };
      });
    });
  }

  /** Runs a graph on rows. */
  private async ask(
    question: Question,
    grid: Readonly<{ prototypes: Value; center?: Value }>,
    { rows, own }: OwnedRows,
  ): Promise<ArrayLike<number>> {
    const { programs } = this;
    const { ones } = this.known as Known;
    const { rows: n } = rows;
    const program = await this.program(question, grid.prototypes.shape[0] as number);
    const { answer } = await runOnce(program, grid, {
      x: uploadRows(programs, rows),
      ones: programs.upload({ data: ones.subarray(0, n), shape: [n, 1], dtype: 'float32' }),
      ...(question === 'lead' ? { own: programs.upload({ data: own, shape: [n], dtype: 'int32' }) } : {}),
    });
    return (await readAndFree(answer as Value)).data;
  }

  /**
   * Prototypes as [2(p − c), −‖p − c‖²] [K, D + 1], corrected by −2c·(p − c) for uncentered rows. Computed once a search, which has
   * many blocks of rows.
   */
  private beside({ data, shape }: NdArray): NdArray {
    const { center, plain } = this;
    const columns = center.length;
    const count = shape[0] as number;
    const prepared = new Float32Array(count * (columns + 1));
    let to = 0;
    for (let k = 0; k < count; k++) {
      let last = 0;
      for (let j = 0; j < columns; j++) {
        const c = center[j] as number;
        const value = (data[k * columns + j] as number) - c;
        prepared[to++] = 2 * value;
        last += plain ? value * (value + 2 * c) : value * value;
      }
      prepared[to++] = -last;
    }
    return ndarray(prepared, [count, columns + 1]);
  }

  /**
   * Σ w·‖x − p‖² from the sums by prototype, without reading any row: Σ w·‖x − c‖² + Σ_k (p_k − c)·(W_k (p_k − c) − 2 Σ w (x − c)).
   */
  cost({ data }: NdArray, { weights, sums }: IndexSums): number {
    const { center } = this;
    let cost = this.scatter;
    weights.forEach((weight, k) => {
      center.forEach((c, j) => {
        const i = k * center.length + j;
        const p = (data[i] as number) - c;
        cost += p * (weight * p - 2 * ((sums[i] as number) - weight * c));
      });
    });
    return Math.max(0, cost);
  }

  /** The cost if cancellation leaves nine digits of it, else undefined. */
  inertia(prototypes: NdArray, sums: IndexSums): number | undefined {
    const cost = this.cost(prototypes, sums);
    return cost > leftover * this.scatter ? cost : undefined;
  }
}

function scatterOf(
  { data, rows, columns }: Rows,
  sampleWeight: Float32Array,
  center: Float32Array,
): { scatter: number; weight: number } {
  let [scatter, largest, weight] = [0, 0, 0];
  for (let i = 0; i < rows; i++) {
    const length = squared(data, i * columns, center, 0, columns);
    const w = sampleWeight[i] as number;
    weight += w;
    scatter += w * length;
    if (length > largest) largest = length;
  }
  return { scatter: 4 * largest > mostSquared ? Number.POSITIVE_INFINITY : scatter, weight };
}

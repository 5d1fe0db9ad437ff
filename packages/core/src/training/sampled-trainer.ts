// Gradient steps on a sample of the classes. The grid stays on the host; a step gathers the prototypes of the sampled classes and
// runs the ordinary step graph on this smaller grid. No step reads or copies anything of the size of the whole grid.

import { allFinite, type Rows } from '../data/matrix.js';
import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray, type TypedArray } from '../dtype.js';
import type { Value } from '../graph/backend.js';
import type { Random } from '../random.js';
import { type Batch, isPicked, type Picked, takePicked } from '../state/batch.js';
import { absentPrototype, momentNames, parameterNames, stepGraph } from './graphs.js';
import { Ownership } from './ownership.js';
import { disposeAll, uploadBlock, uploadParameters } from './phase1.js';
import { droppedOffset, evaluateLoss, type GradientTrainer, uploadScalars } from './phase2.js';
import { type Programs, readAndFree, runOnce } from './program.js';
import {
  bucketOf,
  type ClassIndex,
  type ClassSample,
  gatherRows,
  indexClasses,
  prototypesOf,
  Rivals,
  sampleClasses,
} from './sampling.js';
import { type GridSpec, specKey } from './spec.js';

/** Searches hard negatives in a grid that steps move. */
export interface HardNegativeSearch {
  /** Notes the classes near each row. */
  note(batch: Batch, rivals: Rivals): Promise<void>;
  /** Follows a step that moved the prototypes at these indices to the first rows of `moved`. */
  follow(indices: Int32Array, moved: Float32Array): Promise<void>;
  dispose(): void;
}

/** Largest share of the n further classes that can be hard negatives. The others are drawn, and represent all absent classes. */
const rivalShare = 7 / 8;

/** A grid of sampled prototypes, padded to the size of a graph. */
interface Sample {
  readonly spec: GridSpec;
  /** Prototypes of the sample, ascending; further rows of the arrays are padding. */
  readonly prototypes: Int32Array;
  /** Arrays and moments of the sample, offsets, and how many classes each sampled class stands for. */
  readonly arrays: Readonly<Record<string, NdArray>>;
  readonly y: Rows;
}

/**
 * Trains on sampled classes. Adam is lazy: moments of prototypes outside the sample neither decay nor move anything, while bias
 * corrections count all steps. l2Reg and diversityReg act on the sampled prototypes. Hard negatives are remembered for the life of
 * the trainer, as in finetune.
 */
export class SampledTrainer implements GradientTrainer {
  steps: number;
  private readonly programs: Programs;
  private readonly spec: GridSpec;
  private readonly n: number;
  private readonly index: ClassIndex;
  /** Names of arrays with one row a prototype, and of arrays that gradients move. */
  private readonly rowNames: readonly string[];
  private readonly moved: readonly string[];
  private readonly arrays: Record<string, NdArray>;
  /** Arrays that only this trainer holds; others are copied before the first write. */
  private readonly ownership: Ownership;
  private readonly lent: boolean;
  /** Memory of the last batch, reused for the next. */
  private taken: Batch | undefined;
  private readonly rivals = new Rivals();
  private readonly near: HardNegativeSearch | null;
  /** The position of each prototype in the sample. */
  private readonly indices: Int32Array;

  constructor(
    programs: Programs,
    spec: GridSpec,
    arrays: Readonly<Record<string, NdArray>>,
    steps: number,
    n: number,
    near: HardNegativeSearch | null,
    ownership?: Ownership,
  ) {
    this.near = near;
    this.ownership = ownership ?? new Ownership();
    this.lent = ownership !== undefined;
    this.programs = programs;
    this.spec = spec;
    this.steps = steps;
    this.n = n;
    this.arrays = { ...arrays };
    this.moved = spec.trainable.flatMap((name) => [name, ...momentNames(name)]);
    for (const name of spec.trainable) {
      const { shape, data } = arrays[name] as NdArray;
      for (const moment of momentNames(name)) {
        if (arrays[moment]) continue;
        const zeros: NdArray = { data: new Float32Array(data.length), shape, dtype: 'float32' };
        this.arrays[moment] = zeros;
        this.ownership.claim(zeros);
      }
    }
    const whole = ['featureWeights', ...momentNames('featureWeights')];
    this.rowNames = ['owners', 'logBandwidth', 'bias', ...this.moved].filter(
      (name, i, all) => this.arrays[name] && !whole.includes(name) && all.indexOf(name) === i,
    );
    this.index = indexClasses(arrays.owners as NdArray, spec.outputs);
    this.indices = new Int32Array(spec.members > 0 ? spec.prototypes : 0);
  }

  async step(given: Batch | Picked, learningRate: number, random: Random, dropout: number): Promise<Value> {
    if (isPicked(given)) this.taken = takePicked(given, this.taken);
    const batch = isPicked(given) ? (this.taken as Batch) : given;
    this.steps++;
    await this.near?.note(batch, this.rivals);
    const { programs } = this;
    const { spec, arrays, y, prototypes } = this.sample(batch, random, dropout);
    const program = await programs.get(`step ${specKey(spec)} ${Object.keys(arrays)}`, () =>
      stepGraph(spec, arrays),
    );
    const uploads = {
      ...uploadBlock(programs, { ...batch, y }, 0, batch.x.rows),
      ...uploadScalars(programs, this.steps, learningRate, batch.x.rows),
      ...uploadParameters(programs, arrays, Object.keys(arrays)),
    };
    const { loss, rival, ...moved } = await runOnce(program, {}, uploads);
    if (rival) this.noteRivals((await readAndFree(rival)).data, y, prototypes);
    const rows: [string, TypedArray][] = [];
    for (const [name, value] of Object.entries(moved)) rows.push([name, (await readAndFree(value)).data]);
    const total = (await readAndFree(loss as Value)).data[0] as number;
    // All or nothing: no other call sees half a step, and a step with values that are not finite moves nothing and returns NaN.
    const whole = Number.isFinite(total) && rows.every(([, data]) => allFinite(data));
    if (whole) {
      for (const [name, data] of rows) this.write(name, data, prototypes);
      const points = rows.find(([name]) => name === 'prototypes');
      if (points) await this.near?.follow(prototypes, points[1] as Float32Array);
    }
    return programs.upload(ndarray([whole ? total : Number.NaN], []));
  }

  async evaluate(batch: Batch): Promise<number> {
    const values = uploadParameters(this.programs, this.arrays, parameterNames);
    try {
      return await evaluateLoss(this.programs, this.spec, this.arrays, values, batch);
    } finally {
      disposeAll(values);
    }
  }

  /** Returns the arrays themselves, which from here on this trainer no longer holds alone. */
  async read(): Promise<Record<string, NdArray>> {
    if (!this.lent) this.ownership.share();
    return Object.fromEntries(this.moved.map((name) => [name, this.arrays[name] as NdArray]));
  }

  dispose(): void {
    this.near?.dispose();
  }

  private sample(batch: Batch, random: Random, dropout: number): Sample {
    const { spec, index } = this;
    const targets = denseRows(batch.y);
    const batchOwn = ownClasses(targets, spec);
    const own = this.rivals.beside(batchOwn, Math.floor(rivalShare * this.n));
    const drawn = sampleClasses(own, spec.outputs, this.n + batchOwn.size - own.size, random);
    const prototypes = prototypesOf(index, drawn.classes);
    const count = bucketOf(prototypes.length, spec.prototypes);
    const arrays: Record<string, NdArray> = {};
    for (const [name, array] of Object.entries(this.arrays)) {
      if (this.rowNames.includes(name)) arrays[name] = gatherRows(array, prototypes, count);
      else if (name === 'pace' || /(^|\.)featureWeights$/.test(name)) arrays[name] = array;
    }
    arrays.offsets = this.offsets(prototypes, count, own, drawn, random, dropout);
    if (spec.frozen) arrays.active = this.active(prototypes, count);
    const small: GridSpec = { ...spec, prototypes: count, offsets: true, sampled: true };
    if (spec.candidates !== 'labels') return { spec: small, prototypes, arrays, y: targets };
    const labels = bucketOf(drawn.classes.length, spec.outputs);
    Object.assign(arrays, this.labels(prototypes, count, own, drawn, labels));
    const y = columnsOf(targets, drawn.classes, labels);
    return { spec: { ...small, outputs: labels, yColumns: labels }, prototypes, arrays, y };
  }

  private noteRivals(found: TypedArray, { data: classes }: Rows, prototypes: Int32Array): void {
    const owners = (this.arrays.owners as NdArray).data;
    found.forEach((index: number, row: number) => {
      const k = prototypes[index];
      // Padding is no hard negative.
      if (k !== undefined) this.rivals.note(classes[row] as number, owners[k] as number);
    });
  }

  /**
   * 0 for the classes of the batch and their hard negatives, log(absent/n) for drawn ones; dropped prototypes and padding are taken
   * out of the routing.
   */
  private offsets(
    prototypes: Int32Array,
    count: number,
    own: ReadonlySet<number>,
    { standsFor }: ClassSample,
    random: Random,
    dropout: number,
  ): NdArray {
    const owners = (this.arrays.owners as NdArray).data;
    const data = new Float32Array(count).fill(absentPrototype);
    const other = Math.log(standsFor);
    prototypes.forEach((k, i) => {
      const dropped = this.spec.offsets && random.uniform() < dropout;
      data[i] = dropped ? droppedOffset : own.has(owners[k] as number) ? 0 : other;
    });
    return { data, shape: [count], dtype: 'float32' };
  }

  private active(prototypes: Int32Array, count: number): NdArray {
    const frozen = (this.arrays.frozen as NdArray).data;
    const data = new Float32Array(count);
    prototypes.forEach((k, i) => {
      data[i] = 1 - (frozen[k] as number);
    });
    return { data, shape: [count], dtype: 'float32' };
  }

  /** The member table of the sampled labels, and how many labels each stands for: 0 for padding. */
  private labels(
    prototypes: Int32Array,
    count: number,
    own: ReadonlySet<number>,
    { classes, standsFor }: ClassSample,
    labels: number,
  ): Record<string, NdArray> {
    const { indices, index, spec } = this;
    prototypes.forEach((k, i) => {
      indices[k] = i;
    });
    const members = new Int32Array(labels * spec.members).fill(count);
    const weights = new Float32Array(labels);
    classes.forEach((label, i) => {
      weights[i] = own.has(label) ? 1 : standsFor;
      const begin = index.starts[label] as number;
      const end = index.starts[label + 1] as number;
      for (let at = begin; at < end; at++) {
        members[i * spec.members + at - begin] = indices[index.prototypes[at] as number] as number;
      }
    });
    return {
      members: { data: members, shape: [1, labels, spec.members], dtype: 'int32' },
      labelWeights: { data: weights, shape: [labels], dtype: 'float32' },
    };
  }

  /** Writes the rows of the sample back. */
  private write(name: string, rows: TypedArray, prototypes: Int32Array): void {
    const array = this.arrays[name] as NdArray;
    if (!this.rowNames.includes(name)) {
      this.arrays[name] = { ...array, data: rows };
      return;
    }
    const kept = this.ownership.has(array) ? array : { ...array, data: array.data.slice() };
    const { data } = kept;
    const width = data.length / this.spec.prototypes;
    prototypes.forEach((k, i) => {
      for (let j = 0; j < width; j++) data[k * width + j] = rows[i * width + j] as number;
    });
    this.ownership.claim(kept);
    this.arrays[name] = kept;
  }
}

/** The classes of the rows, or the labels of any row. */
function ownClasses({ data, rows, columns }: Rows, { candidates }: GridSpec): Set<number> {
  if (candidates !== 'labels') return new Set(data.subarray(0, rows));
  const own = new Set<number>();
  for (let i = 0; i < data.length; i++) if ((data[i] as number) > 0) own.add(i % columns);
  return own;
}

/** Columns of y, followed by columns of zeros. */
function columnsOf(y: Rows, classes: Int32Array, count: number): Rows {
  const data = new Float32Array(y.rows * count);
  for (let i = 0; i < y.rows; i++) {
    classes.forEach((c, j) => {
      data[i * count + j] = y.data[i * y.columns + c] as number;
    });
  }
  return { data, rows: y.rows, columns: count };
}

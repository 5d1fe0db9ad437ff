// Phase 2: gradient steps. Parameters and moments stay on the backend; a run reads them once, at its end.

import { allFinite } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError } from '../errors.js';
import { adamCorrections } from '../formulas/adam.js';
import { weightedMean } from '../formulas/paired-difference.js';
import type { Value } from '../graph/backend.js';
import type { Random } from '../random.js';
import { type Batch, isPicked, type Picked, takePicked } from '../state/batch.js';
import { lossGraph, momentNames, parameterNames, rowLossGraph, stepGraph } from './graphs.js';
import { disposeAll, rowsThatFit, uploadBlock, uploadParameters } from './phase1.js';
import { type Program, type Programs, readAndFree, runOnce } from './program.js';
import { breathe } from './progress.js';
import { ResidentRows } from './resident-rows.js';
import { type GridSpec, specKey } from './spec.js';

type Arrays = Readonly<Record<string, NdArray>>;

/** Added to the logit of a prototype that dropout leaves out. */
export const droppedOffset = -1e9;

const leftNumbers = (call: string, name: string): DataError =>
  new DataError(
    `${call}: a gradient step left ${name} with values that are not finite; lower the learning rate, or scale X and y.`,
    { name },
  );

/** Moves the trainable state of a model by gradient steps. */
export interface GradientTrainer {
  /** Gradient steps taken: Adam's t. */
  readonly steps: number;
  /** One Adam step on the batch; returns the loss before it, still on the device. `random` draws dropout and sampled classes. */
  step(batch: Batch | Picked, learningRate: number, random: Random, dropout: number): Promise<Value>;
  /** Weighted mean loss of rows that do not train, in float64. */
  evaluate(batch: Batch): Promise<number>;
  /** Parameters and moments on the host; the trainer can go on. Errors: DataError if a value is not finite. */
  read(call: string): Promise<Record<string, NdArray>>;
  dispose(): void;
}

/** The scalars of step t, under the step graph's names. */
export function uploadScalars(
  programs: Programs,
  t: number,
  learningRate: number,
  rows: number,
): Record<string, Value> {
  const scalars = { ...adamCorrections(t), learningRate, inverseRows: 1 / rows };
  return Object.fromEntries(
    Object.entries(scalars).map(([name, value]) => [name, programs.upload(ndarray([value], []))]),
  );
}

/** Trains with parameters and moments on the backend. */
export class Trainer implements GradientTrainer {
  steps: number;
  private readonly programs: Programs;
  private readonly spec: GridSpec;
  private readonly arrays: Arrays;
  private readonly program: Program;
  private values: Record<string, Value>;
  private readonly offsets: Float32Array;
  private readonly trained: ResidentRows;
  private readonly evaluated: ResidentRows;
  /** Memory reused by all batches: new memory for each would burden the garbage collector. */
  private taken: Batch | undefined;

  private constructor(programs: Programs, spec: GridSpec, arrays: Arrays, steps: number, program: Program) {
    this.programs = programs;
    this.spec = spec;
    this.arrays = arrays;
    this.steps = steps;
    this.program = program;
    this.offsets = new Float32Array(spec.prototypes);
    this.trained = new ResidentRows(programs);
    this.evaluated = new ResidentRows(programs);
    const trained = spec.trainable.flatMap((name) => momentNames(name));
    const zeros = Object.fromEntries(
      spec.trainable.flatMap((name) => {
        const { shape, data } = arrays[name] as NdArray;
        return momentNames(name).map(
          (moment) => [moment, ndarray(new Float32Array(data.length), shape)] as const,
        );
      }),
    );
    this.values = uploadParameters(programs, { ...zeros, ...arrays }, [
      ...parameterNames,
      'pace',
      ...trained,
    ]);
    if (spec.frozen) {
      const frozen = (arrays.frozen as NdArray).data;
      this.values.active = programs.upload(
        ndarray(
          Array.from(frozen, (f) => 1 - f),
          [spec.prototypes],
        ),
      );
    }
  }

  /** `steps`: gradient steps taken so far, whose moments are in `arrays`. */
  static async create(programs: Programs, spec: GridSpec, arrays: Arrays, steps: number): Promise<Trainer> {
    const key = `step ${specKey(spec)} ${Object.keys(arrays)}`;
    return new Trainer(programs, spec, arrays, steps, await programs.get(key, () => stepGraph(spec, arrays)));
  }

  async step(batch: Batch | Picked, learningRate: number, random: Random, dropout: number): Promise<Value> {
    this.steps++;
    const { programs, spec } = this;
    const rows = await this.rowsOf(batch);
    const size = isPicked(batch) ? batch.order.length : batch.x.rows;
    const uploads = { ...rows, ...uploadScalars(programs, this.steps, learningRate, size) };
    if (spec.offsets) {
      for (let k = 0; k < this.offsets.length; k++)
        this.offsets[k] = random.uniform() < dropout ? droppedOffset : 0;
      uploads.offsets = programs.upload({ data: this.offsets, shape: [spec.prototypes], dtype: 'float32' });
    }
    const { loss, ...moved } = await runOnce(this.program, this.values, uploads);
    for (const [name, value] of Object.entries(moved)) {
      this.values[name]?.dispose();
      this.values[name] = value;
    }
    return loss as Value;
  }

  private async rowsOf(batch: Batch | Picked): Promise<Record<string, Value>> {
    const there = isPicked(batch) ? await this.trained.pick(batch.rows, batch.order) : null;
    if (there) return there;
    if (isPicked(batch)) this.taken = takePicked(batch, this.taken);
    const taken = isPicked(batch) ? (this.taken as Batch) : batch;
    return uploadBlock(this.programs, taken, 0, taken.x.rows);
  }

  async evaluate(batch: Batch): Promise<number> {
    return evaluateLoss(this.programs, this.spec, this.arrays, this.values, batch, this.evaluated);
  }

  async read(call: string): Promise<Record<string, NdArray>> {
    const names = this.spec.trainable.flatMap((name) => [name, ...momentNames(name)]);
    const entries = names.map(async (name) => {
      const value = this.values[name] as Value;
      const data = await value.read();
      // A finite loss can have derivatives, or squares of them, that are not finite.
      if (!allFinite(data)) throw leftNumbers(call, name);
      return [name, { data, shape: value.shape, dtype: value.dtype }] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  dispose(): void {
    this.trained.dispose();
    this.evaluated.dispose();
    disposeAll(this.values);
    this.values = {};
  }
}

/** The loss of each row, unweighted. Rows stay on the device between calls if they fit. */
export async function rowLosses(
  programs: Programs,
  spec: GridSpec,
  arrays: Arrays,
  values: Readonly<Record<string, Value>>,
  batch: Batch,
  kept?: ResidentRows,
): Promise<Float64Array> {
  const program = await programs.get(`rowLoss ${specKey(spec)} ${Object.keys(arrays)}`, () =>
    rowLossGraph(spec, arrays),
  );
  const losses = new Float64Array(batch.x.rows);
  const size = rowsThatFit(batch.x, spec.prototypes);
  for (let begin = 0; begin < batch.x.rows; begin += size) {
    await breathe(undefined);
    const end = Math.min(batch.x.rows, begin + size);
    const there = await kept?.block(batch, begin, end);
    const { loss } = there
      ? await program.run({ ...values, ...there })
      : await runOnce(program, values, uploadBlock(programs, batch, begin, end));
    losses.set((await readAndFree(loss as Value)).data, begin);
  }
  return losses;
}

/** Σ w·loss / Σ w over the rows, as in `rowLosses`. */
export const evaluateLoss = async (...call: Parameters<typeof rowLosses>): Promise<number> =>
  weightedMean(await rowLosses(...call), call[4].sampleWeight);

/** Loss and derivatives of a batch; nothing moves. */
export async function lossAndGradients(
  programs: Programs,
  spec: GridSpec,
  arrays: Arrays,
  batch: Batch,
): Promise<{ loss: number; gradients: Record<string, NdArray> }> {
  const program = await programs.get(`loss ${specKey(spec)} ${Object.keys(arrays)}`, () =>
    lossGraph(spec, arrays),
  );
  const parameters = uploadParameters(programs, arrays);
  try {
    const uploads = uploadBlock(programs, batch, 0, batch.x.rows);
    uploads.inverseRows = programs.upload(ndarray([1 / batch.x.rows], []));
    const { loss, ...rest } = await runOnce(program, parameters, uploads);
    const gradients: Record<string, NdArray> = {};
    for (const [name, value] of Object.entries(rest))
      gradients[name.replace(/^d\./, '')] = await readAndFree(value);
    return { loss: (await readAndFree(loss as Value)).data[0] as number, gradients };
  } finally {
    disposeAll(parameters);
  }
}

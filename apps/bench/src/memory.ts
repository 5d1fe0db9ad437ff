// Resident memory of a process that creates many models, or whose model keeps growing.

import { FastKMeansClassifier, FastKMeansRegressor } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';
import { Failure } from './failure.ts';
import { again, collected } from './process.ts';
import { formatTable, printResults, rounded } from './report.ts';

export interface MemoryOptions {
  /** Number of models, each of another shape, and of classes that come one by one. */
  readonly models: number;
  readonly classes: number;
  /** The part to measure in this process; the bench starts a process for each. */
  readonly alone?: string;
}

const backends: readonly BackendName[] = ['onnx', 'tfjs-wasm', 'tfjs-cpu', 'js'];
/** Models and classes after which memory should be constant. */
const warm = 20;
/** Megabytes by which it may still change. */
const allowed = 60;

interface Seen {
  readonly first: number;
  readonly most: number;
  readonly last: number;
}

/** Resident memory after each step; the first twenty are warm-up. */
async function watched(steps: number, step: (i: number) => Promise<void>): Promise<Seen> {
  let [first, most, last] = [0, 0, 0];
  for (let i = 0; i < steps; i++) {
    await step(i);
    if (i + 1 < warm || ((i + 1) % 10 !== 0 && i + 1 < steps)) continue;
    last = await collected();
    if (i + 1 === warm) first = last;
    most = Math.max(most, last);
  }
  return { first, most, last };
}

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((seed + 1) * (i + 1)));

/** Models with different columns and prototypes: fitted, used, then abandoned or disposed of. */
const ofShapes =
  (disposes: boolean) =>
  async (name: BackendName, { models }: MemoryOptions): Promise<Seen> => {
    const backend = await openBackend(name);
    return watched(models, async (i) => {
      const [rows, columns] = [256, 4 + i];
      const X = { data: numbers(rows * columns, i), shape: [rows, columns] as const };
      const model = new FastKMeansRegressor({ backend, nPrototypes: 20 + i });
      await model.fitBatch(X, numbers(rows, i));
      await model.predict({ data: X.data.subarray(0, columns), shape: [1, columns] });
      if (disposes) await model.dispose();
    });
  };

/** A stream in which every batch has a new class. */
async function ofClasses(name: BackendName, { classes }: MemoryOptions): Promise<Seen> {
  const [rows, columns] = [16, 8];
  const model = new FastKMeansClassifier({ backend: await openBackend(name), scaling: 'none' });
  return watched(classes, async (i) => {
    const data = numbers(rows * columns, i).map((value) => value / 4 + i);
    const y = Array.from({ length: rows }, (_, row) => `class ${row % 2 === 1 ? i : Math.max(0, i - 1)}`);
    await model.fitBatch({ data, shape: [rows, columns] }, y);
    await model.predict({ data: data.subarray(0, columns), shape: [1, columns] });
  });
}

const measures = {
  'models, disposed of': ofShapes(true),
  'models, left': ofShapes(false),
  'classes of a stream': ofClasses,
} as const;

/** Errors: Failure if memory changes by more than 60 MB after the first twenty. */
export async function benchMemory(options: MemoryOptions): Promise<void> {
  if (options.alone !== undefined) {
    const [backend, measure] = JSON.parse(options.alone) as [BackendName, keyof typeof measures];
    console.log(JSON.stringify(await measures[measure](backend, options)));
    return;
  }
  const { models, classes } = options;
  const results = Object.keys(measures).flatMap((measure) =>
    backends.map((backend) => {
      const flags = ['--models', `${models}`, '--classes', `${classes}`];
      const seen = again<Seen>(
        ['reliability', '--case', 'memory', ...flags, '--alone', JSON.stringify([backend, measure])],
        ['--expose-gc'],
      );
      const value = rounded(Math.max(seen.most, seen.last) - seen.first);
      console.log(
        `${measure} on ${backend}: ${rounded(seen.first)} MB after ${warm}, then ${value} MB more at most`,
      );
      return {
        case: 'memory',
        measure,
        backend,
        after20: rounded(seen.first),
        last: rounded(seen.last),
        value,
      };
    }),
  );
  console.log(
    formatTable(
      ['measure', 'backend', `MB after ${warm}`, 'MB at the end', 'MB more, at most'],
      results.map((one) => [one.measure, one.backend, one.after20, one.last, one.value]),
    ),
  );
  printResults(results);
  const grown = results.filter(({ value }) => value > allowed);
  if (grown.length > 0) {
    const names = grown.map(({ measure, backend, value }) => `${measure} on ${backend} by ${value} MB`);
    throw new Failure(`memory grew by more than ${allowed} MB: ${names.join('; ')}.`);
  }
}

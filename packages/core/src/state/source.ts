// Sources of rows in batches: what estimators need of a source, and the checks of what it yields. `@fkm/data` has sources; an async
// generator can be one too.

import type { Vector } from '../data/matrix.js';
import { OptionError, ShapeError, shown } from '../errors.js';
import { interruptible } from '../waiting.js';
import { type Encoding, encodedWidth, encodingDifference, isEncoding } from './encoding.js';

/** Row-major [rows, columns]. */
export interface FlatMatrix {
  readonly data: Float32Array;
  readonly shape: readonly [number, number];
}

/** Targets of a batch: numbers or labels of the rows [B], several columns of numbers [B, T], or a list of label names for each row. */
export type SourceTargets = Vector | readonly string[] | FlatTargets | readonly (readonly string[])[];

/** Row-major [rows, T]. */
export interface FlatTargets {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly [number, number];
}

/** A batch of a source. The consumer owns the memory: a source does not write to a batch that it has yielded. */
export interface SourceBatch {
  /** [B, D]. */
  readonly X: FlatMatrix;
  readonly y?: SourceTargets | undefined;
  /** [B]. */
  readonly sampleWeight?: Vector | undefined;
  /** 1 present, 0 missing [B, D], or [D] for all rows. */
  readonly featureMask?: FlatMatrix | Vector | undefined;
}

/**
 * Batches of rows. Every iteration starts at the first batch and yields the same batches in the same order, on which repeated passes and
 * resumed runs rely. A consumer that stops early calls `return()`, as `for await` does, and the source closes what it opened.
 */
export interface Source extends AsyncIterable<SourceBatch> {
  /** Names of the D features. */
  readonly columns: readonly string[];
  /** How columns of a table were encoded as features, if they were. Models keep it. */
  readonly encoding?: Encoding | undefined;
  /** Rows of one iteration; undefined if unknown or endless. */
  readonly rowCount?: number | undefined;
  /** An iteration that skips the first batches. Without this method they are read and dropped. */
  from?(batch: number): AsyncIterable<SourceBatch>;
  /** Disjoint sources that together yield the rows of this one, for several workers. */
  shards?(count: number): readonly Source[] | Promise<readonly Source[]>;
}

/** True for async iterables that name their columns; arrays of rows do not. */
export const isSource = (value: unknown): value is Source =>
  typeof value === 'object' &&
  value !== null &&
  Symbol.asyncIterator in value &&
  Array.isArray((value as Partial<Source>).columns);

/** Checks the parts of a source that a model keeps, and so must fit into a file. Errors: OptionError. */
export function checkWords({ columns, encoding }: Source, call: string): void {
  const refuse = (what: string, remedy: string): never => {
    throw new OptionError(`${call}: ${what}; ${remedy}.`, { option: 'source' });
  };
  const at = columns.findIndex((name: unknown) => typeof name !== 'string');
  if (at >= 0)
    refuse(`source.columns has ${shown(columns[at])} at place ${at}`, 'columns are names, one a feature');
  if (encoding === undefined) return;
  if (!isEncoding(encoding)) {
    refuse(
      `source.encoding is ${shown(encoding)} that is not an encoding`,
      'leave it out, or pass that of a source of @fkm/data or of a model',
    );
  }
  const width = encoding.features.reduce((sum, feature) => sum + encodedWidth(feature), 0);
  if (width !== columns.length)
    refuse(`source.encoding makes ${width} columns, the source names ${columns.length}`, 'name each of them');
}

/** Errors: OptionError. */
export function checkSource(source: unknown, call: string): asserts source is Source {
  if (isSource(source)) return checkWords(source, call);
  throw new OptionError(
    `${call}: source should be an async iterable of batches { X, y } with columns, got ${source === null ? 'null' : typeof source}; make one with fromIterable of @fkm/data.`,
    { option: 'source' },
  );
}

/** Checks that a source encodes rows as the model's first source did. Errors: OptionError. */
export function checkSameEncoding(own: Encoding | undefined, source: Source, call: string): void {
  checkWords(source, call);
  const difference = own && source.encoding && encodingDifference(own, source.encoding);
  if (!difference) return;
  throw new OptionError(
    `${call}: source.encoding ${difference}; open the source with { encoding: model.encoding }.`,
    { option: 'source', columns: source.columns },
  );
}

const isFlat = (m: unknown): m is FlatMatrix =>
  typeof m === 'object' &&
  m !== null &&
  (m as Partial<FlatMatrix>).data instanceof Float32Array &&
  Array.isArray((m as Partial<FlatMatrix>).shape);

/** The batch, checked to be as wide as the source says. Errors: ShapeError. */
export function checkedBatch(source: Source, batch: SourceBatch, call: string): SourceBatch {
  const X: unknown = batch?.X;
  if (!isFlat(X)) {
    throw new ShapeError(`${call}: X should be { data: Float32Array, shape: [rows, columns] }.`, {
      argument: 'X',
    });
  }
  const [columns, expected] = [X.shape[1], source.columns.length];
  if (columns === expected) return batch;
  throw new ShapeError(`${call}: X has ${columns} columns, the source names ${expected}.`, {
    argument: 'X',
    columns,
    expected,
  });
}

/** A batch and its number in the iteration, from 0. */
export interface Numbered {
  readonly number: number;
  readonly rows: SourceBatch;
}

/**
 * The checked batches from number `first` on, without those that have no rows. Errors: ShapeError, errors of the source, and the signal's
 * reason, which does not wait for the source.
 */
export async function* batchesFrom(
  source: Source,
  first: number,
  call: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Numbered> {
  const seeks = first > 0 && source.from !== undefined;
  let number = seeks ? first : 0;
  signal?.throwIfAborted();
  const batches = seeks ? (source.from as NonNullable<Source['from']>)(first) : source;
  for await (const batch of interruptible(batches, signal)) {
    if (number >= first && batch.X?.shape?.[0] !== 0) {
      yield { number, rows: checkedBatch(source, batch, `${call}, batch ${number}`) };
    }
    number++;
  }
}

/** The answer about rows, or one answer for each batch of a source. */
export type Answers<R> = Promise<R> | AsyncGenerator<R, void, void>;

/** Applies `answer` to the batches of a source, one after the other. */
export async function* overSource<R>(
  source: Source,
  call: string,
  signal: AbortSignal | undefined,
  answer: (X: FlatMatrix, options: Pick<SourceBatch, 'featureMask'>) => Promise<R>,
): AsyncGenerator<R, void, void> {
  for await (const { rows } of batchesFrom(source, 0, call, signal)) {
    const { X, featureMask } = rows;
    yield await answer(X, featureMask ? { featureMask } : {});
  }
}

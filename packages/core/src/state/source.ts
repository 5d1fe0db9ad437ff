// Sources of rows in batches: what estimators need of a source, and the checks of what it yields. `@fkm/data` has sources; an async
// generator can be one too.

import type { Vector } from '../data/matrix.js';
import { type Columns, isTabular, Table, toTable } from '../data/table.js';
import { DataError, OptionError, ShapeError, shown } from '../errors.js';
import { interruptible } from '../waiting.js';
import { type AnyEncoding, anyWidth, encodingDifference } from './encoding.js';

/** Row-major [rows, columns]. */
export interface FlatMatrix {
  readonly data: Float32Array;
  readonly shape: readonly [number, number];
}

/** Rows of a batch: numbers, or columns of a table that the model encodes. */
export type SourceRows = FlatMatrix | Columns | Table;

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

/** Rows of a table as a source gives them: the model that learns them encodes them. */
export interface TableBatch extends Omit<SourceBatch, 'X' | 'featureMask'> {
  /** Columns by name [B]; what is missing is null, undefined, NaN or ''. */
  readonly X: Columns | Table;
  readonly featureMask?: undefined;
}

/** A batch of either kind. */
export type GivenBatch = SourceBatch | TableBatch;

/**
 * Batches of rows. Every iteration starts at the first batch and yields the same batches in the same order, on which repeated passes and
 * resumed runs rely. A consumer that stops early calls `return()`, as `for await` does, and the source closes what it opened.
 */
export interface Source<B extends GivenBatch = SourceBatch> extends AsyncIterable<B> {
  /** Names of the D features, or of the columns of tables. */
  readonly columns: readonly string[];
  /** How columns of a table were encoded as features, if they were. Models keep it. */
  readonly encoding?: AnyEncoding | undefined;
  /**
   * The batches are tables. `fit` then reads the source once more, for the levels and target statistics of all rows; of tables from
   * a source without this it encodes by the first rows.
   */
  readonly tables?: true | undefined;
  /** Rows of one iteration; undefined if unknown or endless. */
  readonly rowCount?: number | undefined;
  /** An iteration that skips the first batches. Without this method they are read and dropped. */
  from?(batch: number): AsyncIterable<B>;
  /** Disjoint sources that together yield the rows of this one, for several workers. */
  shards?(count: number): readonly Source<B>[] | Promise<readonly Source<B>[]>;
}

/** A source of numbers or of tables. */
export type AnySource = Source<GivenBatch>;

/** True for async iterables that name their columns; arrays of rows do not. */
export const isSource = (value: unknown): value is AnySource =>
  typeof value === 'object' &&
  value !== null &&
  Symbol.asyncIterator in value &&
  Array.isArray((value as Partial<AnySource>).columns);

/** Checks the parts of a source that a model keeps, and so must fit into a file. Errors: OptionError. */
export function checkWords({ columns, encoding }: AnySource, call: string): void {
  const refuse = (what: string, remedy: string): never => {
    throw new OptionError(`${call}: ${what}; ${remedy}.`, { option: 'source' });
  };
  const at = columns.findIndex((name: unknown) => typeof name !== 'string');
  if (at >= 0)
    refuse(`source.columns has ${shown(columns[at])} at place ${at}`, 'columns are names, one a feature');
  if (encoding === undefined) return;
  const width = anyWidth(encoding);
  if (width === null) {
    refuse(
      `source.encoding is ${shown(encoding)} that is not an encoding`,
      'leave it out, or pass that of a source of @fkm/data or of a model',
    );
  }
  if (encoding.version === 1 && width !== columns.length)
    refuse(`source.encoding makes ${width} columns, the source names ${columns.length}`, 'name each of them');
}

/** Errors: OptionError. */
export function checkSource(source: unknown, call: string): asserts source is AnySource {
  if (isSource(source)) return checkWords(source, call);
  throw new OptionError(
    `${call}: source should be an async iterable of batches { X, y } with columns, got ${source === null ? 'null' : typeof source}; make one with fromIterable of @fkm/data.`,
    { option: 'source' },
  );
}

/** Checks that a source encodes rows as the model's first source did. Errors: OptionError. */
export function checkSameEncoding(own: AnyEncoding | undefined, source: AnySource, call: string): void {
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
export function checkedBatch(source: AnySource, batch: GivenBatch, call: string): GivenBatch {
  const X: unknown = batch?.X;
  if (isTabular(X)) return { ...batch, X: toTable(X, call), featureMask: undefined };
  if (!isFlat(X)) {
    throw new ShapeError(
      `${call}: X should be { data: Float32Array, shape: [rows, columns] } or columns by name.`,
      {
        argument: 'X',
      },
    );
  }
  const [columns, expected] = [X.shape[1], source.columns.length];
  if (columns === expected) return batch;
  throw new ShapeError(`${call}: X has ${columns} columns, the source names ${expected}.`, {
    argument: 'X',
    columns,
    expected,
  });
}

/** Rows of a checked batch. */
export const rowsOf = ({ X }: GivenBatch): number => (isTable(X) ? X.rows : (X as FlatMatrix).shape[0]);

/** True for the X of a checked batch that is a table. */
export const isTable = (X: SourceRows): X is Table => X instanceof Table;

/** A batch of numbers. Errors: DataError for a table. */
export function matrixBatch(batch: GivenBatch, call: string): SourceBatch {
  if (!isTabular(batch.X)) return batch as SourceBatch;
  throw new DataError(
    `${call}: the source gives tables, and this call takes numbers; open it with text 'oneHot' or 'ordinal', or pass encoded rows.`,
    { argument: 'X' },
  );
}

/** A batch and its number in the iteration, from 0. */
export interface Numbered {
  readonly number: number;
  readonly rows: GivenBatch;
}

/**
 * The checked batches from number `first` on, without those that have no rows. Errors: ShapeError, errors of the source, and the signal's
 * reason, which does not wait for the source.
 */
export async function* batchesFrom(
  source: AnySource,
  first: number,
  call: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Numbered> {
  const seeks = first > 0 && source.from !== undefined;
  let number = seeks ? first : 0;
  signal?.throwIfAborted();
  const batches = seeks ? (source.from as NonNullable<AnySource['from']>)(first) : source;
  for await (const batch of interruptible(batches, signal)) {
    if (number >= first) {
      const empty = isFlat(batch?.X) && batch.X.shape[0] === 0;
      const rows = empty ? undefined : checkedBatch(source, batch, `${call}, batch ${number}`);
      if (rows && rowsOf(rows) > 0) yield { number, rows };
    }
    number++;
  }
}

/** The answer about rows, or one answer for each batch of a source. */
export type Answers<R> = Promise<R> | AsyncGenerator<R, void, void>;

/** Applies `answer` to the batches of a source, one after the other. */
export async function* overSource<R>(
  source: AnySource,
  call: string,
  signal: AbortSignal | undefined,
  answer: (X: SourceRows, options: Pick<GivenBatch, 'featureMask'>) => Promise<R>,
): AsyncGenerator<R, void, void> {
  for await (const { rows } of batchesFrom(source, 0, call, signal)) {
    const { X, featureMask } = rows;
    yield await answer(X, featureMask ? { featureMask } : {});
  }
}

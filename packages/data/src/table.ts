// The interface of format readers, on which all else builds: chunks of typed columns. A missing number is NaN, a missing text is
// null. The caller names the columns to read and their types.

/** A column as its format describes it. */
export interface Field {
  readonly name: string;
  readonly kind: 'number' | 'integer' | 'text' | 'other';
  /** The format's name of the type. */
  readonly type: string;
  /** Digits after the point for types with exact numbers, 0 for integers: float64 has to represent such targets exactly. */
  readonly scale?: number | undefined;
}

/** A wanted column and its type. Targets may be labels, which float32 could confuse. */
export interface Wanted {
  readonly name: string;
  readonly as: 'float32' | 'float64' | 'text';
  /** The kind of its field. */
  readonly kind?: Field['kind'] | undefined;
}

export type Column = Float32Array | Float64Array | readonly (string | null)[];

/** Rows as columns; a column is unpacked only when it is requested. */
export interface Chunk {
  readonly rows: number;
  /** The wanted column at this index. */
  column(at: number): Column;
}

export interface ReadControl {
  /** Ends a wait for rows by throwing its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Rows at the beginning that will be dropped. A reader that can start later skips them and reports how many. */
  readonly skip: number;
}

export interface Read {
  /** The number of rows skipped, at most `skip`. */
  readonly skipped: number;
  /** Closes what it opened when it ends, fails, or is returned from. */
  readonly chunks: AsyncIterable<Chunk>;
}

export interface Table {
  /** Start of error messages: "parquet 'rows.parquet'". */
  readonly name: string;
  readonly fields: readonly Field[];
  readonly rowCount?: number | undefined;
  read(wanted: readonly Wanted[], control: ReadControl): Promise<Read>;
  /** The distinct texts of columns. Without this method, all rows are read for them. */
  distinct?(
    columns: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly (readonly string[])[]>;
  /** Whether all readings give the same rows in the same order, so that they can be dealt out to shards. */
  readonly ordered?: boolean | undefined;
  shards?(count: number): Promise<readonly Table[]>;
  /** Frees what is held between readings. */
  close?(): Promise<void>;
}

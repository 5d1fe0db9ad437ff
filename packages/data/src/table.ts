// What the readers of formats give, and all the rest builds on: chunks of typed columns. A missing number is NaN, a missing
// text is null; which columns are read, and as what, is asked for.

/** A column as its format knows it. */
export interface Field {
  readonly name: string;
  readonly kind: 'number' | 'integer' | 'text' | 'other';
  /** What the format calls its type. */
  readonly type: string;
  /** Digits behind the point of a type whose numbers are exact, 0 of integers: as targets, float64 has to hold them. */
  readonly scale?: number | undefined;
}

/** A column that is wanted, and how: targets may be labels, which float32 would not tell apart. */
export interface Wanted {
  readonly name: string;
  readonly as: 'float32' | 'float64' | 'text';
  /** The kind of its field. */
  readonly kind?: Field['kind'] | undefined;
}

export type Column = Float32Array | Float64Array | readonly (string | null)[];

/** Rows as columns; a column is only unpacked when it is asked for. */
export interface Chunk {
  readonly rows: number;
  /** The column that was wanted at this place. */
  column(at: number): Column;
}

export interface ReadControl {
  /** Ends a wait for rows, with whatever is thrown then. */
  readonly signal?: AbortSignal | undefined;
  /** Rows at the beginning that will be dropped: a reader that can begin later does, and says how many it left out. */
  readonly skip: number;
}

export interface Read {
  /** Rows that the chunks begin after; `skip` of them at most. */
  readonly skipped: number;
  /** Closes what it opened when it ends, fails, or is returned from. */
  readonly chunks: AsyncIterable<Chunk>;
}

export interface Table {
  /** Opens the sentence of an error: "parquet 'rows.parquet'". */
  readonly name: string;
  readonly fields: readonly Field[];
  readonly rowCount?: number | undefined;
  read(wanted: readonly Wanted[], control: ReadControl): Promise<Read>;
  /** The different texts of columns; without this method all rows are read for them. */
  distinct?(
    columns: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<readonly (readonly string[])[]>;
  /** All readings give the same rows in the same order, so that they can be dealt out. */
  readonly ordered?: boolean | undefined;
  shards?(count: number): Promise<readonly Table[]>;
  /** Lets go of what is held between readings. */
  close?(): Promise<void>;
}

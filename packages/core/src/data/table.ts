// Tables as users hand them in: records, or columns by name. What they hold is told column by column.

import { DataError, ShapeError, shown } from '../errors.js';
import { isCsr, isNumbers, type Matrix, type Vector } from './matrix.js';

/** A value of a table. null, undefined, NaN and '' are missing. */
export type Cell = number | bigint | string | boolean | Date | null | undefined;

/** One object a row, with a key a column. A key that a row lacks is a missing value. */
export type Records = readonly object[];

/** An array a column, all of one length. */
export type Columns = Readonly<Record<string, ArrayLike<Cell>>>;

/** Rows of named columns. */
export type Tabular = Records | Columns;

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof Date);

const isRecords = (value: unknown): value is Records => Array.isArray(value) && isPlain(value[0]);

const isArrays = (value: object): value is Columns => {
  const parts = Object.values(value);
  return parts.length > 0 && parts.every((part) => Array.isArray(part) || ArrayBuffer.isView(part));
};

/** Columns of one length, by name. The arrays are the caller's, unless they were copied. */
export class Table {
  readonly rows: number;
  readonly names: readonly string[];
  /** Of records, where a key that no row has is a column of missing values. */
  readonly open: boolean;
  private readonly columns: ReadonlyMap<string, ArrayLike<Cell>>;

  constructor(columns: ReadonlyMap<string, ArrayLike<Cell>>, rows: number, open: boolean) {
    this.columns = columns;
    this.open = open;
    this.rows = rows;
    this.names = [...columns.keys()];
  }

  /** The cells of a column [N]; undefined where there is none of that name. */
  column(name: string): ArrayLike<Cell> | undefined {
    return this.columns.get(name);
  }

  /** The table without some columns. */
  without(...names: readonly string[]): Table {
    const rest = [...this.columns].filter(([name]) => !names.includes(name));
    return new Table(new Map(rest), this.rows, this.open);
  }

  /** The columns by name. */
  entries(): Iterable<readonly [string, ArrayLike<Cell>]> {
    return this.columns;
  }

  /** The rows `indices` in their order. */
  take(indices: ArrayLike<number>): Table {
    const take = (cells: ArrayLike<Cell>): Cell[] => Array.from(indices, (i) => cells[i]);
    const taken = [...this.columns].map(([name, cells]) => [name, take(cells)] as const);
    return new Table(new Map(taken), indices.length, this.open);
  }
}

/** True for records, columns by name, and tables; an empty array is none. */
export const isTabular = (value: unknown): value is Tabular | Table =>
  value instanceof Table ||
  isRecords(value) ||
  (isPlain(value) && !isCsr(value) && !('shape' in value) && isArrays(value));

/**
 * The rows as columns, copied: the caller may write to what was handed in afterwards. Errors: ShapeError for columns of other
 * lengths, DataError for a row that is no record.
 */
export function toTable(value: Tabular | Table, call: string): Table {
  if (value instanceof Table) return value;
  return isRecords(value) ? tableOfRecords(value, call) : tableOfColumns(value as Columns, call);
}

function tableOfRecords(records: Records, call: string): Table {
  const columns = new Map<string, Cell[]>();
  records.forEach((record, row) => {
    if (!isPlain(record)) {
      throw new DataError(`${call}: row ${row} of X is ${shown(record)}, should be an object like row 0.`, {
        argument: 'X',
        row,
        value: record,
      });
    }
    for (const name of Object.keys(record)) {
      let cells = columns.get(name);
      if (!cells) {
        cells = new Array<Cell>(records.length).fill(undefined);
        columns.set(name, cells);
      }
      cells[row] = record[name] as Cell;
    }
  });
  return new Table(columns, records.length, true);
}

function tableOfColumns(given: Columns, call: string): Table {
  const entries = Object.entries(given);
  const rows = entries[0]?.[1].length ?? 0;
  const other = entries.find(([, cells]) => cells.length !== rows);
  if (other) {
    throw new ShapeError(
      `${call}: column ${shown(other[0])} of X has ${other[1].length} rows, ${shown(entries[0]?.[0])} has ${rows}.`,
      { argument: 'X', column: other[0], length: other[1].length, expected: rows },
    );
  }
  const copied = entries.map(
    ([name, cells]) =>
      [name, Array.isArray(cells) ? cells.slice() : (cells as Float64Array).slice()] as const,
  );
  return new Table(new Map(copied), rows, false);
}

/** X of a call as it is read later: a table of its own, or the matrix. */
export const readable = <M extends Matrix>(X: M | Tabular | Table, call: string): M | Table =>
  isTabular(X) && !(Array.isArray(X) && isNumbers(X[0])) ? toTable(X, call) : (X as M);

/** The rows of all tables, in order; a column that one of them lacks is missing there. */
export function joinTables(tables: readonly Table[]): Table {
  const names = new Set(tables.flatMap((table) => table.names));
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const join = (name: string): Cell[] => {
    const cells: Cell[] = [];
    for (const table of tables) {
      const own = table.column(name);
      for (let row = 0; row < table.rows; row++) cells.push(own?.[row]);
    }
    return cells;
  };
  return new Table(
    new Map([...names].map((name) => [name, join(name)])),
    rows,
    tables.some(({ open }) => open),
  );
}

/** One row of a matrix, or one record. */
export type OneRow = Vector | object;

/** One row as rows. */
export const asRows = (row: OneRow): Matrix | Records => [row] as Matrix | Records;

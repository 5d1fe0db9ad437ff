// How the columns of a table became the columns of X, settled by the rows of the first fit and kept in the model's state, so that
// later rows become the same X. Plain data: JSON in checkpoints, lookups in exported files.

import { shown } from '../errors.js';

/** Parts of a date. Those with a period are a sine and a cosine. */
export const dateParts = ['year', 'month', 'day', 'weekday', 'hour', 'days'] as const;
export type DatePart = (typeof dateParts)[number];

/** What is said of every column of a table. */
interface Column {
  readonly column: string;
  /** Share of the rows that lack a value. */
  readonly missing: number;
  /** Why the column is of its kind, as half a sentence. */
  readonly reason: string;
}

/** A value that is missing is masked in X; with an indicator, one more column of X says that it is. */
interface Masked {
  readonly indicator: boolean;
}

/** Target statistics of the levels of a column, as tables/statistics.ts has them: means of `outputs` targets, and log(1 + rows). */
export interface LevelStatistics {
  readonly levels: readonly string[];
  readonly outputs: number;
  /** Σ w and Σ w·t of each fold of each level and of missing values [L + 1, F, 1 + outputs]: little-endian float64 in base64. */
  readonly sums: string;
}

/** How one column becomes columns of X. */
export type ColumnEncoding = Column &
  (
    | { readonly kind: 'ignore' }
    /** The number. Texts are read as numbers with a decimal point or, where `decimal` says so, a decimal comma. */
    | ({
        readonly kind: 'number';
        readonly texts?: true;
        readonly decimal?: ',' | '.';
        /** Statistics of the values that come again and again, where they foretell more than the size of the number does. */
        readonly values?: LevelStatistics;
      } & Masked)
    /** 1 of true, 0 of false. */
    | ({ readonly kind: 'boolean' } & Masked)
    /** Parts of the date in UTC; 'days' are those since `origin`, in ms since 1970. */
    | ({ readonly kind: 'date'; readonly parts: readonly DatePart[]; readonly origin: number } & Masked)
    /** The place of the text in `order`, from 0. */
    | ({ readonly kind: 'ordered'; readonly order: readonly string[] } & Masked)
    /** 1/√2 in the column of the level, the last of all others; with an indicator, 'missing' is one more level. */
    | ({ readonly kind: 'category'; readonly coding: 'oneHot'; readonly levels: readonly string[] } & Masked)
    /** Target statistics of the level. */
    | ({ readonly kind: 'category'; readonly coding: 'statistics' } & LevelStatistics)
  );

/** JSON: what makes the same X of other tables. Columns of X are in the order of `columns`. */
export interface TableEncoding {
  readonly version: 2;
  /** The column that is predicted, where it was named. */
  readonly target?: string | undefined;
  /** Outputs whose means the statistics hold: classes or labels by their place, or target columns. */
  readonly tracked: readonly number[];
  readonly columns: readonly ColumnEncoding[];
}

/** A column as `model.columns` shows it. */
export interface ModelColumn {
  readonly column: string;
  readonly kind: ColumnEncoding['kind'];
  /** Levels of a category or an order. */
  readonly levels?: readonly string[];
  readonly coding?: 'oneHot' | 'statistics';
  readonly parts?: readonly DatePart[];
  /** Share of the rows that lack a value. */
  readonly missing: number;
  /** One column of X says that a value is missing. */
  readonly indicator?: boolean;
  readonly reason: string;
}

/** Folds of cross-fitted statistics. */
export const foldCount = 5;

const isText = (value: unknown): value is string => typeof value === 'string';
const areTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isText) && new Set(value).size === value.length;

function areStatistics(value: unknown): boolean {
  const { levels, outputs, sums } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (!areTexts(levels) || !isText(sums)) return false;
  if (typeof outputs !== 'number' || !Number.isSafeInteger(outputs) || outputs < 0) return false;
  return sums.length === base64Length(8 * (levels.length + 1) * foldCount * (1 + outputs));
}

function isColumn(value: unknown): value is ColumnEncoding {
  const c = (value ?? {}) as Partial<Record<string, unknown>>;
  if (!isText(c.column) || !isText(c.reason)) return false;
  if (typeof c.missing !== 'number' || !(c.missing >= 0 && c.missing <= 1)) return false;
  if (c.kind === 'ignore') return true;
  if (c.kind === 'category' && c.coding === 'statistics') return areStatistics(c);
  if (typeof c.indicator !== 'boolean') return false;
  if (c.kind === 'number')
    return (
      (c.texts === undefined || c.texts === true) &&
      (c.decimal === undefined || c.decimal === ',' || c.decimal === '.') &&
      (c.values === undefined || areStatistics(c.values))
    );
  if (c.kind === 'boolean') return true;
  if (c.kind === 'ordered') return areTexts(c.order) && c.order.length > 0;
  if (c.kind === 'date')
    return (
      areTexts(c.parts) &&
      c.parts.length > 0 &&
      c.parts.every((part) => (dateParts as readonly string[]).includes(part)) &&
      Number.isSafeInteger(c.origin)
    );
  return c.kind === 'category' && c.coding === 'oneHot' && areTexts(c.levels) && c.levels.length > 0;
}

const base64Length = (bytes: number): number => 4 * Math.ceil(bytes / 3);

/** True for what `model.encoding` of a model of tables is. */
export function isTableEncoding(value: unknown): value is TableEncoding {
  const { version, target, tracked, columns } = (value ?? {}) as Partial<Record<string, unknown>>;
  return (
    version === 2 &&
    (target === undefined || isText(target)) &&
    Array.isArray(tracked) &&
    tracked.every((place) => Number.isSafeInteger(place) && place >= 0) &&
    Array.isArray(columns) &&
    columns.every(isColumn) &&
    new Set(columns.map(({ column }) => column)).size === columns.length &&
    columns.some((column) => columnWidth(column) > 0)
  );
}

const periodic = (part: DatePart): boolean => part !== 'year' && part !== 'days';

/** The target statistics of a column, where it has some. */
export function statisticsIn(column: ColumnEncoding): LevelStatistics | undefined {
  if (column.kind === 'number') return column.values;
  return column.kind === 'category' && column.coding === 'statistics' ? column : undefined;
}

/** Columns of X that target statistics are. */
const statisticsWidth = (statistics: LevelStatistics | undefined): number =>
  statistics ? statistics.outputs + 1 : 0;

/** Columns of X that a column becomes. */
export function columnWidth(column: ColumnEncoding): number {
  switch (column.kind) {
    case 'ignore':
      return 0;
    case 'number':
      return 1 + Number(column.indicator) + statisticsWidth(column.values);
    case 'boolean':
    case 'ordered':
      return 1 + Number(column.indicator);
    case 'date':
      return column.parts.reduce((sum, part) => sum + (periodic(part) ? 2 : 1), Number(column.indicator));
    case 'category':
      return column.coding === 'oneHot'
        ? column.levels.length + 1 + Number(column.indicator)
        : statisticsWidth(column);
  }
}

/** Columns of X. */
export const tableWidth = ({ columns }: TableEncoding): number =>
  columns.reduce((sum, column) => sum + columnWidth(column), 0);

/** Columns of X that no scaler moves, for their lengths are chosen: levels, truth values, parts of dates and indicators [D]. */
export function plainColumns({ columns }: TableEncoding): Uint8Array {
  const plain = (column: ColumnEncoding): readonly boolean[] => {
    const width = columnWidth(column);
    const statistics = statisticsWidth(statisticsIn(column));
    const first = column.kind === 'number' || column.kind === 'ordered' ? 1 : 0;
    const own =
      column.kind === 'date' ? column.parts.flatMap((p) => (periodic(p) ? [true, true] : [false])) : [];
    return Array.from({ length: width }, (_, i) => own[i] ?? (i >= first && i < width - statistics));
  };
  return Uint8Array.from(columns.flatMap(plain), Number);
}

/** Names of the columns of X. */
export const columnNames = ({ columns }: TableEncoding): readonly string[] =>
  columns.flatMap((column) => namesOf(column));

const statisticsNames = (name: string, statistics: LevelStatistics | undefined): readonly string[] =>
  statistics
    ? [...Array.from({ length: statistics.outputs }, (_, i) => `${name} mean ${i}`), `${name} count`]
    : [];

function namesOf(column: ColumnEncoding): readonly string[] {
  const { column: name } = column;
  const indicator = 'indicator' in column && column.indicator ? [`${name} missing`] : [];
  switch (column.kind) {
    case 'ignore':
      return [];
    case 'number':
      return [name, ...indicator, ...statisticsNames(name, column.values)];
    case 'boolean':
    case 'ordered':
      return [name, ...indicator];
    case 'date':
      return [
        ...column.parts.flatMap((part) =>
          periodic(part) ? [`${name} ${part} sine`, `${name} ${part} cosine`] : [`${name} ${part}`],
        ),
        ...indicator,
      ];
    case 'category':
      return column.coding === 'oneHot'
        ? [...column.levels.map((level) => `${name}=${level}`), `${name}: other`, ...indicator]
        : statisticsNames(name, column);
  }
}

/** The columns as a model shows them. */
export const shownColumns = ({ columns }: TableEncoding): readonly ModelColumn[] =>
  columns.map((column) => ({
    column: column.column,
    kind: column.kind,
    ...(column.kind === 'category' ? { levels: column.levels, coding: column.coding } : {}),
    ...(column.kind === 'number' && column.values ? { coding: 'statistics' as const } : {}),
    ...(column.kind === 'ordered' ? { levels: column.order } : {}),
    ...(column.kind === 'date' ? { parts: column.parts } : {}),
    missing: column.missing,
    ...('indicator' in column ? { indicator: column.indicator } : {}),
    reason: column.reason,
  }));

/** The first difference of two encodings, as half a sentence about the second; null if they give the same X. */
export function tableDifference(own: TableEncoding, other: TableEncoding): string | null {
  const same = (a: ColumnEncoding | undefined, b: ColumnEncoding | undefined): boolean =>
    JSON.stringify({ ...a, missing: 0, reason: '' }) === JSON.stringify({ ...b, missing: 0, reason: '' });
  const at = own.columns.findIndex((column, i) => !same(column, other.columns[i]));
  if (at < 0 && own.columns.length === other.columns.length) return null;
  const [mine, its] = [own.columns[at], other.columns[at]];
  if (!mine || !its) return `is of ${other.columns.length} columns, the model of ${own.columns.length}`;
  if (mine.column !== its.column) return `has ${shown(its.column)} where the model has ${shown(mine.column)}`;
  if (mine.kind !== its.kind)
    return `makes ${shown(its.column)} ${its.kind} where the model has it ${mine.kind}`;
  return `codes ${shown(its.column)} otherwise than the model does`;
}

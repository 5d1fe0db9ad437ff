export { type ArrowInput, arrow } from './arrow.js';
export { type CsvInput, csv } from './csv.js';
export { type CsvOptions, type DuckDbOptions, json, type SqlOptions, sql } from './duckdb.js';
export {
  type EncodeOptions,
  type Encoding,
  encodeRows,
  type FeatureEncoding,
  type Missing,
} from './encoding.js';
export { type Batches, fromBatches, fromIterable, type Records } from './from-iterable.js';
export type { SourceOptions } from './options.js';
export { parquet } from './parquet.js';
export { type PostgresConnection, type PostgresOptions, postgres } from './postgres.js';
export type { TableSource } from './table-source.js';

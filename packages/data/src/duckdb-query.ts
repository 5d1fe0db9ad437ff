// Rewrites a DuckDB query so that its file readers get explicit options: types by all rows, a dialect that drops no row, no columns
// from folder names. Options that the query gives itself are kept.

import type { DuckDBConnection } from '@duckdb/node-api';
import { lookAt } from './csv-dialect.js';
import { optionError } from './errors.js';
import { matching, named } from './files.js';
import { bytesOf } from './input.js';
import { comesTwice } from './options.js';
import { textOf } from './text.js';

type Format = 'csv' | 'json' | 'parquet';

/** Reader functions, and file endings that stand for tables. */
const formats: Readonly<Record<Format, { readonly reads: RegExp; readonly ends: RegExp }>> = {
  csv: { reads: /^read_csv(_auto)?$/, ends: /\.(csv|tsv)(\.(gz|zst))?$/i },
  json: { reads: /^read_(nd)?json(_auto)?$/, ends: /\.(json|jsonl|ndjson)(\.(gz|zst))?$/i },
  parquet: { reads: /^(read_parquet|parquet_scan)$/, ends: /\.parquet$/i },
};

const formatBy = (by: 'reads' | 'ends', name: string): Format | undefined =>
  (Object.keys(formats) as Format[]).find((format) => formats[format][by].test(name));

/** A place of the query that reads files. Offsets are in bytes, as DuckDB reports them. */
interface Reading {
  readonly format: Format;
  readonly at: number;
  /** The called function; undefined if a file name stands for a table. */
  readonly function?: string | undefined;
  /** The files that the query names; undefined if they are an expression. */
  readonly files: readonly string[] | undefined;
  /** Parameters that the query gives. */
  readonly given: ReadonlySet<string>;
}

export interface SpelledOut {
  readonly query: string;
  /** Parquet files that the query names. */
  readonly parquet: readonly string[];
}

/**
 * The rewritten query. `texts` are columns that an encoding has as texts. Errors: OptionError for queries whose readers cannot be
 * found.
 */
export async function spelledOut(
  connection: DuckDBConnection,
  query: string,
  texts: readonly string[],
): Promise<SpelledOut> {
  const answer = await connection.runAndReadAll(`SELECT json_serialize_sql(${quoted(query)})`);
  const tree = JSON.parse(String(answer.getRows()[0]?.[0])) as Node;
  if (tree.error) {
    // Errors in the query are reported when it runs. PIVOT and similar statements cannot be serialised.
    const reads = /read_(csv|(nd)?json)|\.(csv|tsv|jsonl?|ndjson)\b/i;
    if (!/not implemented/i.test(String(tree.error_type)) || !reads.test(query) || /sample_size/i.test(query))
      return { query, parquet: [] };
    throw optionError(
      'sql: such a query would take types from the first rows of files; write sample_size = -1 into read_csv or read_json, or use a SELECT.',
      { option: 'query' },
    );
  }
  const found = readingsOf(tree).sort((a, b) => b.at - a.at);
  let bytes = new TextEncoder().encode(query);
  for (const reading of found) {
    const more = await parametersOf(reading, texts);
    const { begin, end, text } = placeOf(bytes, reading, more.join(', '));
    bytes = spliced(bytes, begin, end, text);
  }
  const parquet = found.flatMap(({ format, files }) => (format === 'parquet' ? (files ?? []) : []));
  return { query: new TextDecoder().decode(bytes), parquet };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

interface Node {
  readonly [key: string]: unknown;
}

function readingsOf(node: unknown): Reading[] {
  if (typeof node !== 'object' || node === null) return [];
  const inner = Object.values(node).flatMap(readingsOf);
  const { type, query_location: at, table_name, schema_name, catalog_name } = node as Node;
  if (type === 'BASE_TABLE') {
    const name = [catalog_name, schema_name, table_name].filter((part) => part !== '').join('.');
    const format = formatBy('ends', name);
    return format ? [...inner, { format, at: at as number, files: [name], given: new Set() }] : inner;
  }
  if (type !== 'TABLE_FUNCTION') return inner;
  const call = (node as { readonly function: Node }).function;
  const format = formatBy('reads', String(call.function_name).toLowerCase());
  if (!format) return inner;
  const [first, ...others] = call.children as readonly Node[];
  return [
    ...inner,
    {
      format,
      at: call.query_location as number,
      function: String(call.function_name),
      files: constantsOf(first),
      given: new Set(others.map(nameOf)),
    },
  ];
}

/** `name := value` is parsed as an alias, `name = value` as a comparison. */
const nameOf = ({ alias, left }: Node): string =>
  String(alias || (left as Node | undefined)?.column_names).toLowerCase();

/** The texts of a constant, or of a list of constants. */
function constantsOf(node: Node | undefined): readonly string[] | undefined {
  const { value } = (node?.value ?? {}) as Node;
  if (typeof value === 'string') return [value];
  if (node?.function_name !== 'list_value') return undefined;
  const each = (node.children as readonly Node[]).map(constantsOf);
  return each.some((one) => one === undefined) ? undefined : (each as string[][]).flat();
}

/** The parameters that a reader gets in addition to those of the query. */
async function parametersOf({ format, files, given }: Reading, texts: readonly string[]): Promise<string[]> {
  const typed = ['columns', 'names', 'types', 'dtypes', 'column_types', 'all_varchar'].some((name) =>
    given.has(name),
  );
  const wanted: Record<string, string | undefined> = {
    hive_partitioning: given.has('hive_types') ? undefined : 'false',
    union_by_name: given.has('columns') ? undefined : 'true',
  };
  if (format !== 'parquet' && !given.has('columns')) wanted.sample_size = '-1';
  if (format === 'json' && !given.has('columns')) wanted.maximum_sample_files = '-1';
  // With all of these, a row that does not fit is an error, and no other dialect is tried.
  if (format === 'csv') Object.assign(wanted, { quote: `'"'`, escape: `'"'`, comment: "''", skip: '0' });
  const delimited = ['delim', 'delimiter', 'sep'].some((name) => given.has(name));
  if (format === 'csv' && files && !delimited && !given.has('encoding') && !given.has('skip')) {
    const [path] = (await matching(files, 'sql')) as [string];
    const bytes = textOf(await bytesOf(path, 'sql').open(), undefined, named('sql', [path]));
    try {
      const { delimiter, header, names } = await lookAt(
        bytes,
        given.has('header') ? { header: true } : {},
        named('sql', [path]),
      );
      wanted.delim = quoted(delimiter);
      wanted.header = String(header);
      const twice = names.find((name, j) => names.indexOf(name) !== j);
      if (twice !== undefined) throw comesTwice(named('sql', [path]), twice);
      const own = typed ? [] : texts.filter((name) => names.includes(name));
      if (own.length > 0) wanted.types = `{${own.map((name) => `${quoted(name)}: 'VARCHAR'`).join(', ')}}`;
    } finally {
      await bytes.return(undefined);
    }
  }
  return Object.entries(wanted).flatMap(([name, value]) =>
    value === undefined || given.has(name) ? [] : [`${name} = ${value}`],
  );
}

const [quote, doubleQuote, open, close, dash, newLine] = [39, 34, 40, 41, 45, 10];

/** Where to insert the text. */
function placeOf(
  bytes: Uint8Array,
  { format, at, function: name, files }: Reading,
  more: string,
): { readonly begin: number; readonly end: number; readonly text: string } {
  if (name === undefined) {
    const end = endOfName(bytes, at);
    return { begin: at, end, text: `read_${format}(${quoted((files as string[])[0] as string)}, ${more})` };
  }
  const end = closingBracket(bytes, bytes.indexOf(open, at));
  return { begin: end, end, text: `, ${more}` };
}

/** The position after a name, which is quoted or a word. */
function endOfName(bytes: Uint8Array, at: number): number {
  if (bytes[at] === quote || bytes[at] === doubleQuote) return endOfQuoted(bytes, at);
  let end = at;
  while (end < bytes.length && /[\w.]/.test(String.fromCharCode(bytes[end] as number))) end++;
  return end;
}

/** The position after a quoted text; a doubled quote starts another. */
const endOfQuoted = (bytes: Uint8Array, at: number): number => bytes.indexOf(bytes[at] as number, at + 1) + 1;

function closingBracket(bytes: Uint8Array, at: number): number {
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote || byte === doubleQuote) i = endOfQuoted(bytes, i) - 1;
    else if (byte === dash && bytes[i + 1] === dash) i = Math.max(i, bytes.indexOf(newLine, i));
    else if (byte === open) depth++;
    else if (byte === close && --depth === 0) return i;
  }
  throw optionError(
    'sql: the bracket of a file reader was not found; write read_csv(…) or the like in full.',
    {
      option: 'query',
    },
  );
}

function spliced(bytes: Uint8Array, begin: number, end: number, text: string): Uint8Array<ArrayBuffer> {
  const middle = new TextEncoder().encode(text);
  const all = new Uint8Array(begin + middle.length + bytes.length - end);
  all.set(bytes.subarray(0, begin));
  all.set(middle, begin);
  all.set(bytes.subarray(end), begin + middle.length);
  return all;
}

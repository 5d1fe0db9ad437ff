// Detects delimiter and header of CSV from the first rows if the options do not give them. If the rows can be read in two ways, an
// error asks for the option.

import { CellKinds } from './csv-cells.js';
import { CsvParser } from './csv-parser.js';
import { dataError, optionError } from './errors.js';

export interface Dialect {
  readonly delimiter: string;
  readonly header: boolean;
}

/** The dialect, with the text it was detected from. */
export interface Look extends Dialect {
  readonly names: readonly string[];
  /** The text that was read for detection. */
  readonly head: string;
}

const delimiters = [',', ';', '\t', '|'] as const;

/** Number of rows used for detection, and least number of characters. */
const rowsOfLook = 200;
const lengthOfLook = 2 ** 16;

/** Reads the beginning. Errors: OptionError if it can be read in two ways; DataError if it is empty. */
export async function lookAt(
  texts: AsyncGenerator<string>,
  given: {
    readonly delimiter?: string | undefined;
    readonly header?: boolean | undefined;
    readonly nulls?: readonly string[] | undefined;
  },
  call: string,
): Promise<Look> {
  const { head, whole } = await beginning(texts);
  const delimiter = given.delimiter ?? delimiterOf(head, whole, call);
  const rows = firstRows(head, whole, delimiter, call);
  const [top] = rows;
  if (!top) throw dataError(`${call}: there is no row, not even one of names.`);
  const header = given.header ?? headerOf(rows, new Set(given.nulls ?? ['']), call);
  const names = top.map((cell, j) => (header && cell !== '' ? cell : `column${j}`));
  return { delimiter, header, names, head };
}

async function beginning(
  texts: AsyncGenerator<string>,
): Promise<{ readonly head: string; readonly whole: boolean }> {
  let head = '';
  let lines = 0;
  while (head.length < lengthOfLook || lines < rowsOfLook) {
    const { value, done } = await texts.next();
    if (done) return { head, whole: true };
    head += value;
    lines += value.split(/[\n\r]/, rowsOfLook + 1).length - 1;
  }
  return { head, whole: false };
}

/** The complete rows at the beginning of a text. Errors: DataError. */
function firstRows(head: string, whole: boolean, delimiter: string, call: string): string[][] {
  const parser = new CsvParser(delimiter, call);
  const { cells } = parser.push(head);
  const all = whole ? [...cells, ...parser.end().cells] : cells;
  return all.filter((row) => !isBlank(row)).slice(0, rowsOfLook);
}

/** Whether a line is empty. */
export const isBlank = (row: readonly string[]): boolean => row.length === 1 && row[0] === '';

/** The delimiter by which all rows have equally many cells, else the first one in the top row. Errors: OptionError if two fit. */
function delimiterOf(head: string, whole: boolean, call: string): string {
  const found = delimiters.flatMap((delimiter) => {
    let rows: string[][];
    try {
      rows = firstRows(head, whole, delimiter, call);
    } catch {
      // Quotes end before another delimiter: not this one.
      return [];
    }
    const width = rows[0]?.length ?? 1;
    return width > 1 ? [{ delimiter, even: rows.every((row) => row.length === width) }] : [];
  });
  const even = found.filter(({ even }) => even);
  if (even.length > 1) {
    const [a, b] = even.map(({ delimiter }) => JSON.stringify(delimiter));
    throw optionError(`${call}: cells can be divided by ${a} and by ${b}; pass delimiter.`, {
      option: 'delimiter',
    });
  }
  return (even[0] ?? found[0])?.delimiter ?? ',';
}

/**
 * Whether the first row has names. It has if a text stands above numbers, or if it has no number. It has not if numbers stand above
 * numbers, and one of its values repeats in the row or below in a column of texts. Errors: OptionError if both are possible.
 */
function headerOf(rows: readonly string[][], nulls: ReadonlySet<string>, call: string): boolean {
  const [top = [], ...below] = rows;
  let repeats = new Set(top).size < top.length;
  let value: string | undefined;
  for (const [j, name] of top.entries()) {
    const cells = below.flatMap((row) => row[j] ?? []).filter((cell) => !nulls.has(cell));
    const [own, kind] = [kindOf(nulls.has(name) ? [] : [name]), kindOf(cells)];
    if (own === 'text' && kind !== 'text' && cells.length > 0) return true;
    if (own !== undefined && own !== 'text' && (kind === undefined || own === kind)) value ??= name;
    if (kind !== 'number') repeats ||= cells.includes(name);
  }
  if (value === undefined) return true;
  if (repeats) return false;
  throw optionError(
    `${call}: the first row has '${value}', which can be a name or a value; pass header: true or false.`,
    { option: 'header', value },
  );
}

function kindOf(cells: readonly string[]): 'number' | 'boolean' | 'date' | 'text' | undefined {
  const kinds = new CellKinds();
  for (const cell of cells) kinds.add(cell);
  const { kind, type } = kinds.kind;
  if (type === 'boolean' || type === 'date') return type;
  if (type === 'of no cells') return undefined;
  return kind === 'text' ? 'text' : 'number';
}

// RFC 4180, piece by piece: quotes, doubled quotes, line breaks within quotes; lines end with LF, CRLF or CR. A character after a
// closing quote, and an unclosed quote, are errors. # and ' are ordinary characters.

import { dataError } from './errors.js';

/** Rows of cells, and the number of the line in which each starts, from 1. A blank line is a row of one empty cell. */
export interface Rows {
  readonly cells: readonly string[][];
  readonly lines: readonly number[];
}

/** Longest quoted cell: a longer one is taken as an unclosed quote, which would keep the rest of the file in memory. */
const longestCell = 2 ** 24;

const breaks = /\r\n|\r|\n/g;

export class CsvParser {
  private readonly delimiter: string;
  private readonly call: string;
  private rest = '';
  private line = 1;

  constructor(delimiter: string, call: string) {
    this.delimiter = delimiter;
    this.call = call;
  }

  /** The rows that end within this piece. Errors: DataError with the line. */
  push(text: string): Rows {
    return this.parse(this.rest + text, false);
  }

  /** The last row, which may lack a line break. Errors: DataError with the line. */
  end(): Rows {
    return this.parse(this.rest, true);
  }

  private parse(data: string, last: boolean): Rows {
    const [cells, lines]: [string[][], number[]] = [[], []];
    // Position of the next of each character, at or after `at`; the length if there is none.
    const next = { '"': -1, '\n': -1, '\r': -1 };
    const find = (what: '"' | '\n' | '\r', at: number): number => {
      if (next[what] < at) {
        const found = data.indexOf(what, at);
        next[what] = found < 0 ? data.length : found;
      }
      return next[what];
    };
    let at = 0;
    while (at < data.length) {
      const end = Math.min(find('\n', at), find('\r', at));
      if (find('"', at) < end) {
        const row = this.quoted(data, at, last);
        if (!row) break;
        cells.push(row.cells);
        lines.push(this.line);
        this.line += data.slice(at, row.next).match(breaks)?.length ?? 0;
        at = row.next;
        continue;
      }
      if (!last && (end === data.length || (data[end] === '\r' && end + 1 === data.length))) break;
      cells.push(data.slice(at, end).split(this.delimiter));
      lines.push(this.line++);
      at = end + (data.startsWith('\r\n', end) ? 2 : 1);
    }
    this.rest = data.slice(at);
    return { cells, lines };
  }

  /** A row with quotes, and where the next row starts; undefined if its end has not arrived. */
  private quoted(
    data: string,
    begin: number,
    last: boolean,
  ): { readonly cells: string[]; readonly next: number } | undefined {
    const cells: string[] = [];
    for (let at = begin; ; ) {
      let end: number;
      if (data[at] === '"') {
        const close = closing(data, at);
        if (close < 0) {
          if (last || data.length - at > longestCell) this.refuse('is not closed', data, begin, at);
          return undefined;
        }
        end = close + 1;
        // The character after a quote shows whether the quote closes.
        if (end >= data.length && !last) return undefined;
        cells.push(data.slice(at + 1, close).replaceAll('""', '"'));
        const behind = data[end];
        if (behind !== undefined && behind !== this.delimiter && behind !== '\n' && behind !== '\r')
          this.refuse(`is closed before '${behind}'`, data, begin, at);
      } else {
        end = at;
        while (end < data.length && !this.endsCell(data[end] as string)) end++;
        if (end >= data.length && !last) return undefined;
        cells.push(data.slice(at, end));
      }
      at = end + 1;
      if (data[end] === this.delimiter) continue;
      if (data[end] !== '\r') return { cells, next: Math.min(at, data.length) };
      if (at >= data.length && !last) return undefined;
      return { cells, next: data[at] === '\n' ? at + 1 : at };
    }
  }

  private endsCell(character: string): boolean {
    return character === this.delimiter || character === '\n' || character === '\r';
  }

  private refuse(what: string, data: string, begin: number, at: number): never {
    const line = this.line + (data.slice(begin, at).match(breaks)?.length ?? 0);
    throw dataError(
      `${this.call}: the quote that opens a cell in line ${line} ${what}; double the quotes within cells.`,
      { line },
    );
  }
}

/** Position of the quote that closes the one at `open`; −1 if it has not arrived. */
function closing(data: string, open: number): number {
  for (let at = data.indexOf('"', open + 1); at >= 0; at = data.indexOf('"', at + 2)) {
    if (data[at + 1] !== '"') return at;
  }
  return -1;
}

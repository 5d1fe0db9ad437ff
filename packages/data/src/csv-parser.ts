// RFC 4180, a piece of text at a time: quotes, doubled quotes, line breaks within quotes, \n and \r\n.

import { dataError } from './errors.js';
import type { Field } from './table.js';

export class CsvParser {
  private readonly delimiter: string;
  private rest = '';
  private row: string[] = [];
  private count = 0;

  constructor(delimiter: string) {
    this.delimiter = delimiter;
  }

  /** The rows that end within this piece. */
  *push(text: string): Generator<string[]> {
    const { delimiter } = this;
    const data = this.rest + text;
    let at = 0;
    // Where the cell that has not ended begins.
    let begin = 0;
    for (;;) {
      begin = at;
      let cell: string;
      let end: number;
      if (data[at] === '"') {
        end = closing(data, at);
        // The character behind a quote tells whether it closes.
        if (end < 0 || end + 1 >= data.length) break;
        cell = data.slice(at + 1, end).replaceAll('""', '"');
        end++;
      } else {
        end = at;
        while (end < data.length && data[end] !== delimiter && data[end] !== '\n' && data[end] !== '\r')
          end++;
        if (end >= data.length) break;
        cell = data.slice(at, end);
      }
      if (data[end] === '\r') {
        if (end + 1 >= data.length) break;
        if (data[end + 1] === '\n') end++;
      }
      this.row.push(cell);
      at = end + 1;
      if (data[end] === delimiter) continue;
      yield* this.take();
    }
    this.rest = data.slice(begin);
  }

  /** The last row, which need not end with a line break. Errors: DataError for a quote that is not closed. */
  *end(call: string): Generator<string[]> {
    if (this.rest === '' && this.row.length === 0) return;
    if (this.rest[0] === '"' && closing(this.rest, 0) < 0)
      throw dataError(`${call}: a quote in row ${this.count} is not closed.`, { row: this.count });
    yield* this.push('\n');
  }

  /** Empty lines are no rows. */
  private *take(): Generator<string[]> {
    const { row } = this;
    this.row = [];
    if (row.length === 1 && row[0] === '') return;
    this.count++;
    yield row;
  }
}

/** The quote that closes the one at `open`; −1 where it has not come yet. */
function closing(data: string, open: number): number {
  for (let at = data.indexOf('"', open + 1); at >= 0; at = data.indexOf('"', at + 2)) {
    if (data[at + 1] !== '"') return at;
  }
  return -1;
}

const isNumber = (cell: string): boolean => cell.trim() !== '' && !Number.isNaN(Number(cell));

/** The kind of a column by its cells. */
export function kindOfCells(cells: readonly string[]): Pick<Field, 'kind' | 'type'> {
  if (cells.every((cell) => /^(true|false)$/i.test(cell)) && cells.length > 0)
    return { kind: 'integer', type: 'boolean' };
  if (!cells.every((cell) => isNumber(cell) || /^nan$/i.test(cell))) return { kind: 'text', type: 'text' };
  const whole = cells.length > 0 && cells.every((cell) => Number.isInteger(Number(cell)));
  return { kind: whole ? 'integer' : 'number', type: 'number' };
}

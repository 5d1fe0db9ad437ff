// Reads PostgreSQL's COPY … (FORMAT binary): a header of 19 bytes, rows of fields with their lengths, a trailer. Fields are float4,
// float8 or text, as the query casts them.

import { formatError } from './errors.js';
import type { Chunk, Column, Wanted } from './table.js';

const signature = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00];
const rowsOfChunk = 2048;

const empty = (as: Wanted['as']): Column =>
  as === 'text'
    ? new Array<string | null>(rowsOfChunk)
    : new (as === 'float32' ? Float32Array : Float64Array)(rowsOfChunk);

/** Reads rows from bytes that arrive in pieces. */
export class CopyReader {
  private readonly wanted: readonly Wanted[];
  private readonly decoder = new TextDecoder();
  private rest: Uint8Array = new Uint8Array(0);
  private begun = false;
  private drop: number;
  private columns: Column[];
  private rows = 0;
  /** Set by the trailer: all rows have been read. */
  ended = false;

  /** The first `drop` rows are skipped. */
  constructor(wanted: readonly Wanted[], drop: number) {
    this.wanted = wanted;
    this.drop = drop;
    this.columns = wanted.map(({ as }) => empty(as));
  }

  /** The chunks completed by these bytes. Errors: FormatError. */
  *push(bytes: Uint8Array): Generator<Chunk> {
    let data = bytes;
    if (this.rest.length > 0) {
      data = new Uint8Array(this.rest.length + bytes.length);
      data.set(this.rest);
      data.set(bytes, this.rest.length);
    }
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let at = 0;
    if (!this.begun && data.length >= 19) {
      if (!signature.every((byte, i) => data[i] === byte))
        throw formatError('postgres: the server sent no binary COPY.');
      at = 19 + view.getInt32(15);
      this.begun = true;
    }
    while (this.begun && !this.ended) {
      const next = this.row(data, view, at);
      if (next < 0) break;
      at = next;
      if (this.rows === rowsOfChunk) yield this.take();
    }
    // A copy, since the socket reuses its memory.
    this.rest = data.slice(at);
  }

  /** The remaining rows. */
  *end(): Generator<Chunk> {
    if (this.rows > 0) yield this.take();
  }

  private take(): Chunk {
    const { columns, rows } = this;
    this.columns = this.wanted.map(({ as }) => empty(as));
    this.rows = 0;
    return { rows, column: (at) => columns[at] as Column };
  }

  /** Reads one row; returns where the next one starts, or −1 if this one is incomplete. */
  private row(data: Uint8Array, view: DataView, begin: number): number {
    let at = begin + 2;
    if (at > data.length) return -1;
    const fields = view.getInt16(begin);
    if (fields === -1) {
      this.ended = true;
      return at;
    }
    if (fields !== this.wanted.length)
      throw formatError(`postgres: a row has ${fields} fields, ${this.wanted.length} were asked for.`);
    const { rows, drop } = this;
    for (let i = 0; i < fields; i++) {
      if (at + 4 > data.length) return -1;
      const length = view.getInt32(at);
      at += 4;
      if (length > 0 && at + length > data.length) return -1;
      const column = this.columns[i] as Column;
      if (drop === 0) {
        if (column instanceof Float32Array) column[rows] = length < 0 ? Number.NaN : view.getFloat32(at);
        else if (column instanceof Float64Array) column[rows] = length < 0 ? Number.NaN : view.getFloat64(at);
        else
          (column as (string | null)[])[rows] =
            length < 0 ? null : this.decoder.decode(data.subarray(at, at + length));
      }
      if (length > 0) at += length;
    }
    if (drop > 0) this.drop--;
    else this.rows++;
    return at;
  }
}

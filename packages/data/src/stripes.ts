// Shards for tables without their own: blocks of rows are dealt out in turn. Every shard reads all rows, which is cheap beside
// training on them, and unpacks only columns of its own blocks.

import type { Chunk, Column, Table } from './table.js';

/** Rows in a block. */
const blockRows = 2048;

/** Blocks `shard`, `shard + count`, … of a table that gives the same rows in the same order in every reading. */
export function stripesOf(table: Table, shard: number, count: number): Table {
  const { rowCount } = table;
  return {
    ...table,
    rowCount: rowCount === undefined ? undefined : rowsOfStripes(rowCount, shard, count),
    async read(wanted, { signal }) {
      const { chunks } = await table.read(wanted, { skip: 0, signal });
      return { skipped: 0, chunks: stripes(chunks, shard, count) };
    },
  };
}

function rowsOfStripes(rows: number, shard: number, count: number): number {
  const round = blockRows * count;
  const left = (rows % round) - shard * blockRows;
  return Math.floor(rows / round) * blockRows + Math.max(0, Math.min(blockRows, left));
}

async function* stripes(chunks: AsyncIterable<Chunk>, shard: number, count: number): AsyncGenerator<Chunk> {
  let first = 0;
  for await (const chunk of chunks) {
    const columns = new Map<number, Column>();
    const column = (at: number): Column => {
      const known = columns.get(at) ?? chunk.column(at);
      columns.set(at, known);
      return known;
    };
    for (let begin = 0; begin < chunk.rows; ) {
      const block = Math.floor((first + begin) / blockRows);
      const [from, end] = [begin, Math.min(chunk.rows, (block + 1) * blockRows - first)];
      if (block % count === shard)
        yield {
          rows: end - from,
          column: (at) => {
            const all = column(at);
            return ArrayBuffer.isView(all) ? all.subarray(from, end) : all.slice(from, end);
          },
        };
      begin = end;
    }
    first += chunk.rows;
  }
}

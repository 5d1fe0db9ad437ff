// A plain script over PostgreSQL, for the test of how its process ends. argv: the folder of the server's socket, a table, and a
// task.

import { postgres } from './index.ts';

const [host, table, what] = process.argv.slice(2) as [string, string, string];

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const source = await postgres({ host, user: 'fkm', database: 'postgres' }, table, {
    countRows: what === 'count',
  });
  say('opened');
  // The socket is idle, and nothing else is pending when the next query starts.
  if (what === 'shards') say(`${(await source.shards(2)).length} shards`);
  if (what === 'read') for await (const { X } of source) say(`${X.shape[0]} rows`);
  if (what === 'leave') for await (const _ of source) break;
  if (what === 'close') {
    await source.close();
    say('closed');
  }
}

void main();

// Plain scripts: a process lives while a query runs, and ends by itself when none does.

import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hasPostgres, startPostgres, type TestServer } from './postgres-server.js';
import { bundled } from './testing/bundle.js';
import { temporaryFolder } from './testing.js';

let script: string;
const installed = hasPostgres();
let server: TestServer;

beforeAll(async () => {
  script = await bundled('process.fixture.ts');
  if (!installed) return;
  server = await startPostgres();
  await server.query(
    `CREATE TABLE users AS SELECT i AS id, (ARRAY['a', 'b'])[i % 2 + 1] AS kind FROM generate_series(0, 99) t(i)`,
  );
});
afterAll(() => server?.stop());

it.runIf(installed).each([
  ['is opened', 'open', 'opened\n'],
  ['is opened and counted', 'count', 'opened\n'],
  ['is divided', 'shards', 'opened\n2 shards\n'],
  ['is read', 'read', 'opened\n100 rows\n'],
  ['is left in the middle', 'leave', 'opened\n'],
  ['is closed', 'close', 'opened\nclosed\n'],
])('a script goes on when a source %s, and ends by itself', async (_, what, said) => {
  const host = server.connection.host as string;
  const child = spawn(process.execPath, [script, host, 'users', what], {
    cwd: temporaryFolder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, out, errors }).toEqual({ code: 0, out: said, errors: '' });
});

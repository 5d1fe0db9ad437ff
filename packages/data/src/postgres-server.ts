// A PostgreSQL server for this package's tests, started in its own folder and reached by a socket there.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { PostgresConnection } from './postgres.js';

export interface TestServer {
  readonly connection: PostgresConnection;
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Where Debian installs the servers, the newest first. */
function binaries(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => join(root, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
  return found ?? (spawnSync('initdb', ['--version']).status === 0 ? '' : undefined);
}

/** The server refuses to run as root, so root starts it as a user that owns the folder. */
const unprivileged =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];

const notInstalled =
  'PostgreSQL is not installed, and the tests of @fkm/data need one: apt-get install postgresql';

/** Whether a server can be started. If not, it reports that tests are skipped, which CI does not allow. */
export function hasPostgres(): boolean {
  if (binaries() !== undefined || process.env.CI) return true;
  process.stderr.write(`left out: ${notInstalled}\n`);
  return false;
}

/** Errors: if PostgreSQL is not installed. */
export async function startPostgres(): Promise<TestServer> {
  const bin = binaries();
  if (bin === undefined) throw new Error(notInstalled);
  const folder = mkdtempSync(join(tmpdir(), 'fkm-postgres-'));
  chmodSync(folder, 0o700);
  if (unprivileged.length > 0) execFileSync('chown', ['65534:65534', folder]);
  const data = join(folder, 'data');
  const run = (program: string, args: readonly string[]): void => {
    const [first, ...rest] = [...unprivileged, bin ? join(bin, program) : program, ...args] as [
      string,
      ...string[],
    ];
    const { status, stderr, stdout } = spawnSync(first, rest, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} failed: ${stdout}${stderr}`);
  };
  run('initdb', [
    '--pgdata',
    data,
    '--username',
    'fkm',
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--no-sync',
  ]);
  const settings = `-k ${folder} -c listen_addresses= -c fsync=off -c shared_buffers=32MB -c logging_collector=off`;
  run('pg_ctl', ['--pgdata', data, '--log', join(folder, 'log'), '--wait', '--options', settings, 'start']);
  const connection = { host: folder, port: 5432, user: 'fkm', database: 'postgres' };
  const client = new pg.Client(connection);
  await client.connect();
  return {
    connection,
    query: async (sql, values) => (await client.query(sql, values)).rows as Record<string, unknown>[],
    async stop() {
      await client.end();
      run('pg_ctl', ['--pgdata', data, '--mode', 'immediate', '--wait', 'stop']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

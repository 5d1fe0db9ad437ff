// Every source lets go of what it opened: when its reader stops, when a signal says so, when it is closed; and none of that
// waits for rows that do not come.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Source } from '@fkm/core';
import { Float64, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arrow,
  csv,
  fromBatches,
  fromIterable,
  json,
  parquet,
  postgres,
  type SourceOptions,
  sql,
  type TableSource,
} from './index.js';
import { hasPostgres, startPostgres, type TestServer } from './postgres-server.js';
import { batchesOf, duckdb, expectError, temporaryFolder } from './testing.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const n = 24_000;
const rows = Array.from({ length: n }, (_, i) => ({ a: i / 4, b: -i }));
const vector = (name: 'a' | 'b', part: typeof rows) =>
  vectorFromArray(
    part.map((row) => row[name]),
    new Float64(),
  );
const [begin, end] = [rows.slice(0, n / 2), rows.slice(n / 2)] as const;
const [first, second] = [begin, end].map(
  (part) => new Table({ a: vector('a', part), b: vector('b', part) }),
) as [Table, Table];
const ipc = tableToIPC(first.concat(second), 'stream');
const text = `a,b\n${rows.map(({ a, b }) => `${a},${b}\n`).join('')}`;

const installed = hasPostgres();
let server: TestServer | undefined;
beforeAll(async () => {
  const query = `SELECT i / 4 AS a, -i::DOUBLE AS b FROM range(${n}) t(i)`;
  await duckdb(`COPY (${query}) TO '${at('rows.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 10240)`);
  await duckdb(`COPY (${query}) TO '${at('rows.json')}' (FORMAT json)`);
  writeFileSync(at('rows.csv'), text);
  writeFileSync(at('rows.arrow'), ipc);
  if (!installed) return;
  server = await startPostgres();
  await server.query(
    `CREATE TABLE rows AS SELECT i / 4.0::float8 AS a, -i AS b FROM generate_series(0, ${n - 1}) t(i)`,
  );
});
afterAll(() => server?.stop());

/** Files of this test that the process has open. */
const open = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${name}`);
      return file.startsWith(folder) ? [file] : [];
    } catch {
      return [];
    }
  });

type Open = (options: SourceOptions) => Promise<TableSource>;
const always = { batchRows: 1000 };
const shardOf =
  (open: Open): Open =>
  async (options) =>
    (await (await open(options)).shards(2))[1] as TableSource;

const sources: Record<string, Open> = {
  parquet: (options) => parquet(at('rows.parquet'), options),
  'parquet of a blob': (options) => parquet(new Blob([readFileSync(at('rows.parquet'))]), options),
  csv: (options) => csv(at('rows.csv'), options),
  'csv of a blob': (options) => csv(new Blob([text]), options),
  'csv of a stream': (options) => csv(new Blob([text]).stream(), options),
  'csv of a stream of Node': (options) => csv(Readable.from([Buffer.from(text)]), options),
  json: (options) => json(at('rows.json'), options),
  sql: (options) => sql(`SELECT * FROM '${at('rows.csv')}'`, options),
  arrow: (options) => arrow(at('rows.arrow'), options),
  'arrow of bytes': (options) => arrow(ipc, options),
  'arrow of a response': (options) => arrow(new Response(ipc as BodyInit), options),
  objects: (options) => fromIterable(rows, options),
  'objects of a generator': (options) =>
    fromIterable(
      (async function* () {
        yield* rows;
      })(),
      options,
    ),
};
sources['a shard of parquet'] = shardOf(sources.parquet as Open);
sources['a shard of csv'] = shardOf(sources.csv as Open);
sources['a shard of objects'] = shardOf(sources.objects as Open);
if (installed) {
  const of: Open = (options) => postgres((server as TestServer).connection, 'rows', options);
  sources.postgres = of;
  sources['a query of postgres'] = (options) =>
    postgres((server as TestServer).connection, 'SELECT a, b FROM rows', options);
  sources['a shard of postgres'] = shardOf(of);
}

describe.each(Object.entries(sources))('%s', (_, make) => {
  it.each([0, 2])('closes its files when a reader stops early, %i batches read ahead', async (prefetch) => {
    const source = await make({ ...always, prefetch });
    let seen = 0;
    for await (const _ of source) if (++seen === 2) break;
    expect(open()).toEqual([]);
    await source.close();
  });

  it('refuses to go on, to begin again and to be divided once it is closed', async () => {
    const source = await make(always);
    const running = source.from(0);
    await running.next();
    await source.close();
    await source.close();
    for (const call of [
      () => running.next(),
      () => source.from(0).next(),
      () => source.shards(2),
      () => batchesOf(source),
    ])
      await expectError(call, 'state', 'this source has been closed; open it anew');
    expect(open()).toEqual([]);
  });

  it('ends with the reason of its signal, and does not open where that is aborted', async () => {
    const controller = new AbortController();
    const source = await make({ ...always, signal: controller.signal });
    const running = source.from(0);
    await running.next();
    controller.abort(new Error('enough'));
    await expect(running.next()).rejects.toThrow('enough');
    await expect(batchesOf(source)).rejects.toThrow('enough');
    await source.close();
    await expect(make({ ...always, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    await expect.poll(open).toEqual([]);
  });
});

it('a closed source ends the iterations of its shards, a shard its own alone', async () => {
  const source = await parquet(at('rows.parquet'), always);
  const [first, second] = (await source.shards(2)) as [TableSource, TableSource];
  const [a, b] = [first.from(0), second.from(0)];
  await Promise.all([a.next(), b.next()]);
  await first.close();
  await expectError(() => a.next(), 'state', 'has been closed');
  expect((await b.next()).done).toBe(false);
  await source.close();
  await expectError(() => b.next(), 'state', 'has been closed');
  await expectError(() => second.from(0).next(), 'state', 'has been closed');
});

/** Gives so many items, then nothing more; counts how often it is closed. */
class Silent<T> implements AsyncIterable<T> {
  closed = 0;
  private readonly items: readonly T[];

  constructor(items: readonly T[]) {
    this.items = items;
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    const items = this.items.values();
    return {
      next: async () => {
        const { value, done } = items.next();
        return done ? new Promise<never>(() => undefined) : { done: false, value };
      },
      return: async () => {
        this.closed++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A source that gives some batches and is silent then, and whether what it reads has been told to close. */
type Quiet = (options: SourceOptions) => Promise<{ source: Source; closed(): boolean }>;

const ofBytes =
  (
    bytes: Uint8Array,
    open: (input: () => AsyncIterable<Uint8Array>, options: SourceOptions) => Promise<TableSource>,
  ): Quiet =>
  async (options) => {
    const silent = new Silent([bytes]);
    // What looks at the whole input gets the whole of it.
    let times = 0;
    const whole = async function* () {
      yield bytes;
    };
    const source = await open(() => (times++ === 0 ? whole() : silent), options);
    return { source, closed: () => silent.closed === 1 };
  };

const head = new TextEncoder().encode(text.slice(0, text.length / 2));
const ahead = new TextEncoder().encode(text);
const quiet: Record<string, Quiet> = {
  objects: async (options) => {
    const silent = new Silent(begin);
    let times = 0;
    const source = await fromIterable(() => (times++ === 0 ? rows : silent), options);
    return { source, closed: () => silent.closed === 1 };
  },
  'objects that come once': async (options) => {
    const silent = new Silent(begin);
    const iterator = silent[Symbol.asyncIterator]();
    const once = { ...iterator, [Symbol.asyncIterator]: () => once };
    return { source: await fromIterable(once as never, options), closed: () => silent.closed === 1 };
  },
  batches: async () => {
    const X = { data: new Float32Array(4), shape: [2, 2] as const };
    const silent = new Silent([{ X }, { X }, { X }]);
    return { source: fromBatches(silent, { columns: ['a', 'b'] }), closed: () => silent.closed === 1 };
  },
  csv: ofBytes(ahead, (input, options) => csv(input, options)),
  'csv of a stream': async (options) => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(head),
      cancel: () => {
        cancelled = true;
      },
    });
    return { source: await csv(stream, options), closed: () => cancelled };
  },
  'csv of a stream of Node': async (options) => {
    const stream = new Readable({ read: () => undefined });
    stream.push(head);
    return { source: await csv(stream, options), closed: () => stream.destroyed };
  },
  arrow: ofBytes(ipc.subarray(0, ipc.length - 1000), (input, options) => arrow(input, options)),
  'parquet of a blob': async (options) => {
    const blob = new Blob([readFileSync(at('rows.parquet'))]);
    let opened = false;
    const slow = Object.assign(new Blob([]), {
      slice: (from: number, to: number) => ({
        arrayBuffer: () =>
          opened && from > blob.size / 2
            ? new Promise<never>(() => undefined)
            : blob.slice(from, to).arrayBuffer(),
      }),
    });
    Object.defineProperty(slow, 'size', { value: blob.size });
    const source = await parquet(slow as never, options);
    opened = true;
    return { source, closed: () => true };
  },
};
if (installed) {
  quiet.postgres = async (options) => ({
    source: await postgres(
      (server as TestServer).connection,
      'SELECT i::float8 AS a, CASE WHEN i > 40000 THEN pg_sleep(1000)::text::int4::float8 ELSE 1 END AS b FROM generate_series(0, 50000) t(i)',
      options,
    ),
    closed: () => true,
  });
}

interface Wait {
  readonly source: Source;
  readonly running: AsyncIterator<unknown>;
  readonly controller: AbortController;
}

describe.each(Object.entries(quiet))('%s, silent in the middle', (name, make) => {
  /** Reads until nothing comes, ends the wait, and gives what came of it. */
  async function ended(
    by: (wait: Wait) => unknown,
  ): Promise<{ next: Promise<IteratorResult<unknown>>; closed(): boolean }> {
    // On a busy machine a batch may come after all: then from the beginning, with more patience.
    for (let patience = 300; ; patience *= 2) {
      const controller = new AbortController();
      const { source, closed } = await make({ ...always, signal: controller.signal });
      const running = source[Symbol.asyncIterator]();
      let next = running.next();
      const comes = (): Promise<boolean> =>
        Promise.race([
          next.then(
            () => true,
            () => true,
          ),
          new Promise<false>((resolve) => setTimeout(resolve, patience, false)),
        ]);
      while (await comes()) {
        if ((await next).done) throw new Error('the source ended, and should be silent.');
        next = running.next();
      }
      await by({ source, running, controller });
      const [result] = await Promise.allSettled([next]);
      if (result.status === 'rejected' || result.value.done) return { next, closed };
      await running.return?.();
    }
  }

  it.each([0, 2, 8])('ends where its reader stops, %i batches read ahead', async (prefetch) => {
    const { source, closed } = await make({ ...always, prefetch });
    for await (const _ of source) break;
    expect(closed()).toBe(true);
  });

  it('ends a wait when its reader stops', async () => {
    const { next, closed } = await ended(({ running }) => running.return?.());
    expect(await next).toEqual({ done: true, value: undefined });
    expect(closed()).toBe(true);
  });

  // Batches of one's own take no options, and cannot be closed.
  if (name === 'batches') return;

  it('ends a wait with the reason of its signal', async () => {
    const { next, closed } = await ended(({ controller }) => controller.abort(new Error('enough')));
    await expect(next).rejects.toThrow('enough');
    await expect.poll(closed).toBe(true);
  });

  it('ends a wait when it is closed', async () => {
    const { next, closed } = await ended(({ source }) => (source as TableSource).close());
    await expectError(() => next, 'state', 'has been closed');
    expect(closed()).toBe(true);
  });
});

/** Nothing comes at all. */
const mute: Record<string, (options: SourceOptions) => Promise<unknown>> = {
  objects: (options) => fromIterable(new Silent([]), options),
  csv: (options) => csv(new Silent([]), options),
  arrow: (options) => arrow(new Silent([]), options),
  'parquet of a blob': (options) => {
    const blob = Object.assign(new Blob([]), {
      slice: () => ({ arrayBuffer: () => new Promise<never>(() => undefined) }),
    });
    Object.defineProperty(blob, 'size', { value: 1000 });
    return parquet(blob as never, options);
  },
};
if (installed) {
  mute['a view of postgres'] = async (options) => {
    const { connection, query } = server as TestServer;
    await query(
      `CREATE OR REPLACE VIEW asleep AS SELECT 'a' AS a, pg_sleep(1000)::text AS b FROM generate_series(0, 9)`,
    );
    return postgres(connection, 'asleep', options);
  };
}
it.each(Object.entries(mute))('%s: a signal ends the opening of a silent input', async (_, make) => {
  const controller = new AbortController();
  const opening = expect(make({ signal: controller.signal })).rejects.toThrow('enough');
  setTimeout(() => controller.abort(new Error('enough')), 200);
  await opening;
});

// Requests a second of a server that answers one row a request, with and without batching: node:http and autocannon on loopback.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { batched, FastKMeansRegressor, type Matrix } from '@fkm/core';
import autocannon from 'autocannon';
import { type BackendName, openBackend } from './backends.ts';
import { formatTable, printResults, rounded } from './report.ts';

export interface RequestsOptions {
  readonly backend: BackendName;
  /** Seconds of each side in each round. */
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
}

const [rows, columns] = [4000, 8];

/** A model of 400 prototypes. */
async function fitted(name: BackendName): Promise<FastKMeansRegressor> {
  const model = new FastKMeansRegressor({ backend: await openBackend(name), nPrototypes: 400 });
  const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i));
  const y = Float32Array.from({ length: rows }, (_, i) => Math.sin(4 * (data[i * columns] as number)));
  await model.fit({ data, shape: [rows, columns] }, y, { maxIters: 3 });
  return model;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

interface Load {
  readonly second: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** A server under load that answers each request by one call of `predict`. */
async function loaded(
  predict: (X: Matrix) => Promise<{ readonly data: ArrayLike<number> }>,
  { seconds, connections }: RequestsOptions,
): Promise<Load> {
  const server = createServer((request, response) => {
    void bodyOf(request)
      .then(async (text) => predict([JSON.parse(text)]))
      .then(
        ({ data }) => response.end(String(data[0])),
        (error: Error) => response.writeHead(500).end(error.message),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const row = Array.from({ length: columns }, (_, j) => Math.sin(j));
    const result = await autocannon({
      url: `http://127.0.0.1:${port}`,
      method: 'POST',
      body: JSON.stringify(row),
      connections,
      duration: seconds,
    });
    const failed = result.errors + result.non2xx;
    if (failed > 0) throw new Error(`${failed} of ${result.requests.total} requests failed.`);
    const { p50, p99, p99_9: p999 } = result.latency;
    return { second: result.requests.total / result.duration, p50, p99, p999 };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Both sides in turn, round by round; the result is the best round of each. */
export async function benchRequests(options: RequestsOptions): Promise<void> {
  const model = await fitted(options.backend);
  const sides = {
    'each by itself': (X: Matrix) => model.predict(X),
    'batched()': batched(model).predict,
    'batched, maxWaitMs 1': batched(model, { maxWaitMs: 1 }).predict,
  };
  const best: Partial<Record<keyof typeof sides, Load>> = {};
  for (let round = 0; round < options.rounds; round++) {
    for (const name of Object.keys(sides) as (keyof typeof sides)[]) {
      const load = await loaded(sides[name], options);
      if (load.second > (best[name]?.second ?? 0)) best[name] = load;
    }
  }
  const found = Object.entries(best);
  console.log(
    formatTable(
      ['', 'requests a second', 'p50 ms', 'p99 ms', 'p99.9 ms'],
      found.map(([name, { second, p50, p99, p999 }]) => [name, rounded(second), p50, p99, p999]),
    ),
  );
  const alone = best['each by itself'] as Load;
  printResults([
    ...found.map(([side, { second, ...latency }]) => ({
      case: 'requests',
      side,
      backend: options.backend,
      connections: options.connections,
      ...latency,
      value: rounded(second),
    })),
    {
      case: 'requests',
      side: 'batched()',
      ratio: rounded((best['batched()'] as Load).second / alone.second),
    },
  ]);
}

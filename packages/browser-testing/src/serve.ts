// A web server for tests and examples, on this machine alone: folders, files and bytes by the path that they are asked for.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

/** What is served under a path: the bytes, the file, or what lies in the folder if the path ends in '/'. The longest path wins. */
export type Routes = Readonly<Record<string, string | Uint8Array>>;

export interface Served {
  /** 'http://localhost:…', which counts as secure: WebGPU is there. */
  readonly origin: string;
  /** Adds a path, or replaces what is there. */
  add(path: string, what: string | Uint8Array): void;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  // Compiled while it comes in.
  '.wasm': 'application/wasm',
};

/** Answers are isolated from other origins, so that WebAssembly may have threads. */
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-store',
};

function find(
  routes: ReadonlyMap<string, string | Uint8Array>,
  path: string,
): string | Uint8Array | undefined {
  const exact = routes.get(path);
  if (exact !== undefined && !path.endsWith('/')) return exact;
  const prefix = [...routes.keys()]
    .filter((key) => key.endsWith('/') && path.startsWith(key))
    .sort((a, b) => b.length - a.length)[0];
  const folder = prefix === undefined ? undefined : routes.get(prefix);
  if (prefix === undefined || typeof folder !== 'string') return undefined;
  return join(folder, normalize(`/${path.slice(prefix.length)}`), path.endsWith('/') ? 'index.html' : '');
}

async function answer(
  response: ServerResponse,
  path: string,
  what: string | Uint8Array | undefined,
): Promise<void> {
  const isFile =
    typeof what === 'string' &&
    (await stat(what).then(
      (found) => found.isFile(),
      () => false,
    ));
  if (what === undefined || (typeof what === 'string' && !isFile)) {
    response.writeHead(404, headers).end();
    return;
  }
  const type = types[extname(typeof what === 'string' ? what : path)] ?? 'application/octet-stream';
  response.writeHead(200, { ...headers, 'content-type': type });
  if (typeof what === 'string') createReadStream(what).pipe(response);
  else response.end(what);
}

/** Serves until it is closed, on a free port unless one is named. */
export async function serve(routes: Routes, port = 0): Promise<Served> {
  const all = new Map(Object.entries(routes));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    void answer(response, path, find(all, path)).catch((error) => response.destroy(error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, 'localhost', resolve);
  });
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    add: (path, what) => void all.set(path, what),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

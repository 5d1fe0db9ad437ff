// A web server for tests and examples on this machine only: folders, files and bytes by path.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

/** What a path serves: bytes, a file, or the content of a folder if the path ends in '/'. The longest matching path wins. */
export type Routes = Readonly<Record<string, string | Uint8Array>>;

export interface Served {
  /** 'http://localhost:…', a secure context, which WebGPU needs. */
  readonly origin: string;
  /** Adds or replaces a path. */
  add(path: string, what: string | Uint8Array): void;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  // With this type, browsers compile while downloading.
  '.wasm': 'application/wasm',
};

/** Cross-origin isolation, which WebAssembly threads need. */
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

/** Serves until closed, by default on a free port. */
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

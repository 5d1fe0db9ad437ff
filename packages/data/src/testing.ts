// Shared by the tests of this package only.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type ErrorKind, type FlatTargets, isFkmError, type Source, type SourceBatch } from '@fkm/core';
import { afterAll, expect } from 'vitest';

/** A temporary folder, removed after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fkm-data-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files by a DuckDB query: COPY … TO … */
export async function duckdb(query: string): Promise<void> {
  const db = await DuckDBInstance.create(':memory:');
  const connection = await db.connect();
  await connection.run(query);
  connection.closeSync();
  db.closeSync();
}

export async function batchesOf(source: AsyncIterable<SourceBatch>): Promise<SourceBatch[]> {
  const all: SourceBatch[] = [];
  for await (const batch of source) all.push(batch);
  return all;
}

/** Everything a source yields, row by row. */
export interface Everything {
  readonly sizes: number[];
  readonly X: number[][];
  readonly y: unknown[];
  readonly weights: number[];
  readonly mask: number[][];
}

export async function everything(source: AsyncIterable<SourceBatch>): Promise<Everything> {
  const all: Everything = { sizes: [], X: [], y: [], weights: [], mask: [] };
  const rowsOf = ({ data, shape }: FlatTargets): number[][] =>
    Array.from({ length: shape[0] }, (_, i) => Array.from(data.subarray(i * shape[1], (i + 1) * shape[1])));
  for await (const { X, y, sampleWeight, featureMask } of source) {
    expect(X.data).toHaveLength(X.shape[0] * X.shape[1]);
    all.sizes.push(X.shape[0]);
    all.X.push(...rowsOf(X));
    if (y) all.y.push(...('shape' in y ? rowsOf(y) : Array.from(y as ArrayLike<unknown>)));
    if (sampleWeight) all.weights.push(...Array.from(sampleWeight));
    if (featureMask && 'shape' in featureMask) all.mask.push(...rowsOf(featureMask));
  }
  return all;
}

/** Expects the call to fail with an error of this kind, from this package, with this text in its message. */
export async function expectError(call: () => unknown, kind: ErrorKind, says: string): Promise<void> {
  let caught: unknown;
  try {
    const result: unknown = await call();
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      await batchesOf(result as Source);
  } catch (error) {
    caught = error;
  }
  if (!isFkmError(caught))
    throw new Error(`expected a typed error, got ${caught && (caught as Error).stack}`);
  expect(caught.message).toContain('[fkm/data]');
  expect(caught.message).toContain(says);
  expect(caught.kind, caught.message).toBe(kind);
}

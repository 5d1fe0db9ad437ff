// A training process killed at random moments: the next one goes on, and the last one ends at the same bytes.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { bundled } from './testing/bundle.js';
import { duckdb, temporaryFolder } from './testing.js';

const folder = temporaryFolder();
let script: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  await duckdb(`COPY (SELECT sin(i * 0.7)::FLOAT AS a, cos(i * 0.3)::FLOAT AS b, (hash(i) % 100 / 50.0)::FLOAT AS c,
    CASE WHEN sin(i * 0.7) > 0.2 THEN 'high' ELSE 'low' END AS label FROM range(1000) t(i)) TO '${at('rows.parquet')}'`);
  // It starts at once: the moments of the kills are to lie within training.
  script = await bundled('kill.fixture.ts');
});

const start = (checkpoint: string, model: string, gradients: boolean): ChildProcess =>
  spawn(process.execPath, [script, at('rows.parquet'), at(checkpoint), at(model), String(gradients)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const ended = (child: ChildProcess): Promise<NodeJS.Signals | null> =>
  new Promise((resolve) => {
    child.on('exit', (_code, signal) => resolve(signal));
  });

/** Kills the process after so many lines and milliseconds; gives whether it was still alive. */
async function killed(child: ChildProcess, lines: number, wait: number): Promise<boolean> {
  let seen = 0;
  child.stdout?.on('data', (data: Buffer) => {
    const before = seen;
    seen += data.toString().split('\n').length - 1;
    if (before < lines && seen >= lines) setTimeout(() => child.kill('SIGKILL'), wait);
  });
  return (await ended(child)) === 'SIGKILL';
}

it.each([
  ['phase 1', false],
  ['gradients', true],
])('ends at the bytes of a run that was never killed, %s', async (_, gradients) => {
  const [whole, path, model] = ['whole', 'run', 'model'].map((name) => `${name}-${gradients}`) as [
    string,
    string,
    string,
  ];
  await ended(start(`${whole}.fkm`, `${whole}.model`, gradients));
  const expected = readFileSync(at(`${whole}.model`));
  let kills = 0;
  for (let run = 0; kills < 5; run++) {
    const [checkpoint, result] = [`${path}${run}.fkm`, `${model}${run}`];
    // Until one ends by itself: three to five deaths a run.
    for (let death = 0; !existsSync(at(result)) && kills < 5; death++) {
      const moment = (kills * 7 + death * 5) % 13;
      if (await killed(start(checkpoint, result, gradients), 1 + moment, (kills * 3) % 5)) kills++;
    }
    if (!existsSync(at(result))) await ended(start(checkpoint, result, gradients));
    expect(readFileSync(at(result)).equals(expected), `run ${run}, ${kills} kills`).toBe(true);
  }
  expect(kills).toBe(5);
});

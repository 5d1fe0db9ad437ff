// `node gpu.mjs`: runs every measure on a machine with a GPU, each in its own process, and prints one table. gpu-pack.ts makes the
// bundle; nothing is downloaded. `node gpu.mjs NAME …` runs single parts.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { halfSearches } from './gpu-half.ts';
import { covertype, gradientStep } from './gpu-model.ts';
import { fusedSearches, graphSearches } from './gpu-search.ts';
import { formatTable, type Result } from './report.ts';

type Report = (result: Result) => void;

const here = fileURLToPath(new URL('.', import.meta.url));
const data = process.env.FKM_DATA ?? join(here, 'data');

/** Each part: its time limit in seconds, and what it runs. */
const parts: Readonly<Record<string, { seconds: number; run?: (report: Report) => Promise<void> }>> = {
  fused: { seconds: 120, run: fusedSearches },
  float16: { seconds: 120, run: halfSearches },
  'torch-nearest': { seconds: 90 },
  'unfused tfjs-webgpu': { seconds: 90, run: (report) => graphSearches('tfjs-webgpu', report) },
  'unfused onnx-webgpu': { seconds: 90, run: (report) => graphSearches('onnx-webgpu', report) },
  'torch-step': { seconds: 180 },
  'torch-fit': { seconds: 120 },
  ...Object.fromEntries(
    ['tfjs-webgpu', 'onnx-webgpu', 'onnx-cuda', 'onnx-cpu'].flatMap((name) => [
      [`step ${name}`, { seconds: 120, run: (report: Report) => gradientStep(name, report) }],
      [`fit ${name}`, { seconds: 240, run: (report: Report) => covertype(name, data, report) }],
    ]),
  ),
};

const show = ({ what, value, unit = '', ...rest }: Result): (string | number)[] => {
  const { rows = '', columns = '', prototypes = '', ...more } = rest as Record<string, string | number>;
  const notes = Object.entries(more).map(([name, number]) => `${name} ${number}`);
  return [what as string, rows, columns, prototypes, value as number, unit, notes.join(', ')];
};

/** Runs a part in its own process; returns its results, or a line that says why there are none. */
function apart(name: string, seconds: number): Result[] {
  const python = name.startsWith('torch');
  const [command, args] = python
    ? ['python3', [join(here, 'gpu.py'), name, data]]
    : [process.execPath, [fileURLToPath(import.meta.url), name]];
  const began = performance.now();
  const child = spawnSync(command, args, { encoding: 'utf8', timeout: 1e3 * seconds, env: process.env });
  const taken = ((performance.now() - began) / 1e3).toFixed(0);
  const results = child.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Result);
  const reason = child.error?.message ?? (child.status === 0 ? '' : `exit ${child.status ?? child.signal}`);
  console.log(`${name}: ${results.length} results in ${taken} s ${reason}`);
  if (!reason) return results;
  console.log(child.stderr.trim().split('\n').slice(-6).join('\n'));
  const lines = child.stderr.split('\n');
  const why =
    lines.find((line) => line.includes('[fkm/')) ?? lines.find((line) => /error/i.test(line)) ?? reason;
  return [...results, { what: `${name} failed: ${why.trim().slice(0, 160)}`, value: Number.NaN }];
}

const asked = process.argv.slice(2);
const [only] = asked;
const alone = only === undefined ? undefined : parts[only];
if (asked.length === 1 && alone?.run) {
  await alone.run((result) => console.log(JSON.stringify(result)));
} else {
  const names = asked.length > 0 ? asked : Object.keys(parts);
  const results = names.flatMap((name) => apart(name, parts[name]?.seconds ?? 60));
  const head = ['what', 'rows', 'columns', 'prototypes', 'value', 'unit', 'beside it'];
  const table = formatTable(head, results.map(show));
  console.log(table);
  const gpu =
    spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8' }).stdout?.replace(/ \(UUID.*/s, '') ?? 'unknown GPU';
  const out = process.env.OUT ?? here;
  writeFileSync(join(out, `gpu-${names.length}.txt`), `${gpu}\n${table}\n`);
  writeFileSync(
    join(out, `gpu-${names.length}.jsonl`),
    results.map((result) => `${JSON.stringify(result)}\n`).join(''),
  );
}

// The quickstart as it is started, on few rows: against the sources, so that no build is needed.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'fkm-quickstart-'));
afterAll(() => rmSync(out, { recursive: true }));

function start(rows: number, epochs: number): ChildProcessWithoutNullStreams {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const args = ['--import', 'tsx', main, `--rows=${rows}`, `--epochs=${epochs}`, `--out=${out}`];
  return spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json') },
  });
}

async function finish(
  child: ChildProcessWithoutNullStreams,
  onText?: (text: string) => void,
): Promise<{ code: number | null; text: string }> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      onText?.(text);
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, text };
}

describe('quickstart', () => {
  it('trains, compares, and writes its files', async () => {
    const { code, text } = await finish(start(500, 3));
    expect(text).toContain('Training on 400 rows, 100 held out.');
    expect(text).toMatch(/finetune {2}3\/3 {2}loss \d/);
    expect(text).toMatch(/R² on the held-out rows +0\.[89]\d* +0\.\d+/);
    expect(text).toMatch(/held-out diamond 5 +\$/);
    expect(code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['diamonds.safetensors', 'loss.svg', 'prices.svg']);
    expect(readFileSync(join(out, 'prices.svg'), 'utf8')).toContain('100 held-out diamonds');
  });

  it('stops at Ctrl-C', async () => {
    const child = start(2000, 100_000);
    let sent = false;
    const { code, text } = await finish(child, (sofar) => {
      if (!sent && sofar.includes('finetune')) sent = child.kill('SIGINT');
    });
    expect(text).toContain('Stopped; nothing was written.');
    expect(text).not.toContain('Error');
    expect(code).toBe(130);
  });
});

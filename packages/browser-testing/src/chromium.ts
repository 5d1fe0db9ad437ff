// Where the browser is: the binary that @sparticuz/chromium carries, unpacked once. It wants nothing of the machine but glibc.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** As playwright launches it. */
export interface Chromium {
  readonly executablePath: string;
  readonly env: Record<string, string>;
  readonly args: string[];
}

/** What a headless browser as root on a machine without GPU and internet needs. */
const args = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
];

/** The newest that Node 20 can unpack, as package.json has it: another version is unpacked anew. */
const version = '143.0.4';
const cache = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
const folder = join(cache, `chromium-${version}`);
const executablePath = join(folder, 'chromium');

/** With the libraries that it brings for machines that lack them. */
const unpack = `
  const { default: chromium } = await import('@sparticuz/chromium');
  await chromium.executablePath();
`;

/** Where Chromium is once `chromium` has seen to it: `FKM_CHROMIUM` where that says a path. */
export function installed(): Chromium {
  const own = process.env.FKM_CHROMIUM;
  const libraries = {
    LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
    FONTCONFIG_PATH: join(folder, 'fonts'),
  };
  return {
    executablePath: own || executablePath,
    env: { ...inherited(), ...(own ? {} : libraries) },
    args: [...args],
  };
}

/**
 * Chromium, unpacked where it is not yet. Errors: where there is none for the platform.
 * 200 MB in node_modules; test files that come at once unpack it at once, and the first one is taken.
 */
export async function chromium(): Promise<Chromium> {
  if (process.env.FKM_CHROMIUM) return installed();
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `[fkm/browser-testing] there is no Chromium in a package for ${process.platform} ${process.arch}; set FKM_CHROMIUM to the path of one.`,
    );
  }
  if (!existsSync(executablePath)) await unpacked();
  return installed();
}

async function unpacked(): Promise<void> {
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', unpack], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      // It unpacks its libraries where it believes to be in that cloud.
      env: { ...process.env, TMPDIR: draft, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' },
    });
    await rename(draft, folder).catch((error) => {
      if (!existsSync(executablePath)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const inherited = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

// The browser: the binary in @sparticuz/chromium, unpacked once. It needs nothing on the machine but glibc.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Launch options for playwright. */
export interface Chromium {
  readonly executablePath: string;
  readonly env: Record<string, string>;
  readonly args: string[];
}

/** Flags of a headless browser that runs as root, without GPU and without internet. */
const args = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
];

/** The newest version that Node 20 can unpack, as in package.json; another version is unpacked again. */
const version = '143.0.4';
const cache = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
const folder = join(cache, `chromium-${version}`);
const executablePath = join(folder, 'chromium');

/** With the libraries that it includes for machines without them. */
const unpack = `
  const { default: chromium } = await import('@sparticuz/chromium');
  await chromium.executablePath();
`;

/** The installed Chromium, after `chromium` has run; `FKM_CHROMIUM` sets another path. */
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
 * Unpacks Chromium if needed, 200 MB in node_modules. Test files that run at once unpack in parallel, and the first result is used.
 * Errors: if there is none for the platform.
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
      // It unpacks its libraries only where it assumes to run in AWS Lambda.
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

// WebGPU without a GPU, for tests: Dawn on SwiftShader, both from npm packages.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

/** glibc's RTLD_NODELETE: keeps a library loaded that is not a Node addon. */
const stays = 0x1000;

/** The SwiftShader files of @sparticuz/chromium, unpacked once for each version. */
function unpacked(): string {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('@sparticuz/chromium');
  const root = entry.slice(0, entry.lastIndexOf('chromium') + 'chromium'.length);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = join(tmpdir(), `fkm-swiftshader-${version}`);
  if (existsSync(folder)) return folder;
  const own = `${folder}.${process.pid}`;
  mkdirSync(own);
  const tar = brotliDecompressSync(readFileSync(join(root, 'bin/swiftshader.tar.br')));
  const text = (from: number, size: number): string =>
    tar
      .toString('latin1', from, from + size)
      .replace(/\0.*/s, '')
      .trim();
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const name = text(at, 100);
    if (!name.endsWith('/') && dirname(name) === '.') {
      writeFileSync(join(own, name), tar.subarray(at + 512, at + 512 + size));
    }
    at += 512 + 512 * Math.ceil(size / 512);
  }
  try {
    renameSync(own, folder);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

let loaded = false;

/**
 * Makes this process use SwiftShader, unless the environment names a Vulkan driver. Only for Linux on x64; elsewhere Dawn uses the
 * system's drivers.
 */
export function useSwiftShader(): void {
  if (loaded || process.platform !== 'linux' || process.arch !== 'x64') return;
  loaded = true;
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return;
  const folder = unpacked();
  process.env.VK_DRIVER_FILES = join(folder, 'vk_swiftshader_icd.json');
  process.env.VK_ICD_FILENAMES = process.env.VK_DRIVER_FILES;
  try {
    // Dawn asks the linker for libvulkan.so.1 by name, which a loaded library of that name satisfies.
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | stays);
  } catch {
    // Not an addon, as expected.
  }
}

// `tsx gpu-pack.ts FOLDER`: bundles gpu.ts with all that it needs on an offline Linux machine: Node, Dawn, onnxruntime, the
// covertype set. base.tar.xz holds the fixed parts, gpu.mjs and gpu.py the rest.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { defaultFolder } from './stored.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, '../out/gpu'));
mkdirSync(folder, { recursive: true });

await build({
  entryPoints: [join(here, 'gpu.ts')],
  outfile: join(folder, 'gpu.mjs'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['webgpu', 'onnxruntime-node', 'onnxruntime-web'],
  tsconfig: join(here, '../../../tsconfig.base.json'),
  // CommonJS packages load Node's modules by require.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
copyFileSync(join(here, 'python/gpu.py'), join(folder, 'gpu.py'));

const base = join(folder, 'base.tar.xz');
if (!existsSync(base)) {
  const own = mkdtempSync(join(tmpdir(), 'fkm-gpu-'));
  const packages = (name: string): string => join(own, 'node_modules', name);
  const rootOf = (name: string, from: string): string => {
    const entry = createRequire(from).resolve(name);
    return entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}`.length);
  };
  const webgpu = rootOf('webgpu', join(here, '../../../packages/webgpu/src/index.ts'));
  const node = rootOf('onnxruntime-node', import.meta.filename ?? fileURLToPath(import.meta.url));
  const common = rootOf('onnxruntime-common', join(realpathSync(node), 'dist/index.js'));
  const debug = rootOf('debug', join(realpathSync(webgpu), 'index.js'));
  const ms = rootOf('ms', join(realpathSync(debug), 'src/index.js'));
  const copies: readonly [name: string, root: string, files: readonly string[]][] = [
    ['webgpu', webgpu, ['package.json', 'index.js', 'dist/linux-x64']],
    ['onnxruntime-node', node, ['package.json', 'dist', 'bin/napi-v6/linux/x64']],
    ['onnxruntime-common', common, ['package.json', 'dist/cjs']],
    ['debug', debug, ['package.json', 'src']],
    ['ms', ms, ['package.json', 'index.js']],
  ];
  for (const [name, root, files] of copies) {
    for (const file of files) {
      const to = join(packages(name), file);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(realpathSync(join(root, file)), to, { recursive: true, dereference: true });
    }
  }
  mkdirSync(join(own, 'bin'));
  copyFileSync(realpathSync(process.execPath), join(own, 'bin/node'));
  mkdirSync(join(own, 'data'));
  copyFileSync(join(defaultFolder, 'load.mjs'), join(own, 'data/load.mjs'));
  cpSync(join(defaultFolder, 'covertype_93k'), join(own, 'data/covertype_93k'), { recursive: true });
  try {
    execFileSync('strip', [join(own, 'bin/node')]);
  } catch {
    // Larger, and as good.
  }
  execFileSync('tar', ['-cJf', base, '-C', own, '.'], { env: { ...process.env, XZ_OPT: '-6 -T0' } });
}

writeFileSync(
  join(folder, 'run.sh'),
  `# In the folder: the Vulkan loaders as .deb files in ../.gl, then: sh run.sh [part ...]
set -e
own=$(cd "$(dirname "$0")" && pwd)
if [ ! -x /tmp/fkm-gpu/bin/node ]; then mkdir -p /tmp/fkm-gpu && tar -xJf "$own/base.tar.xz" -C /tmp/fkm-gpu; fi
cp "$own/gpu.mjs" "$own/gpu.py" /tmp/fkm-gpu/
for icd in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /usr/share/vulkan/icd.d/nvidia_icd.json; do
  if [ -f "$icd" ]; then export VK_DRIVER_FILES="$icd"; fi
done
exec /tmp/fkm-gpu/bin/node /tmp/fkm-gpu/gpu.mjs "$@"
`,
);
console.log(`packed into ${folder}`);

// Brings a clone to where everything runs: installs what pnpm-lock.yaml asks for, then runs the turbo tasks
// named as arguments. Needs Node and npm only.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const stampFile = join(root, 'node_modules', '.fkm-installed');

/** @param {string} file */
const read = (file) => readFileSync(join(root, file), 'utf8');

/** @param {string} command */
function run(command) {
  const { status } = spawnSync(command, {
    cwd: root,
    shell: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      // turbo starts pnpm by name, and a new machine has it in node_modules only.
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      TURBO_TELEMETRY_DISABLED: '1',
      TURBO_NO_UPDATE_NOTIFIER: '1',
    },
  });
  if (status !== 0) {
    console.error(`[fkm] failed: ${command}`);
    process.exit(status ?? 1);
  }
}

// The first with process.getBuiltinModule, by which models reach files.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 16)) {
  console.error(`[fkm] Node ${process.versions.node} is too old: Node 20.16 or newer is needed.`);
  process.exit(1);
}

const wanted = createHash('sha256')
  .update(read('pnpm-lock.yaml') + read('pnpm-workspace.yaml') + process.platform + process.arch)
  .digest('hex');
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wanted) {
  console.log('[fkm] installing dependencies ...');
  run(`npx --yes ${JSON.parse(read('package.json')).packageManager} install --frozen-lockfile`);
  writeFileSync(stampFile, wanted);
}
const tasks = process.argv.slice(2);
if (tasks.length > 0) run(`turbo run ${tasks.join(' ')} --output-logs=errors-only`);

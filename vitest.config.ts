// One run over every folder: tests read the sources of @fkm/* and need no build. Files named *.browser.test.ts run in Chromium.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { configDefaults, defineConfig } from 'vitest/config';
import { installed } from './packages/browser-testing/src/chromium.ts';
import { ClosingLine } from './scripts/closing-line.ts';
import { SlowFirst } from './scripts/slow-first.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Folders whose files are not in src/. */
const flat: readonly string[] = ['packaging', 'examples'];

const folders = ['packages', 'apps']
  .flatMap((parent) => readdirSync(here(parent)).map((name) => `${parent}/${name}`))
  .concat(flat)
  .filter((folder) => existsSync(here(`${folder}/package.json`)));

const inBrowser = 'src/**/*.browser.test.ts';

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@fkm\/([^/]+)$/, replacement: here('packages/$1/src/index.ts') },
      { find: /^@fkm\/([^/]+)\/(.+)$/, replacement: here('packages/$1/src/$2/index.ts') },
    ],
  },
  test: {
    // Ends what hangs. A busy machine makes a test slow, never wrong.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default', new ClosingLine()],
    sequence: { sequencer: SlowFirst },
    // Vitest would leave one core free. The page of the browser tests runs beside these workers.
    maxWorkers: availableParallelism(),
    // Files that share a worker must not see each other's spies.
    restoreMocks: true,
    projects: [
      ...folders.map((folder) => ({
        extends: true as const,
        test: {
          name: `@fkm/${folder.split('/').at(-1)}`,
          root: here(folder),
          // The files of core are many and quick, and keep no state in modules: they share workers.
          isolate: folder !== 'packages/core',
          include: flat.includes(folder) ? ['*.test.ts'] : ['src/**/*.test.ts'],
          exclude: [...configDefaults.exclude, inBrowser],
        },
      })),
      {
        extends: true as const,
        // Bundled, onnxruntime would look for its wasm beside the bundle.
        optimizeDeps: { exclude: ['onnxruntime-web', 'onnxruntime-node', 'webgpu'] },
        // Isolated from other origins, so that WebAssembly may have threads.
        server: {
          headers: {
            'cross-origin-opener-policy': 'same-origin',
            'cross-origin-embedder-policy': 'require-corp',
          },
        },
        test: {
          name: 'browser',
          include: [`packages/*/${inBrowser}`],
          globalSetup: 'packages/browser-testing/src/vitest-setup.ts',
          browser: {
            enabled: true,
            headless: true,
            // One page at a time: all pages share one GPU process, which compiles one shader at a time.
            fileParallelism: false,
            screenshotFailures: false,
            provider: playwright({ launchOptions: installed() }),
            instances: [{ browser: 'chromium' as const, name: 'chromium' }],
          },
        },
      },
    ],
  },
});

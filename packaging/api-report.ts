// The public surface of each published package as text, by API Extractor on the built declarations: one file in api/ for each entry
// point, so that changes show in a diff. `npm run api` writes the files.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type IExtractorConfigPrepareOptions,
} from '@microsoft/api-extractor';
import { type Package, published, root } from './packages.ts';

export interface Entry {
  /** The import name: '@fkm/core/graph'. */
  readonly name: string;
  readonly folder: string;
  readonly declarations: string;
  /** The path of its report. */
  readonly file: string;
}

/** Entries that only other @fkm packages import; they may change without notice. */
const unreported = ['./internal', './package.json'];

const entriesOf = ({ name, folder, exports }: Package): Entry[] =>
  Object.entries(exports)
    .filter(([path]) => !unreported.includes(path))
    .map(([path, conditions]) => {
      const whole = join(name, path);
      const { types } = conditions as { readonly types: string };
      const file = join(root, 'packaging/api', `${whole.replace('@fkm/', '').replaceAll('/', '.')}.md`);
      return { name: whole, folder, declarations: join(folder, types), file };
    });

/** All entry points of all published packages. */
export const entries: readonly Entry[] = published.flatMap(entriesOf);

/** The reports of all entry points, by name. Errors: if a package is not built, or an entry point cannot be read. */
export function reports(): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'fkm-api-'));
  const configs = entries.map(({ name, folder: projectFolder, declarations }, i) => {
    if (!existsSync(declarations)) throw new Error(`${name} is not built: run \`npm run build\` first`);
    const options: IExtractorConfigPrepareOptions = {
      configObject: {
        projectFolder,
        mainEntryPointFilePath: declarations,
        // With Node's types, which the declarations refer to.
        compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
        apiReport: {
          enabled: true,
          // Base classes of the estimators are not exported, but have most of their calls.
          includeForgottenExports: true,
          reportFileName: `${i}.api.md`,
          reportFolder: folder,
          reportTempFolder: join(folder, 'temp'),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        newlineKind: 'lf',
        messages: {
          compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
          extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
          tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        },
      } as never,
      configObjectFullPath: undefined,
      packageJsonFullPath: join(projectFolder, 'package.json'),
    };
    return ExtractorConfig.prepare(options);
  });
  // One program for all entry points, so that TypeScript reads every declaration once.
  const compilerState = CompilerState.create(configs[0] as ExtractorConfig, {
    additionalEntryPoints: entries.map(({ declarations }) => declarations),
  });
  try {
    return new Map(
      configs.map((config, i) => {
        Extractor.invoke(config, { localBuild: true, compilerState, messageCallback: quiet });
        const { name } = entries[i] as Entry;
        return [name, titled(name, readFileSync(join(folder, `${i}.api.md`), 'utf8'))];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const compilerOptions = {
  target: 'ES2022',
  lib: ['ES2022', 'DOM', 'DOM.Iterable'],
  types: ['node'],
  module: 'ESNext',
  moduleResolution: 'bundler',
  strict: true,
  skipLibCheck: true,
};

const quiet = (message: { logLevel: ExtractorLogLevel; handled: boolean }): void => {
  message.logLevel = ExtractorLogLevel.None;
  message.handled = true;
};

/** The report under the name of its entry point, which the tool does not know. */
const titled = (name: string, report: string): string =>
  report.replace(/^## API Report File for .*$/m, `## ${name}`);

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  rmSync(join(root, 'packaging/api'), { recursive: true, force: true });
  mkdirSync(join(root, 'packaging/api'));
  const all = reports();
  for (const { name, file } of entries) writeFileSync(file, all.get(name) as string);
}

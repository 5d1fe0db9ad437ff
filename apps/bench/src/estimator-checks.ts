// scikit-learn's own estimator checks on our estimators: Python runs them, and a Node process holds the models.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BackendName } from './backends.ts';
import { formatTable, printResults } from './report.ts';
import { pythonWith } from './venv.ts';

/** One check of one estimator, as printed by python/estimator_checks.py. */
interface Check {
  readonly estimator: string;
  readonly check: string;
  readonly status: 'passed' | 'failed' | 'skipped' | 'xfail';
  readonly error: string | null;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Prints failed checks and the number passed, one row an estimator. */
export async function benchEstimatorChecks(backend: BackendName): Promise<void> {
  const server = [process.execPath, '--import', 'tsx/esm', here('estimator-server.ts'), backend];
  const python = spawn(pythonWith(['scikit-learn']), [here('python/estimator_checks.py'), ...server], {
    env: { ...process.env, TSX_TSCONFIG_PATH: here('../../../scripts/tsconfig.run.json') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const checks: Check[] = [];
  let version = '';
  for await (const line of createInterface({ input: python.stdout })) {
    const row = JSON.parse(line) as Check & { readonly version?: string };
    if (row.version) version = row.version;
    else checks.push(row);
  }
  const failed = checks.filter(({ status }) => status === 'failed');
  for (const { estimator, check, error } of failed) console.log(`${estimator}: ${check}\n  ${error}\n`);
  const estimators = [...new Set(checks.map(({ estimator }) => estimator))];
  const count = (estimator: string, wanted: Check['status']): number =>
    checks.filter((row) => row.estimator === estimator && row.status === wanted).length;
  console.log(`check_estimator of ${version}, ${backend}`);
  console.log(
    formatTable(
      ['estimator', 'passed', 'failed', 'skipped'],
      estimators.map((name) => [name, count(name, 'passed'), count(name, 'failed'), count(name, 'skipped')]),
    ),
  );
  printResults(
    estimators.map((name) => ({
      bench: 'estimator-checks',
      estimator: name,
      backend,
      against: version,
      value: count(name, 'failed'),
    })),
  );
}

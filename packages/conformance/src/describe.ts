// Declares the suite of a backend in vitest: op cases, composites and contract, except its known gaps.

import type { Backend, DType } from '@fkm/core/graph';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { opCases } from './cases/index.js';
import { type Precision, usualPrecision } from './compare.js';
import { compositeChecks } from './composites.js';
import { type Check, contract } from './contract.js';
import { disposal } from './disposal.js';
import { gradientCase } from './gradient.js';
import { expectReference } from './run.js';

export interface SuiteOptions {
  /** Checks that are known to fail on this backend, by exact key, each with a reason. A listed check that passes is a failure. */
  readonly knownGaps?: Readonly<Record<string, string>>;
  /** Allowed relative errors, if they differ from `usualPrecision`. */
  readonly precision?: Partial<Record<DType, number>>;
  /**
   * false skips checks marked `thorough`: on devices that take seconds to compile a kernel, and for kernels that another suite
   * runs in all settings, in Node or in a browser. Default true.
   */
  readonly thorough?: boolean;
}

/** Values of every op case. */
const valueChecks = (): Check[] =>
  opCases().map((opCase) => ({
    key: opCase.key,
    run: (backend, precision) =>
      expectReference(backend, opCase.graph, opCase.inputs, { ...opCase, precision }),
  }));

/** Gradients of every case that has one. */
const gradientChecks = (): Check[] =>
  opCases()
    .filter((opCase) => opCase.wrt.length > 0)
    .map((opCase) => ({
      key: `gradient of ${opCase.key}`,
      // A gradient is a graph of ops whose values are checked.
      thorough: true,
      run: async (backend, precision) => {
        const { gradient, inputs } = gradientCase(opCase);
        // A gradient is a chain of ops, each rounding to its dtype.
        await expectReference(backend, gradient, inputs, { precision, scale: 10 * opCase.scale });
      },
    }));

/** All checks, by group. */
export const suites = (): Record<string, Check[]> => ({
  values: valueChecks(),
  gradients: gradientChecks(),
  composites: compositeChecks(),
  contract: [...contract],
  disposal: [...disposal],
});

/** Checks a list of gaps against the existing keys. Errors: unknown keys, empty reasons. */
export function checkGaps(gaps: Readonly<Record<string, string>>, keys: ReadonlySet<string>): void {
  for (const [key, reason] of Object.entries(gaps)) {
    if (!keys.has(key)) throw new Error(`knownGaps: no check is called "${key}".`);
    if (reason.trim() === '') throw new Error(`knownGaps: "${key}" needs a reason.`);
  }
}

/** Declares groups of checks for a backend, except its known gaps. */
export function declareSuite(
  name: string,
  make: () => Promise<Backend>,
  groups: Readonly<Record<string, readonly Check[]>>,
  { knownGaps = {}, precision: own = {}, thorough = true }: SuiteOptions,
): void {
  const precision: Precision = { ...usualPrecision, ...own };
  checkGaps(knownGaps, new Set(Object.values(groups).flatMap((checks) => checks.map(({ key }) => key))));
  describe(name, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await make();
    });
    afterAll(() => backend?.dispose());
    for (const [group, all] of Object.entries(groups)) {
      const checks = all.filter((check) => thorough || !check.thorough);
      // vitest treats a group without tests as an error.
      if (checks.length === 0) continue;
      describe(group, () => {
        for (const { key, run } of checks) {
          const reason = knownGaps[key];
          if (reason === undefined) it(key, () => run(backend, precision, make));
          else it.fails(`${key} (known gap: ${reason})`, () => run(backend, precision, make));
        }
      });
    }
  });
}

/** Declares the whole suite of graphs for a backend. */
export function describeBackend(
  name: string,
  make: () => Promise<Backend>,
  options: SuiteOptions = {},
): void {
  declareSuite(name, make, suites(), options);
}

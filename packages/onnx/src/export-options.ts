// The options of `exportOnnx`, and what each allows: one row an option.

import type { Strategy } from '@fkm/core';
import { OptionError } from '@fkm/core/graph';
import { opsets } from './to-onnx.js';

/** Options of `exportOnnx`. */
export interface ExportOptions {
  /** Version of the operator set, 16 … 21. Default 17. */
  readonly opset?: number | undefined;
  /** The exported model has a second input, `feature_mask` [B, D]: 1 present, 0 missing; missing values may be NaN. Default false. */
  readonly featureMask?: boolean | undefined;
  /** How labels are chosen, of a multi-label classifier. Default: as `predict`, 'tuned' where there are thresholds, else 'adaptive'. */
  readonly strategy?: Strategy | undefined;
  /** Labels that strategy 'top_k' gives every row. */
  readonly k?: number | undefined;
  /** What prototypes, targets and slopes are stored in; the file widens halves before it computes. Default: as the model stores them. */
  readonly weights?: 'float32' | 'float16' | undefined;
  /** TopK as ONNX has it, or as k rounds of ArgMax, for runtimes whose TopK runs on the CPU. Default 'op'. */
  readonly topK?: 'op' | 'argMax' | undefined;
  /** What `importOnnx` needs to go on training: ages, counters, random generator. Default true. */
  readonly training?: boolean | undefined;
  /** Texts of your own for the file's metadata; names that begin with 'fkm.' are taken. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

interface Rule {
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}

const oneOf = (...values: readonly unknown[]): Rule => ({
  allowed: values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(', '),
  accepts: (value) => values.includes(value),
});
const integer = (least: number, most: number, allowed: string): Rule => ({
  allowed,
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
});

/** What names of our own metadata begin with. */
export const prefix = 'fkm.';

const rules: { readonly [N in keyof ExportOptions]-?: Rule } = {
  opset: integer(opsets.least, opsets.most, `an integer from ${opsets.least} to ${opsets.most}`),
  featureMask: oneOf(true, false),
  strategy: oneOf('adaptive', 'gap', 'top_k', 'tuned'),
  k: integer(1, Number.POSITIVE_INFINITY, 'a positive integer'),
  weights: oneOf('float32', 'float16'),
  topK: oneOf('op', 'argMax'),
  training: oneOf(true, false),
  metadata: {
    allowed: `an object of strings whose names do not begin with '${prefix}'`,
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(([name, text]) => typeof text === 'string' && !name.startsWith(prefix)),
  },
};

const show = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'object' && value !== null
      ? 'an object'
      : String(value);

/** Errors: OptionError with the option, what came, and what is allowed. */
export function checkExportOptions(options: ExportOptions): void {
  const names = Object.keys(rules);
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(
      `exportOnnx: the options should be an object with ${names.join(', ')}, got ${String(options)}.`,
      {},
      'onnx',
    );
  }
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof ExportOptions] : undefined;
    if (!rule) {
      throw new OptionError(
        `exportOnnx: there is no option ${name}; there are ${names.join(', ')}.`,
        { option: name },
        'onnx',
      );
    }
    if (value === undefined || rule.accepts(value)) continue;
    throw new OptionError(
      `exportOnnx: ${name} is ${show(value)}; allowed is ${rule.allowed}.`,
      { option: name, value },
      'onnx',
    );
  }
}

// The options of `exportOnnx`, and what each allows: one row an option.

import type { Strategy } from '@fkm/core';
import {
  boolean,
  checkOptions,
  integer,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
} from '@fkm/core/internal';
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

/** What names of our own metadata begin with. */
export const prefix = 'fkm.';

const rules: { readonly [N in keyof ExportOptions]-?: Rule } = {
  opset: integer(opsets.least, opsets.most),
  featureMask: boolean,
  strategy: oneOf('adaptive', 'gap', 'top_k', 'tuned'),
  k: positiveInteger,
  weights: oneOf('float32', 'float16'),
  topK: oneOf('op', 'argMax'),
  training: boolean,
  metadata: objectOf(`an object of strings whose names do not begin with '${prefix}'`, (value) =>
    Object.entries(value).every(([name, text]) => typeof text === 'string' && !name.startsWith(prefix)),
  ),
};

/** Errors: OptionError with the option, what came, and what is allowed. */
export function checkExportOptions(options: ExportOptions): void {
  checkOptions(options, rules, { call: 'exportOnnx', scope: 'onnx' });
}

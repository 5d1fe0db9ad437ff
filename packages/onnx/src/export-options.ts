// The options of `exportOnnx` and their allowed values, one row an option.

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
  /**
   * One input a column of the model's table, or the matrix `X`. Default: 'columns' of a model that was fitted on a table, else
   * 'matrix'.
   */
  readonly inputs?: 'columns' | 'matrix' | undefined;
  /** The classes by their names, or by their places in the sorted list of classes, as int64. Default 'names'. */
  readonly labels?: 'names' | 'index' | undefined;
  /** Version of the operator set, 16 … 21. Default 17. */
  readonly opset?: number | undefined;
  /** The exported model has a second input, `feature_mask` [B, D]: 1 present, 0 missing; missing values may be NaN. Default false. */
  readonly featureMask?: boolean | undefined;
  /** How labels are chosen by a multi-label classifier. Default: as `predict`: 'tuned' if there are thresholds, else 'adaptive'. */
  readonly strategy?: Strategy | undefined;
  /** Number of labels that strategy 'top_k' gives every row. */
  readonly k?: number | undefined;
  /** Stored type of prototypes, targets and slopes; the file widens halves before computing. Default: as the model stores them. */
  readonly weights?: 'float32' | 'float16' | undefined;
  /** Write TopK as the ONNX op, or as k rounds of ArgMax for runtimes whose TopK runs on the CPU. Default 'op'. */
  readonly topK?: 'op' | 'argMax' | undefined;
  /** Include what `importOnnx` needs to continue training: ages, counters, random generator. Default true. */
  readonly training?: boolean | undefined;
  /** Your own texts for the file's metadata; names that start with 'fkm.' are reserved. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Prefix of our metadata names. */
export const prefix = 'fkm.';

/** What a value of the file is called instead that has the name of a column. */
export const renamed = (name: string): string => prefix + name;

const rules: { readonly [N in keyof ExportOptions]-?: Rule } = {
  opset: integer(opsets.least, opsets.most),
  inputs: oneOf('columns', 'matrix'),
  labels: oneOf('names', 'index'),
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

/** Errors: OptionError with the option, its value, and the allowed values. */
export function checkExportOptions(options: ExportOptions): void {
  checkOptions(options, rules, { call: 'exportOnnx', scope: 'onnx' });
}

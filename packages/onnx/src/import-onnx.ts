// Imports a model from a file of `exportOnnx`. The weights are its initialisers, everything else is in the metadata, and both pass
// the checks of `load`. The graph of the file is never run, only compared.

import type { LoadOptions } from '@fkm/core';
import { constantNames, type Estimator, estimatorClasses, toCheckpoint } from '@fkm/core/deploy';
import { cut, FormatError, isFkmError, type NdArray } from '@fkm/core/graph';
import { anything, checkOptions, type Rule } from '@fkm/core/internal';
import { exportOnnx } from './export-onnx.js';
import { renamed } from './export-options.js';
import { damageIn, isForInferenceOnly, readMetadata, textsOfCaller, type Written } from './model-metadata.js';
import { type Parts, readInitializers, readParts } from './read-parts.js';
import { isOneBitApart, sameModel } from './same-graph.js';
import { producer } from './version.js';

/** Options of `importOnnx`, the same as of `load`: what a file does not hold. */
export type ImportOptions = LoadOptions;

/** `load` checks the values. */
const rules = { backend: anything, index: anything, useIndex: anything } satisfies {
  [N in keyof ImportOptions]-?: Rule;
};

interface Loader {
  load(bytes: Uint8Array, options: ImportOptions): Promise<Estimator>;
}
const loaders: ReadonlyMap<string, Loader> = new Map<string, Loader>(Object.entries(estimatorClasses));

const failure = (what: string): FormatError =>
  new FormatError(`importOnnx: ${what}; pass the bytes of exportOnnx().`, {}, 'onnx');

/**
 * The estimator in a file of `exportOnnx`. It predicts like the exported one and can continue training: `fitBatch`, `fit`,
 * `finetune`. Adam's moments and the float32 masters of halves are not in the file, as after `save({ optimiser: false })`.
 *
 * Weights and metadata must match the digests in the file. In files of this package version, the graph must equal the one that is
 * written for these weights; graphs of other versions are not compared. Descriptive fields may differ: producer, domain, version
 * and notes, names of the graph and its nodes, added metadata. In files without digests, from the first version, only weights and
 * metadata count. Errors: FormatError, OptionError.
 */
export async function importOnnx(bytes: Uint8Array, options: ImportOptions): Promise<Estimator> {
  checkOptions(options, rules, { call: 'importOnnx', scope: 'onnx' });
  if (!(bytes instanceof Uint8Array)) throw failure(`the file is ${describe(bytes)}, not a Uint8Array`);
  const { parts, constants } = taken(bytes);
  const kind = parts.metadata.get('fkm.kind');
  const loader = loaders.get(kind ?? '');
  if (!loader) {
    const as = kind === undefined ? '' : ` as a '${cut(kind)}'`;
    throw failure(`this ONNX model was written by '${cut(parts.producerName)}'${as}`);
  }
  const damage = damageIn(parts.metadata, constants);
  if (damage !== null) throw failure(`the file is damaged: ${damage}`);
  if (isForInferenceOnly(parts.metadata))
    throw failure('this model was exported with training: false, which leaves out what an import needs');
  const read = readMetadata(parts.metadata);
  if (typeof read === 'string') throw failure(read);
  let model: Estimator;
  try {
    model = await loader.load(toCheckpoint(read.rest, constants), options);
  } catch (error) {
    throw damaged(error);
  }
  if (read.written.version === producer.version) checkGraph(model, read.written, parts, bytes);
  return model;
}

const describe = (value: unknown): string => (value === null ? 'null' : typeof value);

/** The parts of the file and its weights. Errors: FormatError. */
function taken(bytes: Uint8Array): { parts: Parts; constants: Record<string, NdArray> } {
  try {
    const parts = readParts(bytes);
    return { parts, constants: readConstants(parts) };
  } catch (error) {
    throw failure(`these ${bytes.length} bytes are no ONNX model of ours (${reasonOf(error)})`);
  }
}

/** The model's arrays, also those that a column took the name of. */
export function readConstants({ graph }: Parts): Record<string, NdArray> {
  const found = readInitializers(graph, [...constantNames, ...constantNames.map(renamed)]);
  return Object.fromEntries(
    constantNames.flatMap((name) => {
      const array = found[name] ?? found[renamed(name)];
      return array ? [[name, array]] : [];
    }),
  );
}

const reasonOf = (error: unknown): string => cut(error instanceof Error ? error.message : String(error));

/** The error of `load` as a sentence about the file. */
function damaged(error: unknown): unknown {
  if (!isFkmError(error) || error.kind !== 'format') return error;
  const reason = error.message
    .replace(/^\[fkm\/\w+\] load: /, '')
    .replace(/; pass the bytes of save\(\)\.$/, '');
  return failure(`the model in this file is damaged: ${cut(reason)}`);
}

/** Errors: FormatError if the graph differs from the one that these weights are exported with. */
function checkGraph(
  model: Estimator,
  { version: _, ...written }: Written,
  parts: Parts,
  bytes: Uint8Array,
): void {
  let ours: Uint8Array;
  try {
    ours = exportOnnx(model, { ...written, metadata: textsOfCaller(parts.metadata) });
  } catch (error) {
    throw failure(`its weights cannot be exported with its own options (${reasonOf(error)})`);
  }
  if (isOneBitApart(ours, bytes))
    throw failure('the file is damaged: a bit of its graph or its names was flipped');
  if (!isSame(parts, readParts(ours))) {
    throw failure(
      'its graph is not the one that these weights are exported with: it was changed after the export',
    );
  }
}

function isSame(parts: Parts, ours: Parts): boolean {
  try {
    return sameModel(parts, ours);
  } catch (error) {
    throw failure(`its graph cannot be read (${reasonOf(error)})`);
  }
}

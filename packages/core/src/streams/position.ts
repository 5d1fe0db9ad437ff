// Checkpoints of runs over a source: the model's file, with the place in the stream among its metadata, so that a rename
// moves both and neither is ever older than the other.

import { FormatError, isFkmError, OptionError } from '../errors.js';
import { decodeModel, encodeModel, optionsText } from '../estimators/checkpoint.js';
import { readWhole, writeWhole } from '../estimators/files.js';
import type { HeadFamily } from '../heads/head.js';
import type { Resolved } from '../model/options.js';
import type { ModelState } from '../model/state.js';

/** How far a run has come. */
export interface Position {
  /** Whole passes, and batches of the pass after them. */
  readonly pass: number;
  readonly batch: number;
  /** Batches and rows of all passes. */
  readonly batches: number;
  readonly rows: number;
}

/** What makes a run another run. */
interface Run {
  readonly columns: readonly string[];
  readonly gradientStep: boolean;
}

export interface Checkpointed {
  readonly family: HeadFamily;
  readonly options: Resolved;
  readonly path: string;
  readonly run: Run;
  readonly call: string;
}

const beginning: Position = { pass: 0, batch: 0, batches: 0, rows: 0 };

export const writeRun = (
  { family, options, path, run, call }: Checkpointed,
  state: ModelState | null,
  position: Position,
): Promise<void> => {
  const stream = JSON.stringify({ ...position, ...run });
  return writeWhole(path, encodeModel({ kind: family.task, options, state, stream }), call);
};

/** The run that a file holds; one that has not begun where there is no file. Errors: OptionError, FormatError, BackendError. */
export async function readRun(
  it: Checkpointed,
): Promise<{ readonly position: Position; readonly state: ModelState | null } | null> {
  const { path, call } = it;
  try {
    return await readWhole(path, call, async (bytes) => parse(bytes, it));
  } catch (error) {
    if (isFkmError(error) && error.details.code === 'ENOENT') return null;
    throw error;
  }
}

function parse(
  bytes: Uint8Array,
  { family, options, path, run, call }: Checkpointed,
): { position: Position; state: ModelState | null } {
  const refuse = (what: string, remedy: string): never => {
    throw new OptionError(`${call}: checkpoint.path '${path}' ${what}; ${remedy}.`, {
      option: 'checkpoint',
      value: path,
    });
  };
  const another = 'name another file, or remove this one';
  const { state, texts } = decodeModel(bytes, family);
  if (texts.stream === undefined) refuse('holds a model without a place in a stream', another);
  const differing = differences(texts.options as string, optionsText(family.task, options));
  if (differing.length > 0)
    refuse(
      `holds a run of a model with other options: ${differing.join(', ')}`,
      `go on with the same ones, ${another}`,
    );
  const saved = positionOf(texts.stream as string);
  if (saved.gradientStep !== run.gradientStep)
    refuse(`holds a run with gradientStep ${saved.gradientStep}`, `go on with the same, ${another}`);
  if (String(saved.columns) !== String(run.columns))
    refuse(`holds a run over the columns ${saved.columns}`, `the source has ${run.columns}: ${another}`);
  return { state: state?.(options) ?? null, position: saved };
}

/** Names of the options that two texts disagree on. */
function differences(before: string, now: string): string[] {
  if (before === now) return [];
  const [a, b] = [JSON.parse(before), JSON.parse(now)] as [Record<string, unknown>, Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]),
  );
}

/** Errors: FormatError. */
function positionOf(text: string): Position & Run {
  let saved: Partial<Position & Run> | null = null;
  try {
    saved = JSON.parse(text) as Partial<Position & Run>;
  } catch {
    // Told below, as everything else that is no place.
  }
  const { pass, batch, batches, rows, columns, gradientStep } = { ...beginning, ...saved };
  const whole = [pass, batch, batches, rows].every((n) => Number.isSafeInteger(n) && n >= 0);
  const named = Array.isArray(columns) && columns.every((name) => typeof name === 'string');
  if (saved && whole && named && typeof gradientStep === 'boolean')
    return { pass, batch, batches, rows, columns, gradientStep };
  throw new FormatError('load: the place in the stream is damaged; pass the bytes of save().');
}

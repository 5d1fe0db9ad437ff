// Checkpoints of runs over a source: the model's file with the position in the stream in its metadata. One rename replaces both, so
// neither is older than the other.

import { decodeModel, encodeModel, optionsText } from '../checkpoint/checkpoint.js';
import { readWhole, writeWhole } from '../checkpoint/files.js';
import { cut, FormatError, isFkmError, OptionError } from '../errors.js';
import type { HeadFamily } from '../heads/head.js';
import type { Resolved } from '../state/options.js';
import type { ModelState } from '../state/state.js';
import { Trail } from './trail.js';

/** How far a run has come. */
export interface Position {
  /** Completed passes, and batches of the current pass. */
  readonly pass: number;
  readonly batch: number;
  /** Batches and rows of all passes. */
  readonly batches: number;
  readonly rows: number;
}

/** What has to match for a run to continue. */
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
  trail: Trail | undefined,
): Promise<void> => {
  const stream = JSON.stringify({ ...position, ...run, ...(trail ? { trail: trail.saved() } : {}) });
  return writeWhole(path, encodeModel({ family, options, state, stream }), call);
};

export interface Resumed {
  readonly position: Position;
  readonly state: ModelState | null;
  /** Undefined for files from before digests existed. */
  readonly trail: Trail | undefined;
}

/** The run in the file; null if there is no file. Errors: OptionError, FormatError, BackendError. */
export async function readRun(it: Checkpointed): Promise<Resumed | null> {
  const { path, call } = it;
  try {
    return await readWhole(path, call, async (bytes) => parse(bytes, it));
  } catch (error) {
    if (isFkmError(error) && error.details.code === 'ENOENT') return null;
    throw error;
  }
}

/** Start of error messages about what a run has learned. */
export const trailName = ({ call, path }: Pick<Checkpointed, 'call' | 'path'>): string =>
  `${call}: checkpoint.path '${path}'`;

function parse(bytes: Uint8Array, it: Checkpointed): Resumed {
  const { family, options, path, run, call } = it;
  const refuse = (what: string, remedy: string): never => {
    throw new OptionError(`${call}: checkpoint.path '${path}' ${what}; ${remedy}.`, {
      option: 'checkpoint',
      value: path,
    });
  };
  const another = 'name another file, or remove this one';
  const { state, texts } = decodeModel(bytes, family);
  if (texts.stream === undefined) refuse('holds a model without a place in a stream', another);
  const differing = differences(texts.options as string, optionsText(family, options));
  if (differing.length > 0)
    refuse(
      `holds a run of a model with other options: ${differing.join(', ')}`,
      `go on with the same ones, ${another}`,
    );
  const saved = positionOf(texts.stream as string);
  if (saved.gradientStep !== run.gradientStep)
    refuse(`holds a run with gradientStep ${saved.gradientStep}`, `go on with the same, ${another}`);
  if (String(saved.columns) !== String(run.columns))
    refuse(
      `holds a run over the columns ${cut(String(saved.columns))}`,
      `the source has ${cut(String(run.columns))}: ${another}`,
    );
  const trail = saved.trail === undefined ? undefined : Trail.of(saved.trail, trailName(it));
  return { state: state?.(options) ?? null, position: saved, trail };
}

/** Names of the options in which two texts differ. */
function differences(before: string, now: string): string[] {
  if (before === now) return [];
  const [a, b] = [JSON.parse(before), JSON.parse(now)] as [Record<string, unknown>, Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]),
  );
}

/** The content of a file about a run; its trail is not checked yet. */
type Saved = Position & Run & { readonly trail?: unknown };

/** Errors: FormatError. */
function positionOf(text: string): Saved {
  let saved: Partial<Saved> | null = null;
  try {
    saved = JSON.parse(text) as Partial<Saved>;
  } catch {
    // Reported below, like every other damage.
  }
  const { pass, batch, batches, rows, columns, gradientStep, trail } = { ...beginning, ...saved };
  const whole = [pass, batch, batches, rows].every((n) => Number.isSafeInteger(n) && n >= 0);
  const named = Array.isArray(columns) && columns.every((name) => typeof name === 'string');
  if (saved && whole && named && typeof gradientStep === 'boolean')
    return { pass, batch, batches, rows, columns, gradientStep, trail };
  throw new FormatError('load: the place in the stream is damaged; pass the bytes of save().');
}

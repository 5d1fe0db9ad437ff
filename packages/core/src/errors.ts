// Typed errors: each failure that a user can cause is one sentence with the argument, the place, the value and the remedy. Errors are
// recognised by a registered symbol, so that two copies of the package recognise each other's.

const brand = Symbol.for('fkm.error');

/** What an error is about: `ShapeError.kind === 'shape'`, and so on. */
export type ErrorKind = 'shape' | 'option' | 'data' | 'state' | 'graph' | 'backend' | 'format';

/** The numbers behind the sentence, for programs: argument, row, column, value, expected … */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Characters of a text that an error quotes. */
const quotedLength = 200;

/** A text as an error quotes it: at most 200 characters. */
export const cut = (text: string): string =>
  text.length > quotedLength ? `${text.slice(0, quotedLength)}…` : text;

/** A value as errors print it: numbers as they are, strings quoted and cut, other values by their type. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${cut(value)}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value !== 'object' || value === null) return cut(String(value));
  if (Array.isArray(value)) return 'an array';
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object'
    ? cut(`a value of type ${name}`)
    : 'an object';
}

/** Characters of the longest message whose parts were each cut. */
const longest = 1000;

/**
 * What our own sentences never contain and must come from outside: a quoted text of more than 200 characters. The second pattern is a word
 * as long as that.
 */
const quoted: RegExp = /(?<=[\s([])'([^']{201,})'(?=[\s,.;:)\]])/g;
const unbroken: RegExp = /[^\s'…]{201,}/g;

/** Bounds a message: long quoted texts and long words are cut, and a message that is still too long keeps its beginning and its end. */
const bounded = (message: string): string =>
  message.length <= longest
    ? message.replace(quoted, (_, text: string) => `'${cut(text)}'`).replace(unbroken, cut)
    : `${message.slice(0, 120)} … ${message.slice(-77)}`;

/** Base of all errors thrown by `@fkm/*`. */
export class FkmError extends Error {
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}, scope = 'core') {
    super(`[fkm/${scope}] ${bounded(message)}`);
    Object.defineProperty(this, brand, { value: true });
    this.kind = kind;
    this.details = details;
    this.name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}Error`;
  }
}

/** An array's shape does not fit: wrong rank, wrong number of columns, wrong length. */
export class ShapeError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('shape', message, details, scope);
  }
}

/** An option is unknown, of the wrong type, or out of its range. */
export class OptionError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('option', message, details, scope);
  }
}

/** A value in the data cannot be used: NaN outside the mask, a negative weight, an empty batch. */
export class DataError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('data', message, details, scope);
  }
}

/** A call came at the wrong time: `predict` before `fit`, or a call to a disposed backend. */
export class StateError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('state', message, details, scope);
  }
}

/** A graph is malformed, or a traced value was used as a host value. */
export class GraphError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('graph', message, details, scope);
  }
}

/** A backend cannot do what was asked: missing runtime, unsupported op or dtype. */
export class BackendError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('backend', message, details, scope);
  }
}

/** Bytes are not what they claim to be: truncated, foreign, or of a newer version. */
export class FormatError extends FkmError {
  constructor(message: string, details: ErrorDetails = {}, scope = 'core') {
    super('format', message, details, scope);
  }
}

/** True for every error of any copy of `@fkm/*`. */
export function isFkmError(error: unknown): error is FkmError {
  return typeof error === 'object' && error !== null && brand in error;
}
